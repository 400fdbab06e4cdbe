#include "wal/internal/archive.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <tuple>

#include "base/codec.h"
#include "wal/internal/batch_scanner.h"
#include "wal/internal/log_format.h"

namespace tidal::wal {
namespace {

constexpr std::string_view kTemporarySuffix = ".tmp";

/// The batches of one shard history in one file, up to what later ones supersede.
class LiveBatches {
public:
    Result<void> add(const ScannedBatch& batch) {
        TIDAL_TRY(drop_from(batch.header.first_index));
        batches_.push_back(batch);
        return {};
    }
    /// A batch that is superseded in part keeps its first records: readers take what the archive
    /// has for what the log said there.
    Result<void> drop_from(LogIndex index) {
        while (!batches_.empty() && batches_.back().header.first_index >= index)
            batches_.pop_back();
        if (batches_.empty() || batches_.back().header.last_index() < index) return {};
        return shorten(batches_.back(), index.value() - batches_.back().header.first_index.value());
    }
    const std::vector<ScannedBatch>& all() const { return batches_; }

private:
    Result<void> shorten(ScannedBatch& batch, std::uint64_t count) {
        std::string scratch;
        TIDAL_ASSIGN(const auto records,
                     unpack_payload(batch.header.codec, batch.payload, &scratch));
        Decoder in(records);
        for (std::uint64_t i = 0; i < count; ++i) in.bytes();
        if (in.failed()) return Error(ErrorCode::kCorruption, "a batch has too few records");
        batch.header.count = static_cast<std::uint32_t>(count);
        batch.header.codec = BatchCodec::kPlain;
        batch.header.payload_bytes = static_cast<std::uint32_t>(in.offset());
        std::string& bytes = made_.emplace_back();
        encode_batch(batch.header, records.substr(0, in.offset()), &bytes);
        batch.bytes = bytes;
        batch.payload = batch.bytes.substr(kBatchHeaderBytes);
        return {};
    }

