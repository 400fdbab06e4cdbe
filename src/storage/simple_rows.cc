// The row engine of the simulation: a sorted map in memory, its changes in one log file.
//
//     CURRENT             which log, and how many of its bytes count (docs/formats/rows.md)
//     rows-<number>.log   frames of changes; the first frame of a log holds every row
//
// A commit appends a frame, syncs it, and then replaces CURRENT: bytes that CURRENT does not cover
// never count, so a torn append is not mistaken for damage, nor damage for a torn append.
#include <absl/container/btree_map.h>

#include <algorithm>
#include <mutex>

#include "storage/internal/simple_log.h"
#include "storage/row_engine.h"

namespace tidal::storage {
namespace {

using internal::SimpleLogHead;
using Map = absl::btree_map<std::string, std::string, std::less<>>;

// A log is written anew when it is this much larger than the rows in it.
constexpr std::uint64_t kLogBytesMin = 64 * 1024;
constexpr std::uint64_t kLogFactorMax = 4;

class SimpleRows final : public RowEngine {
public:
    SimpleRows(runtime::Disk& disk, std::string_view directory)
        : disk_(disk), directory_(directory) {}

    Result<void> load();
    Result<std::optional<std::string>> get(std::string_view key) override;
    Result<void> scan(std::string_view begin, std::string_view end, Visitor visitor) override;
    Result<void> commit(Source& sorted) override;
    Result<void> settle() override;
    Result<void> verify() override;

private:
    std::string log_path(std::uint32_t number) const {
        return directory_ + "/" + internal::simple_log_name(number);
    }
    Result<void> settle_locked();
    Result<void> rewrite();
    Result<void> append(std::string_view frame);
    Result<void> publish(const SimpleLogHead& head);
    Result<void> remove_leftovers();
    std::shared_ptr<Map> changeable_map();

