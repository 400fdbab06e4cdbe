// Sources: the first of each order, over all shards, before anything is scored.
#include "query/internal/candidate_lists.h"

#include <algorithm>
#include <cassert>
#include <limits>

#include "audience/user_states.h"
#include "query/internal/item_order.h"
#include "ranking/embedding_name.h"
#include "ranking/table_features.h"
#include "vector/flat_vectors.h"

namespace tidal::query {

using ranking::Feature;
using ranking::FeatureKind;
using ranking::SourceKind;

namespace {

/// Its slot here, if it exists here: mostly where it was listed.
std::optional<Slot> find_listed(const entity::EntityTable& entities, const RankedEntry& entry) {
    if (entry.slot.value() >= entities.slot_count() || entities.id_of(entry.slot) != entry.id)
        return entities.find(entry.id);
    if (entities.generation_of(entry.slot) == HybridTime()) return std::nullopt;
    return entry.slot;
}

}  // namespace

Feature order_of(const ranking::Source& source, const schema::Schema& schema, EntityKind kind) {
    if (source.kind == SourceKind::kCoEngaged)
        return {.kind = FeatureKind::kCoEngagement, .anchor = source.anchor};
    if (source.kind == SourceKind::kAnn) {
        const auto& slot = *ranking::find_embedding(schema, kind, source.name);
        return {.kind = FeatureKind::kSimilarity,
                .slot = slot.id,
                .anchor = source.anchor,
                .nanoseconds = static_cast<std::uint32_t>(vector::FlatVectors::cost(slot))};
    }
    if (source.kind == SourceKind::kRecent || source.kind == SourceKind::kFollows)
        return {.kind = FeatureKind::kCreatedAt};
    const schema::SignalSpec* const signal = schema.find_signal(source.name);
    assert(signal != nullptr && "compile_profile() knows it");
    if (source.kind == SourceKind::kOrdered)
        return {.kind = FeatureKind::kDecay, .signal = signal->id};
    assert(source.kind == SourceKind::kWindowTop);
    return {.kind = FeatureKind::kSum, .signal = signal->id, .window = source.window};
}

std::vector<Feature> popularity_of(const schema::Schema& schema) {
    std::vector<Feature> out;
    for (const schema::SignalSpec& signal : schema.signals)
        if (signal.polarity == schema::Polarity::kPositive && signal.target == EntityKind::kItem)
            out.push_back({.kind = FeatureKind::kDecay, .signal = signal.id});
    return out;
}

std::vector<CohortPart> cohort_parts(const FeedPlan& plan, const schema::Schema& schema) {
    std::vector<CohortPart> out;
    for (const FeedCohort& cohort : plan.listed_cohorts())
        for (const SignalTypeId signal : cohort.signals) {
            if (schema.signals[signal.value()].polarity == schema::Polarity::kNegative) continue;
            out.push_back({cohort.id,
                           {.kind = FeatureKind::kCount,
                            .signal = signal,
                            .window = schema::Window::k7d,
                            .of_cohort = true}});
        }
    return out;
}

namespace {

Result<void> add(const Feature& part, ranking::FeatureSource& features, std::span<const Slot> slots,
                 const ranking::EvaluationContext& context, std::span<double> out) {
    std::vector<double> values(slots.size());
    TIDAL_TRY(features.fill(part, slots, context, values));
    for (std::size_t i = 0; i < slots.size(); ++i) out[i] += values[i];
    return {};
}

Result<void> fill_cohorts(const FeedPlan& plan, const ranking::ShardView& view,
                          ranking::FeatureSource& features, std::span<const Slot> slots,
                          ranking::EvaluationContext context, std::span<double> out) {
    std::ranges::fill(out, 0.0);
    for (const CohortPart& part : cohort_parts(plan, view.schema)) {
        context.cohort = part.cohort;
        TIDAL_TRY(add(part.events, features, slots, context, out));
    }
    return {};
}

Result<void> fill_popular(const ranking::ShardView& view, ranking::FeatureSource& features,
                          std::span<const Slot> slots, const ranking::EvaluationContext& context,
                          std::span<double> out) {
    std::ranges::fill(out, 0.0);
    for (const Feature& part : popularity_of(view.schema))
        TIDAL_TRY(add(part, features, slots, context, out));
    return {};
}

/// When they were made, or 0.
Result<void> fill_explored(ranking::FeatureSource& features, const schema::Schema& schema,
                           std::span<const Slot> slots, const ranking::EvaluationContext& context,
                           std::span<double> out) {
    const Feature impressions{.kind = FeatureKind::kCount,
                              .signal = schema.find_signal(schema::kImpression)->id,
                              .window = schema::Window::kAll};
    std::vector<double> counts(slots.size());
    TIDAL_TRY(features.fill({.kind = FeatureKind::kCreatedAt}, slots, context, out));
    TIDAL_TRY(features.fill(impressions, slots, context, counts));
    for (std::size_t i = 0; i < slots.size(); ++i)
        if (counts[i] >= kExplorationBudget) out[i] = 0;
    return {};
}

}  // namespace

Result<void> fill_order(const FeedPlan& plan, std::size_t source, const ranking::ShardView& view,
                        std::span<const Slot> slots, const ranking::EvaluationContext& context,
                        std::span<double> out) {
    ranking::TableFeatureSource features(view);
    if (source == plan.explored_source)
        return fill_explored(features, view.schema, slots, context, out);
    const ranking::Source& of = plan.sources[source];
    if (of.kind == SourceKind::kPopular) return fill_popular(view, features, slots, context, out);
    if (of.kind == SourceKind::kCohortTop)
        return fill_cohorts(plan, view, features, slots, context, out);
    return features.fill(order_of(of, view.schema, view.kind), slots, context, out);
}

void merge_sources(std::span<const std::vector<SourceList>> of_shards, FeedPlan* plan) {
    const auto& sources = plan->sources;
    plan->ranks.assign(sources.size(), {});
    for (std::size_t source = 0; source < sources.size(); ++source) {
        SourceList all;
        for (const auto& lists : of_shards)
            all.insert(all.end(), lists[source].begin(), lists[source].end());
        // That of one shard is in order.
        if (of_shards.size() > 1)
            std::ranges::sort(all, [](const SourceEntry& a, const SourceEntry& b) {
                return ItemOrder::before(a.key, a.id, b.key, b.id);
            });
        if (all.size() > plan->limit_of(sources[source]))
            all.resize(plan->limit_of(sources[source]));
        plan->ranks[source].reserve(all.size());
        for (SourceEntry& entry : all)
            plan->ranks[source].push_back({std::move(entry.id), entry.slot});
    }
}

RankedFeatures::RankedFeatures(const FeedPlan& plan, ranking::FeatureSource& tables)
    : plan_(plan),
      creators_(plan.user ? &*plan.user : nullptr),
      tables_(tables),
      ranks_(plan.ranks.size()) {
    for (const Feature& feature : plan.profile->program.features)
        if (feature.kind == FeatureKind::kFriends &&
            std::ranges::find(friends_, feature.state, &Friends::state) == friends_.end())
            friends_.push_back({feature.state, {}});
}

/// How many friends are in a state, by slot.
bool RankedFeatures::count_friends(const ranking::ShardView& view, StepBudget& budget) {
    if (friends_.empty() || view.user_states == nullptr) return true;
    constexpr double kFriendCost = 200, kSlotCost = 20;
    for (; friend_ < plan_.user->friends.size(); ++friend_) {
        const EntityId& user = plan_.user->friends[friend_];
        double cost = kFriendCost;
        for (const Friends& each : friends_)
            if (const Roaring* slots = view.user_states->find(user, each.state))
                cost += kSlotCost * static_cast<double>(slots->cardinality());
        if (!budget.take(cost)) return false;
        for (Friends& each : friends_)
            if (const Roaring* slots = view.user_states->find(user, each.state))
                for (const std::uint32_t slot : *slots) ++each.counts[slot];
    }
    return true;
}

bool RankedFeatures::prepare(const ranking::ShardView& view, StepBudget& budget) {
    entities_ = &view.entities;
    view_.emplace(view);
    if (plan_.text && !text_ && view.texts != nullptr)
        text_.emplace(*view.texts, plan_.text->query.root, plan_.text->statistics,
                      plan_.text->typos);
    if (!count_friends(view, budget)) return false;
    constexpr double kLookUpCost = 100;
    for (; source_ < plan_.ranks.size(); ++source_, next_ = 0) {
        const RankedList& list = plan_.ranks[source_];
        ranks_[source_].reserve(list.size());
        for (; next_ < list.size(); ++next_) {
            if (!budget.take(kLookUpCost)) return false;
            const auto slot = find_listed(view.entities, list[next_]);
            if (!slot) continue;
            if (source_ == plan_.explored_source) {
                explored_.add(slot->value());
                continue;
            }
            ranks_[source_].emplace(slot->value(), static_cast<std::uint32_t>(next_ + 1));
            if (!plan_.text_alone || source_ + 1 == plan_.ranks.size()) listed_.add(slot->value());
        }
    }
    if (plan_.text_matches && !take_matches(view, budget)) return false;
    for (const auto& [id, key] : plan_.pins.keys())  // Few.
        if (const auto slot = view.entities.find(id); slot && Pins::is_pinned(key))
            listed_.add(slot->value());
    return true;
}

bool RankedFeatures::take_matches(const ranking::ShardView& view, StepBudget& budget) {
    if (view.texts == nullptr || plan_.text->query.root.children.empty()) return true;
    if (!matches_)
        matches_.emplace(*view.texts, plan_.text->query.root, plan_.text->statistics,
                         plan_.text->typos);
    return matches_->match(view.entities.slot_count(), &listed_,
                           [&](double cost) { return budget.take(cost); });
}

Result<void> RankedFeatures::fill(const Feature& feature, std::span<const Slot> slots,
                                  const ranking::EvaluationContext& context,
                                  std::span<double> out) {
    if (feature.kind == FeatureKind::kFollows || feature.kind == FeatureKind::kAffinity) {
        fill_of_creators(feature, slots, out);
        return {};
    }
    if (feature.kind == FeatureKind::kDaysSinceLast) {
        std::ranges::fill(out, days_since_last(feature));
        return {};
    }
    if (feature.kind == FeatureKind::kCoEngagement) {
        const CoEngaged* const parts = plan_.find_co_engaged(std::nullopt);
        assert(parts != nullptr && "plan_feed() made sure");
        fill_co_engaged(*view_, *parts, plan_.now_ms, slots, out);
        return {};
    }
    if (feature.kind == FeatureKind::kState) {
        const Roaring* const held = view_->user_states == nullptr
                                        ? nullptr
                                        : view_->user_states->find(plan_.user->id, feature.state);
        for (std::size_t i = 0; i < slots.size(); ++i)
            out[i] = held != nullptr && held->contains(slots[i].value()) ? 1 : 0;
        return {};
    }
    if (feature.kind == FeatureKind::kFriends) {
        const auto& counts = std::ranges::find(friends_, feature.state, &Friends::state)->counts;
        for (std::size_t i = 0; i < slots.size(); ++i) {
            const auto found = counts.find(slots[i].value());
            out[i] = found == counts.end() ? 0 : found->second;
        }
        return {};
    }
    if (feature.kind == FeatureKind::kBm25) {
        text_scores(slots, out);
        return {};
    }
    if (feature.kind != FeatureKind::kSourceRank) return tables_.fill(feature, slots, context, out);
    for (std::size_t i = 0; i < slots.size(); ++i) out[i] = rank_score(feature.source, slots[i]);
    return {};
}

double RankedFeatures::rank_score(std::size_t source, Slot slot) const {
    const auto found = ranks_[source].find(slot.value());
    return found == ranks_[source].end() ? 0
                                         : 1 / (plan_.profile->profile.rank_base + found->second);
}

double RankedFeatures::fused(Slot slot) const {
    double out = 0;
    for (std::size_t source = 0; source < ranks_.size(); ++source)
        out += plan_.sources[source].weight * rank_score(source, slot);
    return out;
}

void RankedFeatures::fill_of_creators(const Feature& feature, std::span<const Slot> slots,
                                      std::span<double> out) const {
    assert(plan_.user && "plan_feed() made sure");
    const bool follows = feature.kind == FeatureKind::kFollows;
    std::ranges::fill(out, 0.0);
    if (follows ? plan_.user->followed.empty() : plan_.user->affinities.empty()) return;
    // All are asked for before the first is read.
    const EntityId* creators[ranking::kBlockSlots];
    for (std::size_t i = 0; i < slots.size(); ++i) {
        creators[i] = entities_->creator_of(slots[i]);
        __builtin_prefetch(creators[i]);
    }
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const EntityId* const creator = creators[i];
        if (creator == nullptr || !creators_.may_hold(*creator)) continue;
        if (follows) {
            out[i] = plan_.user->followed.contains(*creator) ? 1 : 0;
        } else if (const auto found = plan_.user->affinities.find(*creator);
                   found != plan_.user->affinities.end()) {
            out[i] = found->second;
        }
    }
}

