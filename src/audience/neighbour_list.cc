#include "audience/internal/neighbour_list.h"

#include "base/codec.h"
#include "base/detmath.h"
#include "record/id_codec.h"

namespace tidal::audience {
namespace {

double half_lives(UnixMillis span_ms) {
    return static_cast<double>(span_ms) / static_cast<double>(Neighbours::kHalfLifeMs);
}

}  // namespace

NeighbourList::NeighbourList(const Neighbours& neighbours)
    : at_ms_(neighbours.at_ms), events_(neighbours.events) {
    items_.reserve(neighbours.items.size());
    for (const Neighbour& each : neighbours.items) items_.push_back(each.item, each.weight);
}

Neighbours NeighbourList::value() const {
    Neighbours out{at_ms_, events_, {}};
    for (const std::uint32_t at : items_.order()) out.items.push_back({item(at), weight(at)});
    return out;
}

double NeighbourList::decay_to(UnixMillis now_ms) const {
    return now_ms <= at_ms_ ? 1 : detmath::exp2(-half_lives(now_ms - at_ms_));
}

/// By whole half-lives, so that no bit of a weight changes: a double holds 2^1000 of them.
void NeighbourList::move_landmark(UnixMillis now_ms) {
    const UnixMillis halvings = (now_ms - at_ms_) / Neighbours::kHalfLifeMs;
    const double factor = detmath::exp2(-static_cast<double>(halvings));
    at_ms_ += halvings * Neighbours::kHalfLifeMs;
    events_ *= factor;
    for (double& weight : items_.all_beside()) weight *= factor;
}

void NeighbourList::count(std::span<const EntityId> others, double likes, UnixMillis now_ms) {
    constexpr UnixMillis kLandmarkMsMax = 64 * Neighbours::kHalfLifeMs;
    if (events_ == 0 && items_.size() == 0) at_ms_ = now_ms;
    if (now_ms - at_ms_ > kLandmarkMsMax) move_landmark(now_ms);
    const double weight = detmath::exp2(half_lives(now_ms - at_ms_));
    events_ += likes * weight;
    for (const EntityId& other : others) add(other, weight);
}

void NeighbourList::add(const EntityId& other, double weight) {
    const std::size_t found = items_.find(other);
    if (found < items_.size()) {
        items_.beside(found) += weight;
        return;
    }
    items_.push_back(other, weight);
    if (items_.size() > Neighbours::kEach) drop_lightest();
}

/// Of equal ones that with the smallest id goes.
void NeighbourList::drop_lightest() {
    std::size_t lightest = 0;
    const auto ids = items_.ids();
    for (std::size_t i = 1; i < items_.size(); ++i) {
        if (weight(i) > weight(lightest)) continue;
        if (weight(i) < weight(lightest) || ids[i] < ids[lightest]) lightest = i;
    }
    items_.erase_unordered(lightest);
}

std::string NeighbourList::encode() const {
    Encoder out;
    out.u8(kNeighboursVersion);
    out.svarint(at_ms_);
    out.f64(events_);
    out.varint(items_.size());
    for (const std::uint32_t at : items_.order()) {
        record::encode_optional_id(item(at), &out);
        out.f64(weight(at));
    }
    return out.take();
}

}  // namespace tidal::audience
