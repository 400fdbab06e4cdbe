// The writing half of the log: everything that runs on its executor.
#include <cassert>

#include "wal/internal/node_log_impl.h"

namespace tidal::wal {
namespace {

constexpr std::uint64_t kScrubRetryNs = 100'000'000;

}  // namespace

void NodeLogImpl::flush() {
    take_queue();
    if (dead_) return pending_.clear();
    if (scrubbing_ && !scrub()) return;
    while (!pending_.empty() && write_group()) {
        if (!pending_.empty() && !roll()) return;
    }
}

void NodeLogImpl::take_queue() {
    std::vector<Item> taken;
    {
        const std::lock_guard lock(mutex_);
        taken.swap(queue_);
        flush_posted_ = false;
    }
    for (auto& item : taken) pending_.push_back(std::move(item));
}

bool NodeLogImpl::write_group() {
    const auto before = writer_.end();
    auto filled = fill();
    if (!filled) {
        if (filled.error().code() != ErrorCode::kDiskFull) return fail(filled.error()), false;
        no_room_to_write_.note(filled.error());
        scrubbing_ = filled.take_error();
        return scrub();
    }
    if (writer_.end() != before && !sync_group(before)) return false;
    prepare_ahead();
    acknowledge(*filled);
    return true;
}

bool NodeLogImpl::sync_group(const LogPosition& before) {
    if (auto synced = writer_.sync(); !synced) return fail(synced.error()), false;
    no_room_to_write_.over();
    files_.publish(writer_.end().offset, group_ranges_);
    group_ranges_.clear();
    const std::lock_guard lock(mutex_);
    ++stats_.syncs;
    stats_.bytes_appended += writer_.end().offset - before.offset;
    return true;
}

Result<std::size_t> NodeLogImpl::fill() {
    std::size_t count = 0;
    for (auto& item : pending_) {
        auto& header = item.batch.header;
        if (!refused_from_.empty() && is_behind_refused(header)) {
            item.refused = true;
        } else {
            if (!writer_.fits(item.batch.payload.size())) break;
            header.version = kBatchVersion;
            header.codec = item.packed ? BatchCodec::kZstd : BatchCodec::kPlain;
            TIDAL_TRY(writer_.put(header, item.batch.payload));
            group_ranges_[key_of(header)].add(header);
        }
        ++count;
    }
    TIDAL_TRY(writer_.write());
    return count;
}

bool NodeLogImpl::is_behind_refused(const BatchHeader& header) {
    const auto refused = refused_from_.find(key_of(header));
    if (refused == refused_from_.end()) return false;
    if (header.first_index > refused->second) return true;
    refused_from_.erase(refused);
    return false;
}

void NodeLogImpl::acknowledge(std::size_t count) {
    std::vector<Item> done;
    done.reserve(count);
    std::uint64_t bytes = 0;
    std::uint64_t refused = 0;
    for (; count > 0; --count) {
        bytes += pending_.front().bytes();
        refused += pending_.front().refused ? 1 : 0;
        done.push_back(std::move(pending_.front()));
        pending_.pop_front();
    }
    {
        const std::lock_guard lock(mutex_);
        queue_bytes_ -= bytes;
        stats_.batches += done.size() - refused;
        stats_.refused_disk_full += refused;
    }
    for (auto& item : done) {
        if (!item.batch.on_durable) continue;
        if (item.refused)
            item.batch.on_durable(
                Error(ErrorCode::kDiskFull, "an earlier batch of this shard found no space")
                    .with("shard", item.batch.header.shard.value()));
        else
            item.batch.on_durable({});
    }
}

void NodeLogImpl::prepare_ahead() {
    const auto end = writer_.end();
    if (draining_ || end.offset < options_.file_bytes / 2) return;
    if (preparer_.state() != FilePreparer::State::kIdle) return;
    preparer_.request(end.file + 1, *next_executor_, [this] { post_flush(); });
}

bool NodeLogImpl::roll() {
    using State = FilePreparer::State;
    const auto sequence = writer_.end().file + 1;
    if (draining_ && preparer_.state() != State::kReady) {
        preparer_.make(sequence);
        waiting_for_file_ = true;
    }
    switch (preparer_.state()) {
        case State::kReady:
            return next_file();
        case State::kMaking:
            waiting_for_file_ = true;
            return false;
        case State::kFailed:
            if (auto failed = preparer_.take();
                waiting_for_file_ || failed.error().code() != ErrorCode::kDiskFull) {
                no_room_for_file_.note(failed.error());
                return refuse_pending(failed.error()), false;
            }
            break;  // An attempt made ahead, maybe long ago: there may be space now.
        case State::kIdle:
            break;
    }
    waiting_for_file_ = true;
    preparer_.request(sequence, *next_executor_, [this] { post_flush(); });
    return false;
}

bool NodeLogImpl::next_file() {
    auto file = preparer_.take();
    assert(file.ok());
    no_room_for_file_.over();
    waiting_for_file_ = false;
    const auto sequence = writer_.end().file + 1;
    writer_.start(std::move(*file), sequence, options_.file_bytes);
    files_.add(sequence, 0, {});
    return true;
}

bool NodeLogImpl::scrub() {
    group_ranges_.clear();
    if (auto scrubbed = writer_.scrub(); !scrubbed) {
        if (scrubbed.error().code() != ErrorCode::kDiskFull) return fail(scrubbed.error()), false;
        // Until it succeeds nobody can be told that their batch is not in the log.
        if (!draining_) log_executor_->post_after(kScrubRetryNs, [this] { flush(); });
        return false;
    }
    const auto error = std::move(*scrubbing_);
    scrubbing_.reset();
    refuse_pending(error);
    return false;
}

void NodeLogImpl::refuse_pending(const Error& error) {
    waiting_for_file_ = false;
    if (error.code() != ErrorCode::kDiskFull) return fail(error);
    std::deque<Item> refused;
    refused.swap(pending_);
    std::uint64_t bytes = 0;
    for (const auto& item : refused) {
        bytes += item.bytes();
        const auto& header = item.batch.header;
        auto [from, inserted] = refused_from_.try_emplace(key_of(header), header.first_index);
        if (!inserted) from->second = std::min(from->second, header.first_index);
    }
    {
        const std::lock_guard lock(mutex_);
        queue_bytes_ -= bytes;
        stats_.refused_disk_full += refused.size();
    }
    for (auto& item : refused)
        if (item.batch.on_durable) item.batch.on_durable(error);
}

void NodeLogImpl::post_flush() {
    {
        const std::lock_guard lock(mutex_);
        if (flush_posted_) return;
        flush_posted_ = true;
    }
    log_executor_->post([this] { flush(); });
}

void NodeLogImpl::fail(const Error& error) {
    dead_ = true;  // The next flush() drops what is pending.
    runtime_.fatal(error);
}

}  // namespace tidal::wal
