#include "wal/log_inspect.h"

#include <algorithm>

#include "wal/internal/batch_scanner.h"
#include "wal/internal/log_format.h"
#include "wal/internal/recovery.h"

namespace tidal::wal {
namespace {

class Inspection {
public:
    Inspection(runtime::Disk& disk, const std::string& directory,
               const std::string& archive_directory)
        : disk_(disk), directory_(directory), archive_directory_(archive_directory) {}

    Result<LogReport> run() {
        TIDAL_TRY(inspect_files());
        judge_files();
        TIDAL_TRY(inspect_archive());
        return std::move(report_);
    }

private:
    Result<void> inspect_files();
    Result<void> inspect_file(std::uint64_t sequence, bool is_last);
    void inspect_batches(LogFileReport& file, std::string_view image);
    void check_previous(std::uint64_t previous_end);
    void judge_files();

    Result<void> inspect_archive();
    Result<void> inspect_segment(const std::string& path, SegmentReport& segment);
    void inspect_block(const std::string& path, const SegmentReader& reader,
                       const SegmentBlock& block, std::string_view plain);

    void note(LogDamage::Kind kind, const std::string& path, std::uint64_t offset,
              std::string what) {
        report_.damage.push_back({kind, path, offset, std::move(what)});
    }
    /// In the log: whether it stops the start is decided when all files have been seen.
    void note_log(LogPosition position, const std::string& path, std::string what, bool torn) {
        if (report_.damage.empty()) {
            first_damage_ = position;
            first_is_torn_ = torn;
        }
        note(LogDamage::Kind::kStopsStart, path, position.offset, std::move(what));
    }

