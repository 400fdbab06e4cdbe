// import: local files to a running server. With a mapping, rows become JSON lines here.
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/hash.h"
#include "base/time_text.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "runtime/real_runtime.h"
#include "transfer/file_mapper.h"
#include "transfer/mapping.h"
#include "transfer/zstd_reader.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;
constexpr std::size_t kPieceBytes = 64 * 1024;

json::value id_value(const EntityId& id) {
    return id.is_text() ? json::value(id.text()) : json::value(std::to_string(id.number()));
}

json::value field_value(const record::Value& value) {
    struct Visitor {
        json::value operator()(const std::string& text) const { return json::value(text); }
        json::value operator()(const std::vector<std::string>& texts) const {
            return json::array(texts.begin(), texts.end());
        }
        json::value operator()(std::int64_t number) const { return number; }
        json::value operator()(double number) const { return number; }
        json::value operator()(bool flag) const { return flag; }
        json::value operator()(const record::GeoPoint& point) const {
            return json::object{{"lat", point.latitude}, {"lon", point.longitude}};
        }
    };
    return std::visit(Visitor(), value);
}

std::string line_of(const record::UpsertBody& upsert, const schema::Schema& schema) {
    json::object metadata;
    for (const auto& change : upsert.fields) {
        const schema::FieldSpec& field = schema.kind(upsert.kind).fields[change.field.value()];
        metadata[field.name] = change.value ? field_value(*change.value) : json::value(nullptr);
    }
    json::object out{{"entity_id", id_value(upsert.id)},
                     {"kind", entity_kind_name(upsert.kind)},
                     {"metadata", std::move(metadata)}};
    if (upsert.creator)
        out["creator_id"] = *upsert.creator ? id_value(**upsert.creator) : json::value(nullptr);
    if (upsert.created_at && *upsert.created_at) out["created_at"] = **upsert.created_at;
    if (upsert.publish_at && *upsert.publish_at) out["publish_at"] = **upsert.publish_at;
    if (upsert.expires_at && *upsert.expires_at) out["expires_at"] = **upsert.expires_at;
    return json::serialize(out) + "\n";
}

std::string line_of(const transfer::SignalRow& row, const schema::Schema& schema) {
    json::object out{{"entity_id", id_value(row.body.item)},
                     {"signal", schema.signals[row.body.signal.value()].name},
                     {"weight", record::weight_to_double(row.body.weight)}};
    if (row.body.user) out["user_id"] = id_value(*row.body.user);
    if (row.body.creator) out["creator_id"] = id_value(*row.body.creator);
    if (row.at_ms) out["at"] = *row.at_ms;
    return json::serialize(out) + "\n";
}

/// The pieces of one file, unpacked.
class FilePieces {
public:
    static Result<FilePieces> open(const std::string& path) {
        FilePieces file;
        file.file_.open(path, std::ios::binary);
        if (!file.file_.is_open())
            return Error(ErrorCode::kNotFound, "cannot open the file").with("file", path);
        return file;
    }
    /// False at the end.
    Result<bool> next(const std::function<Result<void>(std::string_view)>& take) {
        std::string piece(kPieceBytes, '\0');
        file_.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        piece.resize(static_cast<std::size_t>(file_.gcount()));
        if (!started_) packed_ = transfer::ZstdReader::is_packed(piece);
        started_ = true;
        bytes_read += piece.size();
        if (piece.empty()) {
            if (packed_) TIDAL_TRY(unpacker_->finish());
            return false;
        }
        if (!packed_) {
            TIDAL_TRY(take(piece));
        } else {
            transfer::ZstdReader::Sink sink = take;
            TIDAL_TRY(unpacker_->feed(piece, sink));
        }
        return true;
    }
    std::uint64_t bytes_read = 0;

private:
    std::ifstream file_;
    std::unique_ptr<transfer::ZstdReader> unpacker_ = std::make_unique<transfer::ZstdReader>();
    bool started_ = false, packed_ = false;
};

