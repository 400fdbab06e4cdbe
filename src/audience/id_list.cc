#include "audience/internal/id_list.h"

#include <numeric>

namespace tidal::audience {

std::size_t IdList::find(const EntityId& id) const {
    const std::size_t size = ids_.size();
    std::size_t at = 0;
    if (!CompactId::fits(id)) {
        while (at < size && !(ids_[at] == id)) ++at;
        return at;
    }
    // Eight at once without a branch between them: most lists are read to their end.
    const std::uint64_t word = id.number();
    for (; at + kStep <= size; at += kStep) {
        bool found = false;
        for (std::size_t i = 0; i < kStep; ++i) found |= ids_[at + i].word() == word;
        if (found) break;
    }
    while (at < size && ids_[at].word() != word) ++at;
    return at;
}

void IdList::insert(std::size_t at, const EntityId& id) {
    append(&ids_, CompactId(id));
    heap_bytes_ += ids_.back().heap_bytes();
    std::rotate(ids_.begin() + static_cast<std::ptrdiff_t>(at), ids_.end() - 1, ids_.end());
}

void IdList::erase(std::size_t at) {
    heap_bytes_ -= ids_[at].heap_bytes();
    ids_.erase(ids_.begin() + static_cast<std::ptrdiff_t>(at));
}

void IdList::erase_unordered(std::size_t at) {
    std::swap(ids_[at], ids_.back());
    erase(ids_.size() - 1);
}

std::vector<std::uint32_t> IdList::order() const {
    std::vector<std::uint32_t> out(ids_.size());
    std::iota(out.begin(), out.end(), 0U);
    std::sort(out.begin(), out.end(),
              [&](std::uint32_t a, std::uint32_t b) { return ids_[a] < ids_[b]; });
    return out;
}

}  // namespace tidal::audience
