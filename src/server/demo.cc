#include "server/demo.h"

#include <cstdio>

#include "api/import.h"
#include "base/hash.h"
#include "server/local_files.h"

namespace tidal::server {
namespace {

/// One line that is drawn over itself; every second and at the end where nobody watches.
class ProgressBar {
public:
    explicit ProgressBar(runtime::Clock& clock)
        : clock_(clock), started_ns_(clock.monotonic_ns()) {}

    void show(const api::ImportProgress& progress) {
        const std::uint64_t now = clock_.monotonic_ns();
        if (now - drawn_ns_ < 100'000'000 && progress.bytes_done < progress.bytes_total) return;
        drawn_ns_ = now;
        const double seconds = static_cast<double>(now - started_ns_) / 1e9;
        const double part = progress.bytes_total == 0
                                ? 1
                                : static_cast<double>(progress.bytes_done) /
                                      static_cast<double>(progress.bytes_total);
        const auto writes = static_cast<double>(progress.accepted + progress.skipped);
        constexpr int width = 30;
        const int filled = static_cast<int>(part * width);
        std::fprintf(stderr, "\r  [%.*s%*s] %3.0f %%  %-12s %8.0f writes  %7.0f/s  %3.0f s left ",
                     filled, "##############################", width - filled, "", part * 100,
                     progress.file.c_str(), writes, writes / std::max(seconds, 1e-3),
                     part > 0 ? seconds / part - seconds : 0.0);
    }

private:
    runtime::Clock& clock_;
    const std::uint64_t started_ns_;
    std::uint64_t drawn_ns_ = 0;
};

Result<void> print_feed(api::Database& database, const std::string& profile, const char* heading) {
    api::FeedCall call;
    call.profile = profile;
    call.limit = 5;
    TIDAL_ASSIGN(const api::FeedReply reply, database.feed(call));
    std::printf("\n%s (%s)\n", heading, profile.c_str());
    for (const api::FeedItem& item : reply.items) {
        std::string title = item.entity.id.to_string();
        for (const auto& [name, value] : item.entity.metadata)
            if (name == "title") title = std::get<std::string>(value);
        std::printf("  %2llu. %-50s %10.2f\n", static_cast<unsigned long long>(item.rank),
                    title.c_str(), item.score);
    }
    return {};
}

}  // namespace

Result<void> import_sample(api::Database& database, runtime::Runtime& runtime,
                           const std::string& sample) {
    TIDAL_ASSIGN(const std::string yaml, read_text(sample + "/movielens/mapping.yaml"));
    api::ImportSpec spec;
    TIDAL_ASSIGN(spec.mapping, transfer::parse_mapping(yaml));
    spec.id = "movielens-latest-small/" + hash128(yaml).to_hex();
    spec.shift_end_to_now = true;
    for (const transfer::FileMapping& file : spec.mapping.files) {
        TIDAL_ASSIGN(api::ImportSource source,
                     local_source(sample + "/data/movielens-latest-small/" + file.name, file.name));
        spec.sources.push_back(std::move(source));
    }
    ProgressBar bar(runtime.clock());
    api::ImportObserver observer;
    observer.on_progress = [&bar](const api::ImportProgress& progress) { bar.show(progress); };
    std::fprintf(stderr,
                 "MovieLens latest-small (GroupLens; Harper and Konstan 2015), terms in "
                 "%s/data/movielens-latest-small\n",
                 sample.c_str());
    TIDAL_ASSIGN(const api::ImportProgress done,
                 runtime::sync_wait(
                     api::import_files(database, runtime.clock(), std::move(spec), observer)));
    if (done.complete_before) {
        std::fprintf(stderr, "  imported before: nothing to do\n");
    } else {
        std::fprintf(stderr,
                     "\n  %llu writes, %llu skipped (imported before), %llu rows rejected\n",
                     static_cast<unsigned long long>(done.accepted),
                     static_cast<unsigned long long>(done.skipped),
                     static_cast<unsigned long long>(done.rejected));
    }
    return {};
}

Result<void> print_feeds(api::Database& database) {
    TIDAL_TRY(print_feed(database, "top_year", "Most liked in the last 365 days"));
    TIDAL_TRY(print_feed(database, "most_liked", "Most liked of all time"));
    std::printf("\n");
    return {};
}

}  // namespace tidal::server
