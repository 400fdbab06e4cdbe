// bench/api_scan_bench.cc: a page of a profile that has to score every item by four live windows of
// signals, through Database::feed, beside a loop by hand.
//
//     api_scan_bench [items = 1000000] [pages = 15]
//
// One database in memory, one shard. The loop reads four columns of sums that were added up before
// and are as of no moment: it does no work for windows, which the feed reads from the ledger of
// each item as of the page's moment. So the ratio is the price of live windows, not of the scoring
// alone; that is bench/ranking_bench.cc. A second profile scores four stored numbers in the same
// way, through the same feed. Prints medians in ns an item, in turn.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "database_bed.h"

namespace tidal::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kSchema = R"(
items:
  fields:
    a: float
    b: float
    c: float
    d: float
signals:
  view: {polarity: neutral, half_life: 1d}
  like: {polarity: positive, half_life: 7d}
  share: {polarity: positive, half_life: 7d}
  comment: {polarity: positive, half_life: 7d}
)";
constexpr const char* kSignals[] = {"view", "like", "share", "comment"};
// What is subtracted rises by time alone: no view is kept of such an order, every page is a scan.
constexpr const char* kLive =
    "profile live version 1 { candidates scan; score 0.5 * log1p(sum(share, 24h)) + 0.3 * "
    "log1p(sum(view, 24h)) + 0.2 * log1p(sum(like, 24h)) - 0.1 * log1p(sum(comment, 24h)); }";
constexpr const char* kStored =
    "profile stored version 1 { candidates scan; require a >= 0; score 0.5 * log1p(a) + 0.3 * "
    "log1p(b) + 0.2 * log1p(c) - 0.1 * log1p(d); }";

class Bench {
public:
    explicit Bench(std::size_t items) : bed_(options()), columns_(4, std::vector<double>(items)) {
        std::mt19937_64 random(1);
        std::vector<api::Write> writes;
        const auto send_some = [&](bool all) {
            if (writes.size() >= 10'000 || all) bed_.send(std::exchange(writes, {}));
        };
        for (std::size_t i = 0; i < items; ++i) {
            api::EntityWrite item;
            item.id = i + 1;
            for (std::size_t s = 0; s < 4; ++s) {
                columns_[s][i] = static_cast<double>(random() % 4);
                item.metadata.emplace_back(std::string(1, static_cast<char>('a' + s)),
                                           columns_[s][i]);
            }
            writes.emplace_back(std::move(item));
            send_some(false);
        }
        send_some(true);
        // The windows hold what the columns do.
        for (std::size_t i = 0; i < items; ++i)
            for (std::size_t s = 0; s < 4; ++s) {
                if (columns_[s][i] == 0) continue;
                api::SignalWrite signal;
                signal.id = i + 1;
                signal.signal = kSignals[s];
                signal.weight = columns_[s][i];
                writes.emplace_back(std::move(signal));
                send_some(false);
            }
        send_some(true);
        for (const char* text : {kLive, kStored})
            must(wait<api::CatalogReply>(
                [&](auto done) { bed_->put_profile(text, false, std::move(done)); }));
    }

    double feed_ns(const char* profile) {
        api::FeedCall call;
        call.profile = profile;
        call.limit = 20;
        call.fields.emplace();
        const auto begin = Clock::now();
        const auto reply = must(bed_->feed(call));
        const double ns = std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
        if (reply.scored != columns_[0].size()) {
            std::fprintf(stderr, "%s scored %zu\n", profile,
                         static_cast<std::size_t>(reply.scored));
            std::exit(1);
        }
        return ns / static_cast<double>(columns_[0].size());
    }
    double loop_ns() {
        const auto begin = Clock::now();
        std::vector<std::pair<double, std::size_t>> best;  // A heap, the least first.
        const auto less = [](const auto& a, const auto& b) { return a.first > b.first; };
        for (std::size_t i = 0; i < columns_[0].size(); ++i) {
            if (!(columns_[0][i] >= 0)) continue;  // As the profile requires.
            const double score =
                0.5 * std::log1p(columns_[2][i]) + 0.3 * std::log1p(columns_[0][i]) +
                0.2 * std::log1p(columns_[1][i]) - 0.1 * std::log1p(columns_[3][i]);
            if (best.size() == 20 && score <= best.front().first) continue;
            if (best.size() == 20) {
                std::ranges::pop_heap(best, less);
                best.pop_back();
            }
            best.emplace_back(score, i);
            std::ranges::push_heap(best, less);
        }
        seen_ += best.front().first;
        return std::chrono::duration<double, std::nano>(Clock::now() - begin).count() /
               static_cast<double>(columns_[0].size());
    }
    double seen() const { return seen_; }

private:
    static api::DatabaseOptions options() {
        api::DatabaseOptions out;
        out.schema = kSchema;
        return out;
    }
    DatabaseBed bed_;
    std::vector<std::vector<double>> columns_;
    double seen_ = 0;  ///< So that the loop is not left out.
};

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

}  // namespace

void run(std::size_t items, int pages) {
    Bench bench(items);
    std::vector<double> live, stored, loop;
    for (int i = 0; i < pages; ++i) {
        live.push_back(bench.feed_ns("live"));
        stored.push_back(bench.feed_ns("stored"));
        loop.push_back(bench.loop_ns());
    }
    std::printf("%zu items, median of %d pages of 20, ns an item\n", items, pages);
    std::printf("four live windows, through the feed   %7.1f  %.2f of the loop\n", median(live),
                median(live) / median(loop));
    std::printf("four stored numbers, through the feed %7.1f  %.2f of the loop\n", median(stored),
                median(stored) / median(loop));
    std::printf("loop by hand over four columns        %7.1f  (%g)\n", median(loop), bench.seen());
}

}  // namespace tidal::bench

int main(int argc, char** argv) {
    tidal::bench::run(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000,
                      argc > 2 ? std::atoi(argv[2]) : 15);
    return 0;
}