    runtime::Disk& disk_;
    const std::string directory_;
    std::mutex mutex_;
    // Guarded by mutex_.
    std::shared_ptr<Map> map_ = std::make_shared<Map>();  ///< Shared with scans under way.
    std::uint64_t map_bytes_ = 0;
    SimpleLogHead head_;             ///< As CURRENT says; number 0 = no log yet.
    std::uint32_t number_last_ = 0;  ///< No log number is used twice.
    bool in_doubt_ = false;          ///< CURRENT may be another than head_ after a crash.
    std::unique_ptr<runtime::File> log_;
};

Result<void> SimpleRows::load() {
    TIDAL_TRY(disk_.create_directories(directory_));
    // What we are about to believe must not be taken back by a later crash.
    TIDAL_TRY(disk_.sync_directory(directory_));
    const std::string current = directory_ + "/CURRENT";
    TIDAL_ASSIGN(const bool exists, disk_.exists(current));
    if (exists) {
        TIDAL_ASSIGN(const std::string bytes, runtime::read_file(disk_, current));
        auto head = internal::decode_simple_head(bytes);
        if (!head) return head.take_error().with("file", current);
        head_ = *head;
        number_last_ = head_.number;
        const std::string path = log_path(head_.number);
        TIDAL_ASSIGN(log_, disk_.open(path, runtime::OpenMode::kReadWrite));
        TIDAL_TRY(internal::read_simple_log(
            *log_, path, head_, [&](std::string_view key, std::optional<std::string_view> value) {
                if (value)
                    (*map_)[std::string(key)] = *value;
                else
                    map_->erase(key);
            }));
    }
    for (const auto& [key, value] : *map_) map_bytes_ += key.size() + value.size();
    return remove_leftovers();
}

Result<void> SimpleRows::remove_leftovers() {
    TIDAL_ASSIGN(const auto names, disk_.list(directory_));
    for (const std::string& name : names) {
        const auto number = internal::parse_simple_log_name(name);
        if (number == head_.number && number != 0) continue;
        if (number == 0 && name != "CURRENT.tmp") continue;
        number_last_ = std::max(number_last_, number);
        TIDAL_TRY(disk_.remove(directory_ + "/" + name));
    }
    return {};
}

Result<std::optional<std::string>> SimpleRows::get(std::string_view key) {
    const std::lock_guard lock(mutex_);
    const auto it = map_->find(key);
    if (it == map_->end()) return std::optional<std::string>();
    return std::optional(it->second);
}

Result<void> SimpleRows::scan(std::string_view begin, std::string_view end, Visitor visitor) {
    std::shared_ptr<const Map> map;
    {
        const std::lock_guard lock(mutex_);
        map = map_;
    }
    for (auto it = map->lower_bound(begin); it != map->end(); ++it) {
        if (!end.empty() && it->first >= end) break;
        if (!visitor(it->first, it->second)) break;
    }
    return {};
}

std::shared_ptr<Map> SimpleRows::changeable_map() {
    if (map_.use_count() > 1) map_ = std::make_shared<Map>(*map_);
    return map_;
}

Result<void> SimpleRows::commit(Source& sorted) {
    TIDAL_TRY(settle());
    internal::SimpleFrame frame;
    std::vector<Change> changes;
    std::string_view key;
    std::optional<std::string_view> value;
    while (sorted.next(key, value)) {
        frame.add(key, value);
        changes.push_back(
            {std::string(key), value ? std::optional<std::string>(*value) : std::nullopt});
    }
    TIDAL_TRY(sorted.finish());
    if (changes.empty()) return {};
    // Not before: the source may read rows.
    const std::lock_guard lock(mutex_);
    TIDAL_TRY(settle_locked());
    if (head_.number == 0) TIDAL_TRY(rewrite());
    TIDAL_TRY(append(frame.finish()));

    auto& map = *changeable_map();
    for (Change& change : changes) {
        auto [it, inserted] = map.try_emplace(std::move(change.key));
        if (!inserted) map_bytes_ -= it->first.size() + it->second.size();
        if (change.value) {
            it->second = std::move(*change.value);
            map_bytes_ += it->first.size() + it->second.size();
        } else {
            map.erase(it);
        }
    }
    // The commit stands whether or not this works.
    if (head_.bytes > kLogBytesMin && head_.bytes > kLogFactorMax * map_bytes_)
        if (auto rewritten = rewrite(); !rewritten) return {};
    return {};
}

Result<void> SimpleRows::append(std::string_view frame) {
    SimpleLogHead head = head_;
    // A refused write leaves bytes beyond the end that counts: harmless. A refused sync leaves
    // sectors nobody can vouch for: the log is left behind.
    auto written = log_->write_at(head.bytes, frame);
    if (!written) {
        if (written.error().code() != ErrorCode::kDiskFull) in_doubt_ = true;
        return written;
    }
    if (auto synced = log_->sync(); !synced) {
        in_doubt_ = true;
        return synced;
    }
    head.bytes += frame.size();
    return publish(head);
}

Result<void> SimpleRows::publish(const SimpleLogHead& head) {
    const auto written =
        runtime::write_file(disk_, directory_ + "/CURRENT", internal::encode_simple_head(head));
    if (!written) {
        in_doubt_ = true;
        return written;
    }
    head_ = head;
    return {};
}

Result<void> SimpleRows::settle() {
    const std::lock_guard lock(mutex_);
    return settle_locked();
}

Result<void> SimpleRows::settle_locked() {
    if (!in_doubt_) return {};
    return rewrite();
}

Result<void> SimpleRows::rewrite() {
    internal::SimpleFrame frame;
    for (const auto& [key, value] : *map_) frame.add(key, value);
    const std::string bytes = internal::simple_log_magic() + frame.finish();
    const std::uint32_t number = ++number_last_;
    const std::string path = log_path(number);
    TIDAL_ASSIGN(auto log, disk_.open(path, runtime::OpenMode::kCreate));
    auto made = log->write_at(0, bytes);
    if (made) made = log->sync();
    if (made) made = disk_.sync_directory(directory_);
    if (!made) {
        if (auto removed = disk_.remove(path); !removed) return made;  // The next open removes it.
        return made;
    }
    const std::uint32_t old = head_.number;
    TIDAL_TRY(publish({number, bytes.size()}));
    log_ = std::move(log);
    in_doubt_ = false;
    if (old != 0)
        if (auto removed = disk_.remove(log_path(old)); !removed) return {};
    return {};
}

Result<void> SimpleRows::verify() {
    const std::lock_guard lock(mutex_);
    if (head_.number == 0) return {};
    return internal::read_simple_log(*log_, log_path(head_.number), head_,
                                     [](std::string_view, std::optional<std::string_view>) {});
}

}  // namespace

Result<std::unique_ptr<RowEngine>> open_simple_rows(runtime::Disk& disk,
                                                    std::string_view directory) {
    auto rows = std::make_unique<SimpleRows>(disk, directory);
    TIDAL_TRY(rows->load());
    return std::unique_ptr<RowEngine>(std::move(rows));
}

}  // namespace tidal::storage