/// Notes signals in the first pass; makes lines in the second.
class LineSink final : public transfer::ImportSink {
public:
    LineSink(const schema::Schema& schema, transfer::FirstSignals* first, std::ofstream* rejects)
        : schema_(schema), first_(first), rejects_(rejects) {}
    bool on_row(transfer::ImportRow row, const transfer::RowPlace&) override {
        if (first_ != nullptr) {
            first_->note(row);
            return true;
        }
        transfer::shift_times(&row, shift_ms);
        lines += std::visit([&](const auto& one) { return line_of(one, schema_); }, row);
        return true;
    }
    void on_rejected(const transfer::RejectedRow& row) override {
        if (first_ != nullptr) return;
        ++rejected;
        if (rejects_->is_open())
            *rejects_ << row.text << "\t# line " << row.place.line << ": " << row.reason << "\n";
    }
    std::string lines;
    std::int64_t shift_ms = 0;
    std::uint64_t rejected = 0;

private:
    const schema::Schema& schema_;
    transfer::FirstSignals* first_;
    std::ofstream* rejects_;
};

class Import {
public:
    explicit Import(const Options& options) : options_(options), client_(options.url) {}

    Result<void> run() {
        if (!options_.time_shift.empty() &&
            (options_.time_shift != "end:now" || options_.mapping.empty()))
            return Error(ErrorCode::kInvalidArgument,
                         "the only time shift is end:now, of mapped files")
                .with_field("time-shift");
        if (!options_.rejects.empty()) {
            rejects_.open(options_.rejects, std::ios::app);
            if (!rejects_.is_open())
                return Error(ErrorCode::kIo, "cannot write the file of rejected rows")
                    .with("file", options_.rejects);
        }
        TIDAL_TRY(options_.mapping.empty() ? find_plain() : find_mapped());
        for (const std::string& path : files_) bytes_total_ += std::filesystem::file_size(path);
        TIDAL_ASSIGN(const std::string reply,
                     client_.post_stream("/import?id=" + import_id_, "application/x-ndjson",
                                         [this] { return next_lines(); }));
        if (!options_.json) std::fprintf(stderr, "\n");
        std::printf("%s\n", reply.c_str());
        if (sink_ && sink_->rejected > 0)
            std::fprintf(stderr, "%llu rows rejected by the mapping\n",
                         static_cast<unsigned long long>(sink_->rejected));
        return {};
    }

private:
    Result<void> find_plain() {
        files_ = options_.paths;
        for (const std::string& path : files_)
            if (!std::filesystem::is_regular_file(path))
                return Error(ErrorCode::kNotFound, "no such file").with("file", path);
        name_import("");
        return {};
    }

    Result<void> find_mapped() {
        std::ifstream file(options_.mapping);
        if (!file.is_open())
            return Error(ErrorCode::kNotFound, "cannot open the mapping")
                .with("file", options_.mapping);
        const std::string yaml(std::istreambuf_iterator<char>(file), {});
        TIDAL_ASSIGN(mapping_, transfer::parse_mapping(yaml));
        for (const auto& each : mapping_.files) {
            TIDAL_ASSIGN(std::string path, find_file(each.name));
            files_.push_back(std::move(path));
        }
        TIDAL_TRY(read_schema());
        name_import(yaml);
        TIDAL_TRY(note_signals());
        sink_.emplace(schema_, nullptr, &rejects_);
        if (options_.time_shift == "end:now" && first_.newest()) {
            TIDAL_ASSIGN(auto runtime, runtime::make_real_runtime({}));
            sink_->shift_ms = runtime->clock().wall_ms() - *first_.newest();
        }
        return {};
    }

    /// Named directly, or in a folder that is named.
    Result<std::string> find_file(const std::string& name) {
        for (const std::string& path : options_.paths) {
            for (const std::string& candidate :
                 {path, path + "/" + name, path + "/" + name + ".zst"}) {
                const std::string base = std::filesystem::path(candidate).filename();
                if ((base == name || base == name + ".zst") &&
                    std::filesystem::is_regular_file(candidate))
                    return candidate;
            }
        }
        return Error(ErrorCode::kNotFound, "the mapping names a file that is not there")
            .with("file", name);
    }

