#include "text/internal/frontier.h"

#include <algorithm>

namespace tidal::text {

void Frontier::erase(std::size_t at) {
    std::copy(pairs_.begin() + static_cast<std::ptrdiff_t>(at) + 1, pairs_.begin() + size_,
              pairs_.begin() + static_cast<std::ptrdiff_t>(at));
    --size_;
}

void Frontier::add(Pair pair) {
    for (const Pair& each : pairs())
        if (each.frequency >= pair.frequency && each.length <= pair.length) return;
    for (std::size_t i = size_; i-- > 0;)
        if (pairs_[i].frequency <= pair.frequency && pairs_[i].length >= pair.length) erase(i);
    std::size_t at = size_;
    for (; at > 0 && pairs_[at - 1].frequency > pair.frequency; --at) pairs_[at] = pairs_[at - 1];
    pairs_[at] = pair;
    if (++size_ <= kPairsMax) return;
    // The two that lose least by becoming one.
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < size_; ++i)
        if (pairs_[i + 1].frequency - pairs_[i].frequency <
            pairs_[best + 1].frequency - pairs_[best].frequency)
            best = i;
    pairs_[best + 1].length = pairs_[best].length;
    erase(best);
}

}  // namespace tidal::text
