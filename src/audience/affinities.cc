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
    for (const Affinity& one : each) creators_.push_back(one.creator, {one.weight, one.at_ms});
}

std::vector<Affinity> Affinities::by_id() const {
    std::vector<Affinity> out;
    out.reserve(creators_.size());
    for (const std::uint32_t at : creators_.order())
        out.push_back(
            {creators_.ids()[at].id(), creators_.beside(at).weight, creators_.beside(at).at_ms});
    return out;
}

void Affinities::add(const EntityId& creator, double weight, UnixMillis at_ms) {
    const std::size_t found = creators_.find(creator);
    if (found == creators_.size()) creators_.push_back(creator, {0, at_ms});
    Weight& sum = creators_.beside(found);
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

void Affinities::take_back(const EntityId& creator, double weight, UnixMillis at_ms) {
    const std::size_t found = creators_.find(creator);
    if (found == creators_.size()) return;
    const Weight before = creators_.beside(found);
    const bool liked = before.weight > 0, adds = weight > 0;
    if (before.weight == 0 || liked == adds) return;
    add(creator, weight, at_ms);
    Weight& sum = creators_.beside(found);
    if ((sum.weight > 0) != liked) sum.weight = 0;
}

/// Of equal ones that with the smallest id goes.
void Affinities::drop_lightest(UnixMillis at_ms) {
    const auto magnitude = [&](std::size_t at) {
        const Weight& sum = creators_.beside(at);
        return std::abs(halved(sum.weight, at_ms - sum.at_ms));
    };
    const auto ids = creators_.ids();
    std::size_t lightest = 0;
    double least = magnitude(0);
    for (std::size_t i = 1; i < creators_.size(); ++i) {
        const double each = magnitude(i);
        if (each > least || (each == least && ids[lightest] < ids[i])) continue;
        lightest = i;
        least = each;
    }
    creators_.erase_unordered(lightest);
}

void Affinities::clear() {
    creators_.clear();
}

double Affinities::weight(const EntityId& creator, UnixMillis now_ms) const {
    const std::size_t at = creators_.find(creator);
    if (at == creators_.size()) return 0;
    const Weight& sum = creators_.beside(at);
    return halved(sum.weight, std::max(now_ms, sum.at_ms) - sum.at_ms);
}

void Affinities::encode(Encoder* out) const {
    out->varint(creators_.size());
    for (const std::uint32_t at : creators_.order()) {
        record::encode_optional_id(creators_.ids()[at].id(), out);
        out->f64(creators_.beside(at).weight);
        out->svarint(creators_.beside(at).at_ms);
    }
}

}  // namespace tidal::audience
