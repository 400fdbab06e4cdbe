#include "wal/internal/log_files.h"

#include <algorithm>
#include <cassert>

namespace tidal::wal {

void LogFiles::add(std::uint64_t sequence, std::uint64_t end, ShardRanges ranges) {
    auto file =
        std::make_shared<File>(File{sequence, join_path(directory_, log_file_name(sequence))});
    const std::lock_guard lock(mutex_);
    assert(entries_.empty() || entries_.back().file->sequence + 1 == sequence);
    entries_.push_back({std::move(file), end, std::move(ranges)});
}

void LogFiles::publish(std::uint64_t end, const ShardRanges& ranges) {
    const std::lock_guard lock(mutex_);
    auto& current = entries_.back();
    current.end = end;
    for (const auto& [key, added] : ranges) {
        auto [found, inserted] = current.ranges.try_emplace(key, added);
        if (inserted) continue;
        found->second.first = std::min(found->second.first, added.first);
        found->second.last = std::max(found->second.last, added.last);
        found->second.batches += added.batches;
    }
}

LogPosition LogFiles::durable() const {
    const std::lock_guard lock(mutex_);
    return {entries_.back().file->sequence, entries_.back().end};
}

std::uint64_t LogFiles::count() const {
    const std::lock_guard lock(mutex_);
    return entries_.size() + dropped_.size();
}

std::vector<LogFiles::View> LogFiles::holding(ShardId shard, LogIndex from) const {
    const std::lock_guard lock(mutex_);
    std::vector<View> views;
    for (const auto& entry : entries_) {
        const bool holds =
            std::any_of(entry.ranges.begin(), entry.ranges.end(), [&](const auto& range) {
                return range.first.shard == shard && range.second.last >= from;
            });
        if (holds) views.push_back({entry.file, entry.end});
    }
    return views;
}

void LogFiles::cover(ShardId shard, Incarnation incarnation, LogIndex index) {
    const std::lock_guard lock(mutex_);
    auto& covered = covered_[shard];
    covered = std::max(covered, Covered{incarnation, index});
}

bool LogFiles::is_covered_locked(const ShardRanges::value_type& range) const {
    const auto covered = covered_.find(range.first.shard);
    return covered != covered_.end() &&
           Covered{range.first.incarnation, range.second.last} <= covered->second;
}

bool LogFiles::is_covered_locked(const Entry& entry) const {
    return std::all_of(entry.ranges.begin(), entry.ranges.end(),
                       [&](const auto& range) { return is_covered_locked(range); });
}

std::uint64_t LogFiles::bytes_pinned(ShardId shard) const {
    const std::lock_guard lock(mutex_);
    std::uint64_t bytes = 0;
    for (const auto& entry : entries_) {
        const bool pinned =
            bytes > 0 ||
            std::any_of(entry.ranges.begin(), entry.ranges.end(), [&](const auto& range) {
                return range.first.shard == shard && !is_covered_locked(range);
            });
        if (pinned) bytes += entry.end;
    }
    return bytes;
}

std::optional<LogFiles::Sealable> LogFiles::oldest_covered() const {
    const std::lock_guard lock(mutex_);
    if (entries_.size() < 2 || !is_covered_locked(entries_.front())) return std::nullopt;
    const auto& oldest = entries_.front();
    Sealable sealable{{oldest.file, oldest.end}, {}};
    for (auto later = entries_.begin() + 1; later != entries_.end(); ++later)
        for (const auto& [key, range] : later->ranges) {
            auto [found, inserted] = sealable.superseded.try_emplace(key, range.first);
            if (!inserted) found->second = std::min(found->second, range.first);
        }
    return sealable;
}

void LogFiles::drop_oldest() {
    const std::lock_guard lock(mutex_);
    assert(entries_.size() >= 2);
    dropped_.push_back(std::move(entries_.front().file));
    entries_.pop_front();
}

Result<void> LogFiles::remove_dropped() {
    for (;;) {
        std::string path;
        {
            const std::lock_guard lock(mutex_);
            // Nobody but readers that came before the drop can hold it.
            if (dropped_.empty() || dropped_.front().use_count() > 1) return {};
            path = dropped_.front()->path;
        }
        TIDAL_TRY(disk_.remove(path));
        TIDAL_TRY(disk_.sync_directory(directory_));
        const std::lock_guard lock(mutex_);
        dropped_.pop_front();
    }
}

}  // namespace tidal::wal
