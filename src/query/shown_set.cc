#include "query/shown_set.h"

#include "base/hash.h"

namespace tidal::query {

ShortHash short_hash(const EntityId& id) {
    constexpr ShortHash kMask = (ShortHash{1} << (8 * kShortHashBytes)) - 1;
    if (id.is_text()) return hash64(id.text()) & kMask;
    const std::uint64_t number = id.number();
    return hash64(std::string_view(reinterpret_cast<const char*>(&number), sizeof number)) & kMask;
}

void ShownStore::drop_old(std::uint64_t clock_ms) {
    while (!lists_.empty() &&
           (lists_.front().until_ms <= clock_ms || lists_.size() > options_.lists_max))
        lists_.pop_front();
}

std::uint64_t ShownStore::put(ShownList list, std::uint64_t clock_ms) {
    const std::lock_guard lock(mutex_);
    lists_.push_back({next_handle_, clock_ms + options_.keep_ms, std::move(list)});
    drop_old(clock_ms);
    return next_handle_++;
}

std::optional<ShownList> ShownStore::get(std::uint64_t handle, std::uint64_t clock_ms) {
    const std::lock_guard lock(mutex_);
    drop_old(clock_ms);
    if (lists_.empty()) return std::nullopt;
    const std::uint64_t at = handle - lists_.front().handle;
    if (at >= lists_.size()) return std::nullopt;
    return lists_[at].list;
}

}  // namespace tidal::query