    runtime::Disk& disk_;
    const std::string directory_;
    const std::string archive_directory_;
    LogReport report_;
    std::uint64_t synced_ = 0;  ///< Greatest linear position that any header says was synced.
    LogPosition first_damage_;
    bool first_is_torn_ = false;
};

Result<void> Inspection::inspect_files() {
    TIDAL_ASSIGN(const auto names, disk_.list(directory_));
    std::vector<std::uint64_t> sequences;
    for (const auto& name : names) {
        if (const auto sequence = parse_log_file_name(name))
            sequences.push_back(*sequence);
        else if (name != kPrepareName)
            note_log({}, join_path(directory_, name), "a file that does not belong to the log",
                     false);
    }
    if (sequences.empty()) note_log({}, directory_, "the log is missing", false);
    for (const auto sequence : sequences) {
        if (sequence != sequences.front() && report_.files.back().sequence + 1 != sequence)
            note_log({sequence, 0}, join_path(directory_, log_file_name(sequence)),
                     "the log file before this one is missing", false);
        TIDAL_TRY(inspect_file(sequence, sequence == sequences.back()));
    }
    return {};
}

Result<void> Inspection::inspect_file(std::uint64_t sequence, bool is_last) {
    LogFileReport file;
    file.path = join_path(directory_, log_file_name(sequence));
    file.sequence = sequence;
    std::string image;
    TIDAL_TRY(read_image(disk_, file.path, kLogFileBytes + 1, &image));
    file.file_bytes = image.size();
    const auto header = decode_file_header(image);
    synced_ = std::max(synced_, latest_synced(image, sequence, kFileHeaderBytes));
    if (header) {
        synced_ = std::max(synced_, linear({sequence - 1, header->previous_end}));
        if (header->sequence != sequence)
            note_log({sequence, 0}, file.path, "the header names another file", false);
        if (header->file_bytes != image.size())
            note_log({sequence, image.size()}, file.path, "not the size the header says", false);
        check_previous(header->previous_end);
    } else if (!is_last || !all_zero(image)) {
        const bool torn =
            header.error().code() == ErrorCode::kCorruption &&
            has_unwritten_sector(image, 0, std::min<std::uint64_t>(kFileHeaderBytes, image.size()));
        note_log({sequence, 0}, file.path, header.error().to_string(), torn);
    }
    if (header || !all_zero(image)) inspect_batches(file, image);
    report_.files.push_back(std::move(file));
    return {};
}

void Inspection::check_previous(std::uint64_t previous_end) {
    if (report_.files.empty() || report_.files.back().used_bytes == previous_end) return;
    const auto& previous = report_.files.back();
    const auto offset = std::min(previous.used_bytes, previous_end);
    note_log({previous.sequence, offset}, previous.path,
             "the log file ends elsewhere than the next one says", false);
}

void Inspection::inspect_batches(LogFileReport& file, std::string_view image) {
    std::optional<std::uint64_t> begin = kFileHeaderBytes;
    while (begin) {
        BatchScanner scanner(image, std::min<std::uint64_t>(*begin, image.size()));
        std::string scratch;
        while (const auto batch = scanner.next()) {
            ++file.batches;
            file.ranges[key_of(batch->header)].add(batch->header);
            if (auto plain = unpack_payload(batch->header.codec, batch->payload, &scratch); !plain)
                note_log({file.sequence, batch->offset}, file.path, plain.error().to_string(),
                         false);
        }
        file.used_bytes = scanner.offset();
        const auto& damage = scanner.damage();
        if (!damage) return;
        note_log({file.sequence, damage->offset}, file.path, damage->error.to_string(),
                 damage->torn);
        const bool length_known = damage->extent_end > damage->offset + kBatchHeaderBytes;
        begin = length_known ? std::optional(damage->extent_end)
                             : find_header(image, damage->offset + 1);
    }
}

/// The rule of Recovery: a tear with nothing synced behind it is cut, and all behind it goes with
/// it.
void Inspection::judge_files() {
    if (!first_is_torn_ || linear(first_damage_) < synced_) return;
    for (auto& damage : report_.damage) damage.kind = LogDamage::Kind::kTornTail;
}

Result<void> Inspection::inspect_archive() {
    TIDAL_ASSIGN(const auto names, disk_.list(archive_directory_));
    for (const auto& name : names) {
        const auto path = join_path(archive_directory_, name);
        const auto named = parse_segment_name(name);
        if (!named) {
            if (!name.ends_with(".tmp"))
                note(LogDamage::Kind::kStopsStart, path, 0,
                     "a file that does not belong to the archive");
            continue;
        }
        SegmentReport segment{path, {}};
        segment.info.key = {named->region, named->shard, Incarnation()};
        segment.info.first = named->first;
        TIDAL_TRY(inspect_segment(path, segment));
        report_.segments.push_back(std::move(segment));
    }
    return {};
}

Result<void> Inspection::inspect_segment(const std::string& path, SegmentReport& segment) {
    auto reader = SegmentReader::open(disk_, path);
    if (!reader) {
        if (reader.error().code() == ErrorCode::kIo) return reader.take_error();
        note(LogDamage::Kind::kArchive, path, 0, reader.error().to_string());
        return {};
    }
    segment.info = reader->info();
    for (const auto& block : reader->blocks()) {
        auto plain = reader->read_block(block);
        if (plain)
            inspect_block(path, *reader, block, *plain);
        else
            note(LogDamage::Kind::kArchive, path, block.offset, plain.error().to_string());
    }
    return {};
}

void Inspection::inspect_block(const std::string& path, const SegmentReader& reader,
                               const SegmentBlock& block, std::string_view plain) {
    BatchScanner scanner(plain, 0);
    IndexRange found;
    bool foreign = false;
    while (const auto batch = scanner.next()) {
        found.add(batch->header);
        foreign = foreign || key_of(batch->header) != reader.info().key;
    }
    if (scanner.damage())
        note(LogDamage::Kind::kArchive, path, block.offset, scanner.damage()->error.to_string());
    else if (foreign || found != IndexRange{block.first, block.last, block.batches})
        note(LogDamage::Kind::kArchive, path, block.offset,
             "a block holds other batches than its index says");
}

}  // namespace

std::string_view damage_kind_name(LogDamage::Kind kind) {
    switch (kind) {
        case LogDamage::Kind::kTornTail:
            return "torn_tail";
        case LogDamage::Kind::kStopsStart:
            return "stops_start";
        case LogDamage::Kind::kArchive:
            return "archive";
    }
    return "unknown";
}

Result<LogReport> inspect_log(runtime::Disk& disk, const std::string& directory,
                              const std::string& archive_directory) {
    return Inspection(disk, directory, archive_directory).run();
}

}  // namespace tidal::wal