    std::vector<ScannedBatch> batches_;
    std::deque<std::string> made_;  ///< Of shortened ones; the addresses hold.
};

Result<std::map<ShardKey, std::vector<ScannedBatch>>> batches_by_shard(std::string_view image) {
    std::map<ShardKey, std::vector<ScannedBatch>> batches;
    BatchScanner scanner(image, kFileHeaderBytes);
    while (const auto batch = scanner.next())
        if (batch->header.shard != kNodeShard) batches[key_of(batch->header)].push_back(*batch);
    if (!scanner.damage()) return batches;
    return Error(scanner.damage()->error).with("offset", scanner.damage()->offset);
}

}  // namespace

Result<void> Archive::open() {
    TIDAL_TRY(disk_.create_directories(directory_));
    TIDAL_ASSIGN(const auto names, disk_.list(directory_));
    std::map<std::string, SegmentPtr> found;
    for (const auto& name : names) {
        const auto path = join_path(directory_, name);
        if (name.ends_with(kTemporarySuffix)) {
            TIDAL_TRY(disk_.remove(path));
        } else if (const auto named = parse_segment_name(name)) {
            Segment segment{path, {}, {}};
            if (auto info = SegmentReader::read_info(disk_, path)) {
                segment.info = *info;
            } else {
                segment.info.key = {named->region, named->shard, Incarnation()};
                segment.info.first = named->first;
                segment.damage = info.take_error();
            }
            found[path] = std::make_shared<Segment>(std::move(segment));
        } else {
            return Error(ErrorCode::kIncompatible, "a file that does not belong to the archive")
                .with("file", path)
                .with_hint("move it elsewhere");
        }
    }
    const std::lock_guard lock(mutex_);
    segments_ = std::move(found);
    return {};
}

Result<std::vector<SegmentBuilder>> Archive::seal(std::string_view image,
                                                  const SupersededFrom& superseded) const {
    TIDAL_ASSIGN(const auto batches, batches_by_shard(image));
    std::vector<SegmentBuilder> segments;
    std::optional<Error> waits;
    for (const auto& [key, all] : batches) {
        LiveBatches live;
        for (const auto& batch : all) TIDAL_TRY(live.add(batch));
        if (const auto from = superseded.find(key); from != superseded.end())
            TIDAL_TRY(live.drop_from(from->second));
        if (live.all().empty()) continue;
        SegmentBuilder builder(key, codec_ != nullptr);
        auto filled = fill(live.all(), &builder);
        if (!filled.ok() && filled.error().code() != ErrorCode::kUnavailable)
            return filled.take_error();
        // All histories ask for what they wait for: those of different shards then wait together.
        if (filled.ok())
            segments.push_back(std::move(builder));
        else
            waits = filled.take_error();
    }
    if (waits) return std::move(*waits);
    return segments;
}

/// The records through the codec; what consensus says of itself as it is, in its place.
Result<void> Archive::fill(const std::vector<ScannedBatch>& batches,
                           SegmentBuilder* builder) const {
    std::deque<std::string> unpacked;
    std::vector<ArchiveCodec::Batch> records;
    for (const auto& batch : batches) {
        if (codec_ == nullptr || batch.header.control()) continue;
        TIDAL_ASSIGN(const auto payload,
                     unpack_payload(batch.header.codec, batch.payload, &unpacked.emplace_back()));
        records.push_back({batch.header, payload});
    }
    std::vector<ArchiveCodec::Sealed> sealed;
    if (!records.empty()) {
        auto done = codec_->seal(records);
        // What the codec cannot read is no trouble of the log's own disk.
        if (!done.ok() && done.error().code() == ErrorCode::kIo)
            return Error(ErrorCode::kInternal, "keys of the archive: " + done.error().to_string());
        TIDAL_ASSIGN(sealed, std::move(done));
    }
    auto next = sealed.begin();
    const auto add_sealed_before = [&](LogIndex end) {
        for (; next != sealed.end() && next->header.first_index < end; ++next) {
            next->header.codec = BatchCodec::kPlain;
            std::string bytes;
            encode_batch(next->header, next->payload, &bytes);
            builder->add(next->header, bytes);
        }
    };
    for (const auto& batch : batches) {
        if (codec_ != nullptr && !batch.header.control()) continue;
        add_sealed_before(batch.header.first_index);
        builder->add(batch.header, batch.bytes);
    }
    add_sealed_before(LogIndex(std::numeric_limits<std::uint64_t>::max()));
    return {};
}

Result<void> Archive::write(std::vector<SegmentBuilder> segments) {
    for (auto& segment : segments) TIDAL_TRY(write_segment(segment));
    return {};
}

Result<void> Archive::write_segment(SegmentBuilder& builder) {
    const auto bytes = builder.finish();
    const auto path = path_for(builder.info());
    TIDAL_TRY(runtime::write_file(disk_, path, bytes));
    auto segment = std::make_shared<Segment>(Segment{path, builder.info(), {}});
    const std::lock_guard lock(mutex_);
    segments_[path] = std::move(segment);
    return {};
}

std::string Archive::path_for(const SegmentInfo& info) const {
    const auto path = join_path(directory_, segment_name(info.key, info.first, false));
    const std::lock_guard lock(mutex_);
    const auto same = segments_.find(path);
    if (same == segments_.end() || same->second->info.key == info.key) return path;
    return join_path(directory_, segment_name(info.key, info.first, true));
}

Result<void> Archive::enforce(UnixMillis now_ms) {
    auto all = segments(std::nullopt);
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
        return std::tie(a->info.stamp_max, a->path) < std::tie(b->info.stamp_max, b->path);
    });
    auto bytes = size().bytes;
    bool removed = false;
    for (auto& segment : all) {
        // A damaged one has no stamp and waits for whoever looks into it.
        if (segment->damage) continue;
        const auto age_ms = now_ms - segment->info.stamp_max.wall_ms();
        if (age_ms <= limits_.age_max_ms && bytes <= limits_.bytes_max) break;
        const auto path = segment->path;
        const auto file_bytes = segment->info.file_bytes;
        segment.reset();
        {
            const std::lock_guard lock(mutex_);
            const auto found = segments_.find(path);
            if (found->second.use_count() > 1) continue;  // Being read: the next time.
            segments_.erase(found);
        }
        TIDAL_TRY(disk_.remove(path));
        bytes -= file_bytes;
        removed = true;
    }
    if (removed) TIDAL_TRY(disk_.sync_directory(directory_));
    return {};
}

std::vector<Archive::SegmentPtr> Archive::segments(std::optional<ShardId> shard) const {
    std::vector<SegmentPtr> found;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [path, segment] : segments_)
            if (!shard || segment->info.key.shard == *shard) found.push_back(segment);
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
        return std::tie(a->info.key, a->info.first) < std::tie(b->info.key, b->info.first);
    });
    return found;
}

Archive::Size Archive::size() const {
    const std::lock_guard lock(mutex_);
    Size size;
    for (const auto& [path, segment] : segments_) {
        ++size.segments;
        size.bytes += segment->info.file_bytes;
        size.damaged += segment->damage ? 1 : 0;
    }
    return size;
}

}  // namespace tidal::wal
