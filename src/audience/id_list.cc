#include "audience/internal/id_list.h"

namespace tidal::audience {

std::size_t find_id(std::span<const CompactId> ids, const EntityId& id) {
    constexpr std::size_t kAtOnce = 8;
    std::size_t at = 0;
    if (!CompactId::fits(id)) {
        while (at < ids.size() && !(ids[at] == id)) ++at;
        return at;
    }
    // Without a branch between them: most lists are read to their end.
    const std::uint64_t word = id.number();
    for (; at + kAtOnce <= ids.size(); at += kAtOnce) {
        bool found = false;
        for (std::size_t i = 0; i < kAtOnce; ++i) found |= ids[at + i].word() == word;
        if (found) break;
    }
    while (at < ids.size() && ids[at].word() != word) ++at;
    return at;
}

}  // namespace tidal::audience
