// Reading and sealing: what runs beside the writing half.
#include <map>
#include <set>

#include "wal/internal/node_log_impl.h"

namespace tidal::wal {

/// One read(): hands on the batches asked for, each once.
struct NodeLogImpl::Reader {
    const ReadRange& range;
    Visitor& visitor;
    ArchiveCodec* codec;
    std::unique_ptr<ArchiveCodec::Reader> opener;  ///< Made for the first sealed segment.
    std::string scratch;
    std::set<ShardKey> behind_stamp_max;  ///< Stamps rise within a history: these are done.

    bool wants(const BatchHeader& header) {
        if (header.shard != range.shard || header.last_index() < range.from) return false;
        if (header.stamp < range.stamp_min || behind_stamp_max.contains(key_of(header)))
            return false;
        if (header.stamp > range.stamp_max) behind_stamp_max.insert(key_of(header));
        return true;
    }

    Result<void> offer(const ScannedBatch& batch) {
        if (!wants(batch.header)) return {};
        return visit_unpacked(batch, &scratch, visitor);
    }

    Result<void> offer_sealed(const ScannedBatch& batch) {
        if (batch.header.control() || !range.open_sealed) return offer(batch);
        if (!wants(batch.header)) return {};
        TIDAL_ASSIGN(const std::string records, opener->open(batch.header, batch.payload));
        auto header = batch.header;
        header.payload_bytes = static_cast<std::uint32_t>(records.size());
        return visitor(header, records);
    }

    Result<void> begin_sealed(const std::string& path) {
        if (opener != nullptr || !range.open_sealed) return {};
        if (codec == nullptr)
            return Error(ErrorCode::kUnsupported,
                         "the records of a segment are sealed, and nobody here has the keys")
                .with("file", path);
        opener = codec->reader();
        return {};
    }

    Result<void> read_segment(runtime::Disk& disk, const Archive::Segment& segment) {
        if (segment.damage) return *segment.damage;
        const auto& info = segment.info;
        if (info.last < range.from || info.stamp_max < range.stamp_min) return {};
        if (behind_stamp_max.contains(info.key)) return {};
        if (info.sealed) TIDAL_TRY(begin_sealed(segment.path));
        TIDAL_ASSIGN(auto reader, SegmentReader::open(disk, segment.path));
        for (const auto& block : reader.blocks()) {
            if (block.last < range.from || block.stamp_max < range.stamp_min) continue;
            if (behind_stamp_max.contains(info.key)) break;
            TIDAL_ASSIGN(const auto plain, reader.read_block(block));
            TIDAL_TRY(scan(plain, 0, segment.path, block.offset, [&](const ScannedBatch& batch) {
                return info.sealed ? offer_sealed(batch) : offer(batch);
            }));
        }
        return {};
    }

    template <typename Offer>
    static Result<void> scan(std::string_view image, std::uint64_t begin, const std::string& path,
                             std::uint64_t image_offset, Offer offer) {
        BatchScanner scanner(image, begin);
        while (const auto batch = scanner.next()) TIDAL_TRY(offer(*batch));
        if (!scanner.damage()) return {};
        return Error(scanner.damage()->error)
            .with("file", path)
            .with("offset", image_offset + scanner.damage()->offset)
            .with_hint(
                "restore this node from a replica or a backup; tidalctl fsck lists all damage");
    }
};

Result<void> NodeLogImpl::read(const ReadRange& range, Visitor visitor) {
    // Files first: one that is sealed meanwhile is then in one of the lists at least.
    auto files = files_.holding(range.shard, range.from);
    const auto segments = archive_.segments(range.shard);
    Reader reader{range, visitor, options_.archive_codec, {}, {}, {}};
    std::map<ShardKey, LogIndex> archived;
    for (const auto& segment : segments) {
        auto& through = archived[segment->info.key];
        through = std::max(through, segment->info.last);
        TIDAL_TRY(reader.read_segment(runtime_.disk(), *segment));
    }
    std::string image;
    for (auto& view : files) {
        TIDAL_TRY(read_image(runtime_.disk(), view.file->path, view.end, &image));
        TIDAL_TRY(Reader::scan(
            image, kFileHeaderBytes, view.file->path, 0, [&](const ScannedBatch& batch) {
                const auto through = archived.find(key_of(batch.header));
                if (through != archived.end() && batch.header.last_index() <= through->second)
                    return Result<void>();
                return reader.offer(batch);
            }));
        view.file.reset();
    }
    return {};
}

void NodeLogImpl::seal() {
    {
        const std::lock_guard lock(mutex_);
        seal_posted_ = false;
    }
    const auto oldest = files_.oldest_covered();
    const auto done = [&]() -> Result<void> {
        if (oldest) TIDAL_TRY(seal_oldest(*oldest));
        const std::lock_guard lock(archiving_);
        if (holds_ > 0) return {};
        TIDAL_TRY(files_.remove_dropped());
        return oldest ? Result<void>() : archive_.enforce(runtime_.clock().wall_ms());
    }();
    if (done) {
        archive_trouble_.over();
        if (oldest) resume_sealing();  // The next one behind whoever waits for this thread.
        return;
    }
    if (done.error().code() == ErrorCode::kUnavailable) return wait_to_seal(done.error());
    if (done.error().code() == ErrorCode::kIo) return fail(done.error());
    // A full disk or a damaged file: the log keeps what could not be archived, and every checkpoint
    // tries again.
    archive_trouble_.note(done.error());
    const std::lock_guard lock(mutex_);
    ++stats_.archive_failures;
}

/// Whoever it waits for comes back. Meanwhile what is archived is not kept for longer, and where
/// much has gathered the log says so.
void NodeLogImpl::wait_to_seal(const Error& why) {
    constexpr std::uint64_t kFilesToldOf = 32;
    if (files_.count() > kFilesToldOf) archive_trouble_.note(why);
    const std::lock_guard lock(archiving_);
    if (holds_ > 0) return;
    auto kept = files_.remove_dropped();
    if (kept.ok()) kept = archive_.enforce(runtime_.clock().wall_ms());
    if (!kept.ok()) archive_trouble_.note(kept.error());
}

Result<void> NodeLogImpl::seal_oldest(const LogFiles::Sealable& oldest) {
    std::string image;
    TIDAL_TRY(read_image(runtime_.disk(), oldest.view.file->path, oldest.view.end, &image));
    TIDAL_ASSIGN(auto segments, archive_.seal(image, oldest.superseded));
    const std::lock_guard lock(archiving_);
    if (holds_ > 0) return Error(ErrorCode::kUnavailable, "somebody holds the files of the log");
    TIDAL_TRY(archive_.write(std::move(segments)));
    files_.drop_oldest();
    return {};
}

std::shared_ptr<const void> NodeLogImpl::hold_files() {
    const std::lock_guard lock(archiving_);
    ++holds_;
    return {this, [this](const void*) { release_files(); }};
}

void NodeLogImpl::release_files() {
    {
        const std::lock_guard lock(archiving_);
        --holds_;
    }
    resume_sealing();
}

}  // namespace tidal::wal
