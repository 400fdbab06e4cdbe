#include "wal/node_log.h"

#include "wal/internal/node_log_impl.h"
#include "wal/internal/zstd.h"

namespace tidal::wal {
namespace {

constexpr int kPayloadCompressionLevel = 1;
constexpr std::uint64_t kFileBytesMin = 4096;

Result<void> check_options(const LogOptions& options) {
    if (options.file_bytes < kFileBytesMin || options.file_bytes > kLogFileBytes ||
        options.file_bytes % kSectorBytes != 0)
        return Error(ErrorCode::kInvalidArgument, "file_bytes of the log is out of range")
            .with("file_bytes", options.file_bytes)
            .with_hint("a multiple of 512 from 4096 to 16777216");
    return {};
}

}  // namespace

Result<std::unique_ptr<NodeLog>> NodeLog::open(runtime::Runtime& runtime, const LogOptions& options,
                                               Visitor visitor) {
    TIDAL_TRY(check_options(options));
    auto log = std::make_unique<NodeLogImpl>(runtime, options);
    TIDAL_TRY(log->start(visitor));
    return std::unique_ptr<NodeLog>(std::move(log));
}

NodeLogImpl::NodeLogImpl(runtime::Runtime& runtime, const LogOptions& options)
    : runtime_(runtime),
      options_(options),
      archive_(runtime.disk(), options.archive_directory,
               {options.archive_bytes_max, options.archive_age_max_ms}, options.archive_codec),
      files_(runtime.disk(), options.directory),
      preparer_(runtime.disk(), options.directory, options.file_bytes),
      no_room_to_write_(options.logger, "no space left to write the log; writes are refused",
                        "the log has space again; writes are accepted"),
      no_room_for_file_(options.logger, "no space left for the next log file; writes are refused",
                        "the next log file has space again; writes are accepted"),
      archive_trouble_(options.logger, "log files cannot be moved to the archive and stay",
                       "log files go to the archive again") {}

NodeLogImpl::~NodeLogImpl() {
    if (log_executor_) log_executor_->stop();
    if (files_executor_) files_executor_->stop();
    if (next_executor_) next_executor_->stop();
}

Result<void> NodeLogImpl::start(Visitor& visitor) {
    auto& disk = runtime_.disk();
    TIDAL_TRY(disk.create_directories(options_.directory));
    TIDAL_TRY(archive_.open());
    TIDAL_ASSIGN(auto log, Recovery(disk, options_, visitor).run());
    stats_.cut_bytes = log.cut_bytes;
    for (auto& file : log.files) files_.add(file.sequence, file.end, std::move(file.ranges));
    const auto open_file = [&](std::uint64_t sequence) {
        return disk.open(join_path(options_.directory, log_file_name(sequence)),
                         runtime::OpenMode::kReadWrite);
    };
    if (log.prepared) {
        TIDAL_ASSIGN(auto file, open_file(*log.prepared));
        preparer_.adopt(std::move(file));
    }
    if (log.files.empty()) {
        const auto sequence = log.prepared.value_or(1);
        if (!log.prepared) preparer_.make(sequence);
        TIDAL_ASSIGN(auto file, preparer_.take());
        writer_.resume(std::move(file), sequence, options_.file_bytes, 0);
        files_.add(sequence, 0, {});
    } else {
        const auto& last = log.files.back();
        TIDAL_ASSIGN(auto file, open_file(last.sequence));
        writer_.resume(std::move(file), last.sequence, last.file_bytes, last.end);
    }
    log_executor_ = runtime_.executors().create_executor("wal");
    files_executor_ = runtime_.executors().create_executor("wal-files");
    next_executor_ = runtime_.executors().create_executor("wal-next");
    return {};
}

Result<void> NodeLogImpl::check(const PendingBatch& batch) const {
    const auto& header = batch.header;
    const auto payload_max = std::min<std::uint64_t>(
        kBatchPayloadBytesMax, options_.file_bytes - kFileHeaderBytes - kBatchHeaderBytes);
    if (header.count == 0 || header.first_index.value() == 0)
        return Error(ErrorCode::kInvalidArgument, "a batch without records or before index 1")
            .with("shard", header.shard.value());
    if (batch.payload.size() > payload_max)
        return Error(ErrorCode::kTooLarge, "the payload of a batch is too large")
            .with("bytes", batch.payload.size())
            .with("bytes_max", payload_max);
    return {};
}

/// On the caller's thread: the one that writes is the one that everybody waits for.
void NodeLogImpl::pack(Item& item) const {
    const auto min = options_.compress_payload_bytes_min;
    if (min == 0 || item.batch.payload.size() < min) return;
    auto packed = zstd_pack(item.batch.payload, kPayloadCompressionLevel);
    if (packed.size() >= item.batch.payload.size()) return;
    item.batch.payload = std::move(packed);
    item.packed = true;
}

Result<void> NodeLogImpl::append(PendingBatch batch) {
    TIDAL_TRY(check(batch));
    Item item{std::move(batch)};
    pack(item);
    {
        const std::lock_guard lock(mutex_);
        if (stopped_ || dead_)
            return Error(ErrorCode::kUnavailable,
                         stopped_ ? "the log is stopped" : "the log is dead");
        if (queue_bytes_ + item.bytes() > options_.queue_bytes_max)
            return Error(ErrorCode::kOverloaded, "the queue of the log is full")
                .with("queue_bytes_max", options_.queue_bytes_max);
        queue_bytes_ += item.bytes();
        queue_.push_back(std::move(item));
        if (flush_posted_) return {};
        flush_posted_ = true;
    }
    log_executor_->post([this] { flush(); });
    return {};
}

void NodeLogImpl::checkpointed(ShardId shard, Incarnation incarnation, LogIndex index) {
    files_.cover(shard, incarnation, index);
    resume_sealing();
}

void NodeLogImpl::resume_sealing() {
    {
        const std::lock_guard lock(mutex_);
        if (stopped_ || seal_posted_) return;
        seal_posted_ = true;
    }
    files_executor_->post([this] { seal(); });
}

LogStats NodeLogImpl::stats() {
    const auto archive = archive_.size();
    const std::lock_guard lock(mutex_);
    auto stats = stats_;
    stats.files = files_.count();
    stats.durable = files_.durable();
    stats.queue_bytes = queue_bytes_;
    stats.archive_segments = archive.segments;
    stats.archive_bytes = archive.bytes;
    stats.archive_damaged = archive.damaged;
    return stats;
}

void NodeLogImpl::stop() {
    {
        const std::lock_guard lock(mutex_);
        if (stopped_) return;
        stopped_ = true;
    }
    log_executor_->stop();
    files_executor_->stop();
    next_executor_->stop();
    draining_ = true;
    flush();
}

}  // namespace tidal::wal
