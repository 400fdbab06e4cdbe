#include "query/exploration.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "base/hash.h"

namespace tidal::query {
namespace {

using ranking::Feature;
using ranking::FeatureKind;

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
class Stream {
public:
    explicit Stream(std::uint64_t state) : state_(state) {}

    /// In (0, 1).
    double uniform() {
        state_ += 0x9E3779B97F4A7C15;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        z ^= z >> 31;
        return (static_cast<double>(z >> 11) + 0.5) * 0x1p-53;
    }

    /// Box and Muller.
    double normal() {
        constexpr double kTurn = 6.283185307179586;
        return std::sqrt(-2 * std::log(uniform())) * std::cos(kTurn * uniform());
    }

    /// @param shape  1 or more.
    double gamma(double shape) {
        const double d = shape - 1.0 / 3;
        const double c = 1 / std::sqrt(9 * d);
        for (;;) {
            const double x = normal();
            const double v = std::pow(1 + c * x, 3);
            if (v > 0 && std::log(uniform()) < 0.5 * x * x + d - d * v + d * std::log(v))
                return d * v;
        }
    }

private:
    std::uint64_t state_;
};

std::uint64_t hash_of(const EntityId& id, std::uint64_t seed, std::uint64_t use) {
    if (id.is_text()) return hash64(id.text(), seed ^ use);
    const std::uint64_t number = id.number();
    return hash64(std::string_view(reinterpret_cast<const char*>(&number), sizeof number),
                  seed ^ use);
}

}  // namespace

double exploration_chance(const EntityId& id, std::uint64_t seed) {
    constexpr std::uint64_t kUse = 0x706F6F6C;
    return static_cast<double>(hash_of(id, seed, kUse) >> 11) * 0x1p-53;
}

double draw_rate(double impressions, double positives, const EntityId& id, std::uint64_t seed) {
    assert(positives >= 0 && positives <= impressions);
    constexpr std::uint64_t kUse = 0x64726177;
    Stream stream(hash_of(id, seed, kUse));
    const double won = stream.gamma(1 + positives);
    const double lost = stream.gamma(1 + impressions - positives);
    return won / (won + lost);
}

namespace {

/// Up to a rank.
double exploration_places(std::uint64_t rank, double percent) {
    return std::floor(static_cast<double>(rank) * percent / 100);
}

}  // namespace

bool is_exploration_place(std::uint64_t rank, double percent) {
    return exploration_places(rank, percent) > exploration_places(rank - 1, percent);
}

bool is_outside_place(std::uint64_t rank, double percent) {
    return std::fmod(exploration_places(rank, percent), 2) == 1;
}

std::size_t exploration_pool(const Viewer* user, bool outside) {
    if (user != nullptr) return kExplorationPool / 2;
    return outside ? kExplorationPool : 0;
}

ShardExploration::ShardExploration(const schema::Schema& schema,
                                   const entity::EntityTable& entities, const Viewer* user,
                                   std::uint64_t seed)
    : entities_(entities),
      user_(user),
      creators_(user),
      seed_(seed),
      outside_(exploration_pool(user, true), entities),
      inside_(exploration_pool(user, false), entities) {
    for (const schema::SignalSpec& signal : schema.signals) {
        const Feature count{
            .kind = FeatureKind::kCount, .signal = signal.id, .window = schema::Window::kAll};
        if (signal.name == schema::kImpression) impressions_ = count;
        if (signal.polarity == schema::Polarity::kPositive) positives_.push_back(count);
    }
    assert(impressions_.kind == FeatureKind::kCount && "check_profile() wants the signal");
}

Result<void> ShardExploration::offer(std::span<const Slot> slots, ranking::FeatureSource& features,
                                     const ranking::EvaluationContext& context) {
    if (slots.empty()) return {};
    counts_.resize(slots.size());
    TIDAL_TRY(features.fill(impressions_, slots, context, counts_));
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (counts_[i] >= kExplorationBudget) continue;
        const double chance = exploration_chance(entities_.id_of(slots[i]), seed_);
        if (chance < outside_.least() && (user_ == nullptr || chance < inside_.least())) continue;
        (is_outside(slots[i]) ? outside_ : inside_).offer(chance, slots[i]);
    }
    return {};
}

bool ShardExploration::is_outside(Slot slot) const {
    const EntityId* const creator = entities_.creator_of(slot);
    return user_ == nullptr || creator == nullptr || !creators_.may_hold(*creator) ||
           (!user_->followed.contains(*creator) && !user_->affinities.contains(*creator));
}

Result<std::vector<std::pair<TopItems::Entry, Exploration>>> ShardExploration::take(
    ranking::FeatureSource& features, const ranking::EvaluationContext& context) {
    std::vector<TopItems::Entry> entries = outside_.take();
    const std::size_t outside = entries.size();
    for (TopItems::Entry& entry : inside_.take()) entries.push_back(std::move(entry));
    std::vector<std::pair<TopItems::Entry, Exploration>> out;
    if (entries.empty()) return out;
    std::vector<Slot> slots;
    for (const TopItems::Entry& entry : entries) slots.push_back(entry.slot);
    std::vector<double> impressions(slots.size()), positives(slots.size());
    TIDAL_TRY(features.fill(impressions_, slots, context, impressions));
    counts_.resize(slots.size());
    for (const Feature& positive : positives_) {
        TIDAL_TRY(features.fill(positive, slots, context, counts_));
        for (std::size_t i = 0; i < slots.size(); ++i) positives[i] += std::max(counts_[i], 0.0);
    }
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const double shown_to = std::max(impressions[i], 0.0);
        const double liked = std::min(positives[i], shown_to);
        const double draw = draw_rate(shown_to, liked, entities_.id_of(slots[i]), seed_);
        const double chance = entries[i].key;
        out.emplace_back(std::move(entries[i]), Exploration{.impressions = shown_to,
                                                            .positives = liked,
                                                            .draw = draw,
                                                            .chance = chance,
                                                            .outside = i < outside});
    }
    return out;
}

}  // namespace tidal::query
