// import: local files to a running server, which maps, writes and marks them.
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/hash.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/import_body.h"
#include "ctl/output.h"
#include "ctl/rejects_file.h"
#include "runtime/real_runtime.h"
#include "runtime/task.h"
#include "transfer/mapping.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;
constexpr std::uint64_t kImportPollNs = 200'000'000;

/// The status that the server gives of an import.
struct Status {
    json::object object;
    std::string body;  ///< As the server wrote it.

    std::string text(const char* key) const {
        const auto* found = object.if_contains(key);
        return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
    }
    double number(const char* key) const {
        const auto* found = object.if_contains(key);
        return found != nullptr && found->is_number() ? found->to_number<double>() : 0;
    }
    bool ended() const { return text("state") == "finished" || text("state") == "failed"; }
};

Result<Status> parse_status(const std::string& body) {
    json::error_code failed;
    const json::value value = json::parse(body, failed);
    if (failed || !value.is_object())
        return Error(ErrorCode::kInternal, "the server's status of the import is not JSON");
    return Status{value.get_object(), body};
}

Error failure_of(const Status& status) {
    const auto* problem = status.object.if_contains("problem");
    const Status inner{
        problem != nullptr && problem->is_object() ? problem->get_object() : json::object(), {}};
    return Error(ErrorCode::kInternal, "the import failed: " + inner.text("detail"))
        .with_reason(inner.text("code"))
        .with_field(inner.text("field"))
        .with_hint(inner.text("hint"));
}

/// Such as "12 s left"; a time that nobody knows yet is none of zero seconds.
std::string left_text(std::optional<double> seconds) {
    if (!seconds) return "time left unknown";
    char text[32];
    std::snprintf(text, sizeof text, "%.0f s left", *seconds);
    return text;
}

/// A line that is drawn over itself.
class ProgressLine {
public:
    explicit ProgressLine(bool quiet) : quiet_(quiet) {}
    void sending(std::uint64_t done, std::uint64_t total) {
        const auto now = std::chrono::steady_clock::now();
        if (quiet_ || now - drawn_ < std::chrono::milliseconds(100)) return;
        drawn_ = now;
        const double seconds = std::chrono::duration<double>(now - started_).count();
        const double part = total == 0 ? 1 : static_cast<double>(done) / static_cast<double>(total);
        const std::optional<double> left =
            part > 0 ? std::optional(seconds / part - seconds) : std::nullopt;
        std::fprintf(stderr, "\rsending  %3.0f %%  %.1f MB  %.1f MB/s  %s        ", part * 100,
                     static_cast<double>(done) / 1e6,
                     static_cast<double>(done) / 1e6 / std::max(seconds, 1e-3),
                     left_text(left).c_str());
    }
    void running(const Status& status) {
        if (quiet_) return;
        char rate[64] = "";
        if (status.number("rows") > 0)
            std::snprintf(rate, sizeof rate, "%.0f rows/s  ", status.number("rows_per_s"));
        std::optional<double> left;
        if (status.object.contains("seconds_left")) left = status.number("seconds_left");
        std::fprintf(stderr, "\r%s  %3.0f %%  %.0f rows  %s%s        ", status.text("file").c_str(),
                     status.number("percent"), status.number("rows"), rate,
                     status.ended() ? "" : left_text(left).c_str());
        if (status.ended()) std::fprintf(stderr, "\n");
    }

private:
    const bool quiet_;
    const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point drawn_{};
};

/// By its name: rows of columns, which only a mapping gives a meaning.
bool is_table(std::string_view path) {
    if (path.ends_with(".zst")) path.remove_suffix(4);
    return path.ends_with(".csv") || path.ends_with(".tsv");
}

runtime::Task<Result<void>> pause(runtime::Executor* timer) {
    Result<void> passed = co_await runtime::sleep_for(*timer, kImportPollNs);
    co_return passed;
}

class Import {
public:
    explicit Import(const Options& options)
        : options_(options),
          client_(options.url, options.key),
          other_client_(options.url, options.key),
          rejects_(options.rejects) {}

