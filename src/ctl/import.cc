// import: local files to a running server, which maps, writes and marks them.
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/hash.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/import_body.h"
#include "runtime/real_runtime.h"
#include "runtime/task.h"
#include "transfer/mapping.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;
constexpr std::uint64_t kImportPollNs = 200'000'000;

std::string percent_encode(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.') {
            out += c;
        } else {
            char code[4];
            std::snprintf(code, sizeof code, "%%%02X", byte);
            out += code;
        }
    }
    return out;
}

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
        .with_field(inner.text("field"))
        .with_hint(inner.text("hint"));
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
        std::fprintf(stderr, "\rsending  %3.0f %%  %.1f MB  %.1f MB/s  %.0f s left        ",
                     part * 100, static_cast<double>(done) / 1e6,
                     static_cast<double>(done) / 1e6 / std::max(seconds, 1e-3),
                     part > 0 ? seconds / part - seconds : 0.0);
    }
    void running(const Status& status) {
        if (quiet_) return;
        std::fprintf(stderr, "\r%s  %3.0f %%  %.0f rows  %.0f rows/s  %.0f s left        ",
                     status.text("file").c_str(), status.number("percent"), status.number("rows"),
                     status.number("rows_per_s"), status.number("seconds_left"));
        if (status.ended()) std::fprintf(stderr, "\n");
    }

private:
    const bool quiet_;
    const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point drawn_{};
};

runtime::Task<Result<void>> pause(runtime::Executor* timer) {
    Result<void> passed = co_await runtime::sleep_for(*timer, kImportPollNs);
    co_return passed;
}

class Import {
public:
    explicit Import(const Options& options)
        : options_(options), client_(options.url, options.key) {}

    Result<void> run() {
        TIDAL_TRY(options_.mapping.empty() ? find_plain() : find_mapped());
        ImportBody body(files_, !options_.mapping.empty());
        ProgressLine line(options_.json);
        TIDAL_ASSIGN(
            const std::string reply,
            client_.post_stream(
                target(), options_.mapping.empty() ? "application/x-ndjson" : "application/x-tar",
                [&] {
                    line.sending(body.bytes_done(), body.bytes_total());
                    return body.next();
                }));
        TIDAL_ASSIGN(Status status, parse_status(reply));
        TIDAL_ASSIGN(const auto runtime, runtime::make_real_runtime({}));
        const auto timer = runtime->executors().create_executor("poll");
        while (!status.ended()) {
            line.running(status);
            TIDAL_TRY(runtime::sync_wait(pause(timer.get())));
            TIDAL_ASSIGN(const std::string polled, client_.get(path()));
            TIDAL_ASSIGN(status, parse_status(polled));
        }
        line.running(status);
        TIDAL_TRY(save_rejects(status));
        if (status.text("state") == "failed") return failure_of(status);
        std::printf("%s\n", status.body.c_str());
        return {};
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

    /// Every rejected row with its reason, as the server kept it.
    Result<void> save_rejects(const Status& status) {
        if (options_.rejects.empty()) return {};
        std::ofstream out(options_.rejects, std::ios::binary);
        if (!out.is_open())
            return Error(ErrorCode::kIo, "cannot write the file of rejected rows")
                .with("file", options_.rejects);
        if (status.number("rejected") == 0) return {};
        return client_.get_stream(path() + "/rejects", [&](std::string_view bytes) {
            out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
            return out.good();
        });
    }

    const Options& options_;
    Client client_;
    std::string yaml_;
    std::string import_id_;
    std::vector<ImportFile> files_;
};

}  // namespace

Result<void> import(const Options& options) {
    return Import(options).run();
}

}  // namespace tidal::ctl
