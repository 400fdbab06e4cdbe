#include "wal/internal/recovery.h"

#include <algorithm>
#include <cassert>

#include "wal/internal/log_format.h"
#include "wal/internal/log_writer.h"

namespace tidal::wal {

namespace {

constexpr std::string_view kLogAdvice =
    "do not delete it: restore this node from a replica or a backup; tidalctl fsck lists all "
    "damage";

}  // namespace

Result<void> read_image(runtime::Disk& disk, std::string_view path, std::uint64_t bytes_max,
                        std::string* image) {
    TIDAL_ASSIGN(const auto file, disk.open(path, runtime::OpenMode::kRead));
    TIDAL_ASSIGN(const auto size, file->size());
    image->resize(std::min(size, bytes_max));
    TIDAL_ASSIGN(const auto got, file->read_at(0, *image));
    image->resize(got);
    return {};
}

Result<void> visit_unpacked(const ScannedBatch& batch, std::string* scratch,
                            NodeLog::Visitor& visitor) {
    TIDAL_ASSIGN(const auto payload, unpack_payload(batch.header.codec, batch.payload, scratch));
    auto header = batch.header;
    header.codec = BatchCodec::kPlain;
    header.payload_bytes = static_cast<std::uint32_t>(payload.size());
    return visitor(header, payload);
}

Result<void> write_zeros(runtime::File& file, std::uint64_t begin, std::uint64_t end) {
    constexpr std::uint64_t kChunkBytes = 1 << 20;
    const std::string zeros(std::min(kChunkBytes, end - begin), '\0');
    while (begin < end) {
        // Pieces end where sectors end, so that none is ever written in halves.
        const auto piece = std::min((begin / kChunkBytes + 1) * kChunkBytes, end) - begin;
        TIDAL_TRY(file.write_at(begin, std::string_view(zeros).substr(0, piece)));
        begin += piece;
    }
    return {};
}

Result<RecoveredLog> Recovery::run() {
    TIDAL_TRY(list_files());
    for (std::size_t file = 0; file < sequences_.size(); ++file) {
        TIDAL_ASSIGN(const auto damage, scan_file(file));
        if (!damage) continue;
        TIDAL_TRY(resolve(file, *damage));
        break;
    }
    TIDAL_TRY(make_tail_durable());
    return std::move(log_);
}

Result<void> Recovery::list_files() {
    TIDAL_ASSIGN(const auto names, disk_.list(options_.directory));
    for (const auto& name : names) {
        if (const auto sequence = parse_log_file_name(name)) {
            sequences_.push_back(*sequence);
        } else if (name == kPrepareName) {
            // A crash while it was made: it never held anything.
            TIDAL_TRY(disk_.remove(join_path(options_.directory, name)));
        } else {
            return Error(ErrorCode::kIncompatible, "a file that does not belong to the log")
                .with("file", join_path(options_.directory, name))
                .with_hint("move it elsewhere");
        }
    }
    if (sequences_.empty() && options_.must_exist)
        return Error(ErrorCode::kCorruption,
                     "the log is missing, and with it what was acknowledged")
            .with("directory", options_.directory)
            .with_reason("log_missing")
            .with_hint(
                "put its files back, or restore this node from a backup; a member of a cluster is "
                "replaced (docs/operations/cluster.md)");
    for (std::size_t i = 1; i < sequences_.size(); ++i)
        if (sequences_[i] != sequences_[i - 1] + 1)
            return Error(ErrorCode::kCorruption, "a log file is missing")
                .with("file", join_path(options_.directory, log_file_name(sequences_[i - 1] + 1)))
                .with("offset", std::uint64_t{0})
                .with_hint(kLogAdvice);
    return {};
}

Result<std::optional<Damage>> Recovery::scan_file(std::size_t file) {
    TIDAL_TRY(read_image(disk_, path_of(file), kLogFileBytes + 1, &image_));
    auto header = decode_file_header(image_);
    if (!header) {
        const auto end = std::min<std::uint64_t>(kFileHeaderBytes, image_.size());
        const bool torn =
            header.error().code() == ErrorCode::kCorruption && has_unwritten_sector(image_, 0, end);
        return std::optional<Damage>(Damage{0, end, torn, header.take_error()});
    }
    if (header->sequence != sequences_[file])
        return refuse(file, 0, "a log file carries another file's sequence number", nullptr);
    TIDAL_TRY(check_header(file, header->file_bytes, header->previous_end));
    synced_ = std::max(synced_, linear({header->sequence - 1, header->previous_end}));
    log_.files.push_back({header->sequence, header->file_bytes, kFileHeaderBytes, {}});
    return deliver(file);
}

Result<void> Recovery::check_header(std::size_t file, std::uint64_t file_bytes,
                                    std::uint64_t previous_end) const {
    if (image_.size() != file_bytes)
        return refuse(file, image_.size(), "a log file has not the size it was made with", nullptr);
    if (file == 0 || log_.files.back().end == previous_end) return {};
    return refuse(file - 1, std::min(log_.files.back().end, previous_end),
                  "a log file ends elsewhere than the next one says", nullptr);
}

Result<std::optional<Damage>> Recovery::deliver(std::size_t file) {
    BatchScanner scanner(image_, kFileHeaderBytes);
    std::string scratch;
    auto& found = log_.files.back();
    while (const auto batch = scanner.next()) {
        const auto position = linear({found.sequence, batch->offset});
        synced_ = std::max(synced_, synced_before(position, batch->header));
        found.ranges[key_of(batch->header)].add(batch->header);
        if (auto visited = visit_unpacked(*batch, &scratch, visitor_); !visited)
            return std::move(visited.take_error())
                .with("file", path_of(file))
                .with("offset", batch->offset);
    }
    found.end = scanner.offset();
    return scanner.damage();
}

Result<void> Recovery::resolve(std::size_t file, const Damage& damage) {
    TIDAL_ASSIGN(const auto synced, latest_synced_behind(file, damage));
    if (linear({sequences_[file], damage.offset}) < std::max(synced, synced_))
        return refuse(file, damage.offset,
                      "the log is damaged before the last position known synced", &damage.error);
    if (!damage.torn)
        return refuse(file, damage.offset, "the log is damaged, and not by a torn write",
                      &damage.error);
    return cut(file, damage.offset);
}

Result<std::uint64_t> Recovery::latest_synced_behind(std::size_t file, const Damage& damage) {
    // The payload of a batch whose header is good cannot hold headers of the log.
    const bool length_known = damage.extent_end > damage.offset + kBatchHeaderBytes;
    auto latest = latest_synced(image_, sequences_[file],
                                length_known ? damage.extent_end : damage.offset + 1);
    std::string image;
    for (auto later = file + 1; later < sequences_.size(); ++later) {
        TIDAL_TRY(read_image(disk_, path_of(later), kLogFileBytes, &image));
        if (const auto header = decode_file_header(image))
            latest = std::max(latest, linear({sequences_[later] - 1, header->previous_end}));
        latest = std::max(latest, latest_synced(image, sequences_[later], 0));
    }
    return latest;
}

Result<void> Recovery::cut(std::size_t file, std::uint64_t offset) {
    // From the back, each removal durable before the next: a crash leaves no gap in the sequence.
    for (auto later = sequences_.size(); --later > file;) TIDAL_TRY(remove_file(later));
    const bool clean = all_zero(std::string_view(image_).substr(offset));
    if (!clean) log_.cut_bytes = image_.size() - offset;
    if (offset == 0) {
        if (clean && image_.size() == options_.file_bytes) {
            log_.prepared = sequences_[file];
            return {};
        }
        if (file > 0) return remove_file(file);
        // In its place, so that there is no moment without a log.
        TIDAL_TRY(make_log_file(disk_, options_.directory, sequences_[file], options_.file_bytes));
        log_.prepared = sequences_[file];
        return {};
    }
    TIDAL_ASSIGN(const auto writer, disk_.open(path_of(file), runtime::OpenMode::kReadWrite));
    return write_zeros(*writer, offset, image_.size());  // make_tail_durable() syncs this file.
}

/// What was read may be in the cache alone: the process was killed before its fsync, or its fsync
/// failed and the kernel, which reports that once, now takes the pages for clean. So the part not
/// known synced is written again; and the names are synced, as the newest may be no older.
Result<void> Recovery::make_tail_durable() {
    TIDAL_TRY(disk_.sync_directory(options_.directory));
    if (log_.files.empty()) return {};
    const auto& last = log_.files.back();
    const auto file_begin = linear({last.sequence, 0});
    const auto begin = synced_ > file_begin ? synced_ - file_begin : 0;
    assert(begin <= last.end);  // No header says more than its own position.
    TIDAL_ASSIGN(const auto file,
                 disk_.open(join_path(options_.directory, log_file_name(last.sequence)),
                            runtime::OpenMode::kReadWrite));
    std::string tail(last.end - begin, '\0');
    TIDAL_ASSIGN(const auto got, file->read_at(begin, tail));
    tail.resize(got);
    if (!tail.empty()) TIDAL_TRY(file->write_at(begin, tail));
    return file->sync();  // Covers the zeros of a cut, too.
}

Result<void> Recovery::remove_file(std::size_t file) {
    TIDAL_TRY(disk_.remove(path_of(file)));
    return disk_.sync_directory(options_.directory);
}

std::string Recovery::path_of(std::size_t file) const {
    return join_path(options_.directory, log_file_name(sequences_[file]));
}

Error Recovery::refuse(std::size_t file, std::uint64_t offset, std::string_view what,
                       const Error* cause) const {
    const auto code = cause != nullptr ? cause->code() : ErrorCode::kCorruption;
    Error error(code, std::string(what));
    error.with("file", path_of(file)).with("offset", offset);
    if (cause != nullptr) error.with("found", cause->to_string());
    return std::move(error).with_hint(kLogAdvice);
}

}  // namespace tidal::wal