    Result<void> read_schema() {
        TIDAL_ASSIGN(const std::string body, client_.get("/schema"));
        json::error_code failed;
        const json::value value = json::parse(body, failed);
        if (failed) return Error(ErrorCode::kInternal, "the server's schema is not JSON");
        TIDAL_ASSIGN(schema_,
                     schema::parse_schema(std::string_view(value.at("schema").get_string())));
        return {};
    }

    /// The same files under the same mapping have the same name, so that a second run goes on.
    void name_import(const std::string& yaml) {
        import_id_ = options_.import_id;
        if (!import_id_.empty()) return;
        std::string text = yaml;
        for (const std::string& path : files_)
            text += "\n" + std::filesystem::path(path).filename().string() + " " +
                    std::to_string(std::filesystem::file_size(path));
        import_id_ = "import-" + hash128(text).to_hex();
    }

    Result<void> note_signals() {
        LineSink sink(schema_, &first_, &rejects_);
        for (std::size_t i = 0; i < files_.size(); ++i) {
            if (!mapping_.files[i].signals) continue;
            TIDAL_ASSIGN(auto mapper,
                         transfer::FileMapper::create(mapping_.files[i], schema_, &first_, sink));
            TIDAL_ASSIGN(FilePieces pieces, FilePieces::open(files_[i]));
            for (bool more = true; more;) {
                TIDAL_ASSIGN(
                    more, pieces.next([&](std::string_view bytes) { return mapper->feed(bytes); }));
            }
            TIDAL_TRY(mapper->finish());
        }
        return {};
    }

    Result<std::string> next_lines() {
        while (at_ < files_.size()) {
            if (!pieces_) {
                TIDAL_ASSIGN(pieces_, FilePieces::open(files_[at_]));
                if (sink_) {
                    TIDAL_ASSIGN(mapper_, transfer::FileMapper::create(mapping_.files[at_], schema_,
                                                                       &first_, *sink_));
                }
            }
            std::string lines;
            const std::uint64_t before = pieces_->bytes_read;
            TIDAL_ASSIGN(const bool more,
                         pieces_->next([&](std::string_view bytes) -> Result<void> {
                             if (sink_) return mapper_->feed(bytes);
                             lines += bytes;
                             return {};
                         }));
            bytes_done_ += pieces_->bytes_read - before;
            if (!more && sink_) TIDAL_TRY(mapper_->finish());
            if (sink_) lines = std::exchange(sink_->lines, {});
            if (!more) {
                pieces_.reset();
                ++at_;
            }
            show_progress();
            if (!lines.empty()) return lines;
        }
        return std::string();
    }

    void show_progress() {
        if (options_.json) return;
        const double seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
        const double part = bytes_total_ == 0 ? 1
                                              : static_cast<double>(bytes_done_) /
                                                    static_cast<double>(bytes_total_);
        std::fprintf(stderr, "\r%3.0f %%  %.1f MB read  %.1f MB/s  %.0f s left ", part * 100,
                     static_cast<double>(bytes_done_) / 1e6,
                     static_cast<double>(bytes_done_) / 1e6 / std::max(seconds, 1e-3),
                     part > 0 ? seconds / part - seconds : 0.0);
    }

    const Options& options_;
    Client client_;
    transfer::Mapping mapping_;
    schema::Schema schema_;
    std::string import_id_;
    std::vector<std::string> files_;  ///< With a mapping: in the order of its files.
    transfer::FirstSignals first_;
    std::ofstream rejects_;
    std::optional<LineSink> sink_;  ///< Set where there is a mapping.
    std::unique_ptr<transfer::FileMapper> mapper_;
    std::optional<FilePieces> pieces_;
    std::size_t at_ = 0;
    std::uint64_t bytes_done_ = 0, bytes_total_ = 0;
    const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace

Result<void> import(const Options& options) {
    return Import(options).run();
}

}  // namespace tidal::ctl