std::optional<UnixMillis> RankedFeatures::newest_ms(const Feature& feature) const {
    assert(plan_.user && "plan_feed() made sure");
    return feature.polarity == schema::Polarity::kPositive ? plan_.user->newest_positive_ms
                                                           : plan_.user->newest_negative_ms;
}

/// Where nothing is known it is as long ago as times go, so that what fades with the days is gone.
double RankedFeatures::days_since_last(const Feature& feature) const {
    constexpr double kDayMs = 24 * 3'600'000;
    const UnixMillis ago_ms = plan_.now_ms - newest_ms(feature).value_or(0);
    return static_cast<double>(std::max<UnixMillis>(ago_ms, 0)) / kDayMs;
}

void RankedFeatures::text_scores(std::span<const Slot> slots, std::span<double> out) {
    if (text_)
        text_->scores(slots, out);
    else
        std::ranges::fill(out, 0);
}

bool RankedFeatures::is_missing(const Feature& feature, Slot slot) const {
    if (feature.kind == FeatureKind::kBm25) return false;
    if (feature.kind == FeatureKind::kSourceRank)
        return !ranks_[feature.source].contains(slot.value());
    if (feature.kind == FeatureKind::kDaysSinceLast) return !newest_ms(feature);
    return tables_.is_missing(feature, slot);
}

}  // namespace tidal::query
