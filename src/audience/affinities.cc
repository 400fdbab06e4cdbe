#include "audience/internal/affinities.h"

#include <algorithm>
#include <cmath>

#include "base/detmath.h"
#include "record/id_codec.h"

namespace tidal::audience {
namespace {

double halved(double weight, UnixMillis span_ms) {
    return weight * detmath::exp2(-static_cast<double>(span_ms) /
                                  static_cast<double>(Affinity::kHalfLifeMs));
}

}  // namespace

double Affinity::weight_at(UnixMillis now_ms) const {
    return halved(weight, std::max(now_ms, at_ms) - at_ms);
}

Affinities::Affinities(const std::vector<Affinity>& each) {
    creators_.reserve(each.size());
    weights_.reserve(IdList::room_for(each.size()));
    for (const Affinity& one : each) {
        creators_.insert(creators_.size(), one.creator);
        weights_.push_back({one.weight, one.at_ms});
    }
}

std::vector<Affinity> Affinities::by_id() const {
    std::vector<Affinity> out;
    out.reserve(creators_.size());
    for (const std::uint32_t at : creators_.order())
        out.push_back({creators_[at].id(), weights_[at].weight, weights_[at].at_ms});
    return out;
}

void Affinities::add(const EntityId& creator, double weight, UnixMillis at_ms) {
    const std::size_t found = creators_.find(creator);
    if (found == creators_.size()) {
        creators_.insert(found, creator);
        IdList::append(&weights_, {0, at_ms});
    }
    Weight& sum = weights_[found];
    if (at_ms >= sum.at_ms) {
        sum.weight = halved(sum.weight, at_ms - sum.at_ms) + weight;
        sum.at_ms = at_ms;
    } else {
        sum.weight += halved(weight, sum.at_ms - at_ms);
    }
    // A factor of 2^(months apart) may leave what a double holds.
    if (!std::isfinite(sum.weight)) sum.weight = 0;
    if (creators_.size() > kMax) drop_lightest(at_ms);
}

/// Of equal ones that with the smallest id goes.
void Affinities::drop_lightest(UnixMillis at_ms) {
    const auto magnitude = [&](std::size_t at) {
        return std::abs(halved(weights_[at].weight, at_ms - weights_[at].at_ms));
    };
    std::size_t lightest = 0;
    double least = magnitude(0);
    for (std::size_t i = 1; i < creators_.size(); ++i) {
        const double each = magnitude(i);
        if (each > least || (each == least && creators_[lightest] < creators_[i])) continue;
        lightest = i;
        least = each;
    }
    creators_.erase_unordered(lightest);
    weights_[lightest] = weights_.back();
    weights_.pop_back();
}

void Affinities::clear() {
    creators_ = {};
    weights_ = {};
}

double Affinities::weight(const EntityId& creator, UnixMillis now_ms) const {
    const std::size_t at = creators_.find(creator);
    if (at == creators_.size()) return 0;
    return halved(weights_[at].weight, std::max(now_ms, weights_[at].at_ms) - weights_[at].at_ms);
}

void Affinities::encode(Encoder* out) const {
    out->varint(creators_.size());
    for (const std::uint32_t at : creators_.order()) {
        record::encode_optional_id(creators_[at].id(), out);
        out->f64(weights_[at].weight);
        out->svarint(weights_[at].at_ms);
    }
}

std::uint64_t Affinities::bytes() const {
    return creators_.bytes() + IdList::room_for(weights_.size()) * sizeof(Weight);
}

}  // namespace tidal::audience