    Result<Verdict> run() {
        TIDAL_TRY(options_.mapping.empty() ? find_plain() : find_mapped());
        TIDAL_TRY(rejects_.open());
        ImportBody body(files_, !options_.mapping.empty());
        ProgressLine line(options_.json);
        TIDAL_ASSIGN(
            const std::string reply,
            client_.post_stream(
                target(), options_.mapping.empty() ? "application/x-ndjson" : "application/x-tar",
                [&] {
                    line.sending(body.bytes_done(), body.bytes_total());
                    take_rejects_while_sending();
                    return body.next();
                }));
        TIDAL_ASSIGN(Status status, parse_status(reply));
        TIDAL_ASSIGN(const auto runtime, runtime::make_real_runtime({}));
        const auto timer = runtime->executors().create_executor("poll");
        while (!status.ended()) {
            line.running(status);
            TIDAL_TRY(rejects_.take(client_, path() + "/rejects"));
            TIDAL_TRY(runtime::sync_wait(pause(timer.get())));
            TIDAL_ASSIGN(const std::string polled, client_.get(path()));
            TIDAL_ASSIGN(status, parse_status(polled));
        }
        line.running(status);
        TIDAL_TRY(take_last_rejects(status));
        if (status.text("state") == "failed") return failure_of(status);
        std::printf("%s\n", status.body.c_str());
        if (status.number("rejected") == 0 || status.number("accepted") > 0 ||
            status.number("skipped") > 0)
            return Verdict::kSound;
        print_error(Error(ErrorCode::kInvalidArgument, "every row was rejected")
                        .with_hint("its problems say why; --rejects FILE keeps them all"));
        return Verdict::kFailed;
    }

private:
    std::string path() const { return "/import/" + percent_encode(import_id_); }
    std::string target() const {
        std::string target = "/import?id=" + percent_encode(import_id_) + "&wait=false";
        if (!options_.time_shift.empty())
            target += "&time_shift=" + percent_encode(options_.time_shift);
        if (!options_.replay.empty()) target += "&replay=" + percent_encode(options_.replay);
        return target;
    }

    Result<void> find_plain() {
        for (const std::string& path : options_.paths) {
            TIDAL_ASSIGN(ImportFile file, import_file(path));
            if (is_table(path))
                return Error(ErrorCode::kInvalidArgument, "a table is not JSON lines")
                    .with_field("mapping")
                    .with("file", path)
                    .with_hint("--mapping FILE says what its columns are");
            files_.push_back(std::move(file));
        }
        name_import();
        return {};
    }

    /// The mapping first, then its files: named directly, or in a folder that is named.
    Result<void> find_mapped() {
        TIDAL_ASSIGN(ImportFile mapping, import_file(options_.mapping));
        mapping.name = "mapping.yaml";
        std::ifstream text(options_.mapping);
        yaml_.assign(std::istreambuf_iterator<char>(text), {});
        TIDAL_ASSIGN(const auto parsed, transfer::parse_mapping(yaml_));
        files_.push_back(std::move(mapping));
        for (const auto& each : parsed.files) {
            TIDAL_ASSIGN(ImportFile file, find_file(each.name));
            files_.push_back(std::move(file));
        }
        name_import();
        return {};
    }

    Result<ImportFile> find_file(const std::string& name) {
        for (const std::string& path : options_.paths) {
            for (const std::string& candidate :
                 {path, path + "/" + name, path + "/" + name + ".zst"}) {
                const std::string base = std::filesystem::path(candidate).filename();
                if ((base == name || base == name + ".zst") &&
                    std::filesystem::is_regular_file(candidate))
                    return import_file(candidate);
            }
        }
        return Error(ErrorCode::kNotFound, "the mapping names a file that is not there")
            .with("file", name);
    }

    /// The same files under the same mapping have the same name, so that a second run goes on.
    void name_import() {
        import_id_ = options_.import_id;
        if (!import_id_.empty()) return;
        std::string text = yaml_;
        for (const ImportFile& file : files_)
            text += "\n" + file.name + " " + std::to_string(file.bytes);
        import_id_ = "import-" + hash128(text).to_hex();
    }

    /// Lines are answered at their end only; until then another connection asks.
    void take_rejects_while_sending() {
        const auto now = std::chrono::steady_clock::now();
        if (!options_.mapping.empty() || now - asked_ < std::chrono::seconds(1)) return;
        asked_ = now;
        // It may not have begun; the end sees to it that none is missing.
        (void)rejects_.take(other_client_, path() + "/rejects");
    }

    /// Every rejected row with its reason, as the server kept it.
    Result<void> take_last_rejects(const Status& status) {
        if (options_.mapping.empty()) rejects_.forget();
        if (status.number("rejected") > 0) return rejects_.take(client_, path() + "/rejects");
        if (status.text("state") == "failed" || status.object.contains("imported_before"))
            return {};
        return rejects_.clear();
    }

    const Options& options_;
    Client client_, other_client_;
    RejectsFile rejects_;
    std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();
    std::string yaml_;
    std::string import_id_;
    std::vector<ImportFile> files_;
};

}  // namespace

Result<Verdict> import(const Options& options) {
    return Import(options).run();
}

}  // namespace tidal::ctl
