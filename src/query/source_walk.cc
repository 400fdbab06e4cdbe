#include "query/internal/source_walk.h"

#include <algorithm>

#include "audience/cohort_ledgers.h"
#include "audience/collections.h"
#include "audience/user_states.h"
#include "query/co_engaged.h"
#include "query/internal/candidate_lists.h"
#include "ranking/table_features.h"

namespace tidal::query {
namespace {

// Nanoseconds.
constexpr double kFrontCost = 20'000, kPassedCost = 100'000, kPassedEntryCost = 12;
constexpr double kLookUpPartCost = 200, kHeapCost = 10;
constexpr double kLedgerLookCost = 20, kLedgerPartCost = 60;
constexpr std::uint32_t kLedgerLooks = 256;
constexpr double kWalkedMemberCost = 60, kCreatorCost = 300;
constexpr std::size_t kBlockMembers = 256;
/// A front is read in one piece: no longer list is, nor that of who is shown little of it.
constexpr double kFrontEntryCost = 200;
constexpr std::uint32_t kFrontMax = 1'024;
constexpr std::size_t kSkippedMax = 8'192;
/// Of a front at once: no more than a list wants are scored again, where they have to be.
constexpr std::size_t kFrontLooks = 1'024;

/// Of the entries that a walk is likely to pass over.
double passed_cost(const FeedPlan& plan, const ranking::ShardView& view) {
    if (plan.filter) return kPassedCost;
    if (!plan.user || view.user_states == nullptr) return 0;
    std::uint64_t refused = 0;
    for (const audience::StateId state : plan.profile->program.refused_states)
        if (const Roaring* const slots = view.user_states->find(plan.user->id, state))
            refused += slots->cardinality();
    return kPassedEntryCost * static_cast<double>(std::min<std::uint64_t>(refused, kSkippedMax));
}

}  // namespace

Result<SourceWalk::Outcome> SourceWalk::step(const ranking::ShardView& view, std::size_t source,
                                             TopViews* views, StepBudget& budget, TopItems* top) {
    const ranking::Source& of = plan_.sources[source];
    switch (of.kind) {
        case ranking::SourceKind::kOrdered:
        case ranking::SourceKind::kWindowTop:
        case ranking::SourceKind::kPopular:
        case ranking::SourceKind::kRecent:
            if (views == nullptr) return Outcome::kNoWay;
            return walk_view(view, source, *views, budget, top);
        case ranking::SourceKind::kCoEngaged:
            return walk_co_engaged(view, *plan_.find_co_engaged(of.anchor), budget, top);
        case ranking::SourceKind::kFollows:
            return walk_followed(view, budget, top);
        case ranking::SourceKind::kCohortTop:
            return walk_cohorts(view, source, budget, top);
        case ranking::SourceKind::kCollection:
            return walk_collection(view, *plan_.collections[source], budget, top);
        default:
            return Outcome::kNoWay;
    }
}

/// In one piece, as nothing else may happen meanwhile: a front is read fast.
Result<SourceWalk::Outcome> SourceWalk::walk_view(const ranking::ShardView& view,
                                                  std::size_t source, TopViews& views,
                                                  StepBudget& budget, TopItems* top) {
    const auto order = order_of_source(source);
    const std::uint32_t wanted = plan_.limit_of(plan_.sources[source]);
    if (order == nullptr || wanted > kFrontMax) return Outcome::kNoWay;
    if (plan_.filter && thins_out(view, wanted)) return Outcome::kNoWay;
    if (!budget.take(kFrontCost + passed_cost(plan_, view) + kFrontEntryCost * wanted))
        return Outcome::kAgain;
    TIDAL_ASSIGN(const TopViews::Front found_front, views.find_front(view, order, plan_.now_ms));
    TopView* const front = found_front.view;
    if (front == nullptr) return Outcome::kNoWay;
    const bool positive = source == plan_.explored_source ||
                          plan_.sources[source].kind != ranking::SourceKind::kRecent;
    TIDAL_ASSIGN(const bool complete,
                 walk_front(view, *front, found_front.as_of, wanted, positive));
    views.count_page(*front, complete ? std::nullopt : std::optional(ViewMiss::kShort));
    if (!complete) return Outcome::kNoWay;
    TIDAL_TRY(offer_front(view, source, top));
    return Outcome::kDone;
}

std::shared_ptr<const ranking::CompiledProfile> SourceWalk::order_of_source(
    std::size_t source) const {
    if (source == plan_.explored_source) return plan_.profile->explore_order;
    const auto& orders = plan_.profile->source_orders;
    return source < orders.size() ? orders[source] : nullptr;
}

/// The filter leaves so few that a front is not likely to hold enough of them.
bool SourceWalk::thins_out(const ranking::ShardView& view, std::uint32_t wanted) const {
    return scan_.accepted().cardinality() * kSkippedMax <
           std::uint64_t{wanted} * view.entities.live_count();
}

/// The first of the front that the plan leaves, into slots_. False = the front is too short.
/// @param positive  Whatever is 0 or less is of no list.
Result<bool> SourceWalk::walk_front(const ranking::ShardView& view, TopView& front,
                                    UnixMillis as_of, std::uint32_t wanted, bool positive) {
    const CandidateScan::Leaves leaves(scan_, view);
    slots_.clear();
    TopView::Walk walk(front, view, as_of);
    const std::size_t looks = wanted + kSkippedMax;
    while (slots_.size() < wanted && walk.looked() < looks) {
        const std::size_t few = std::min(looks - walk.looked(), kFrontLooks);
        TIDAL_ASSIGN(const auto block, walk.next(wanted - slots_.size(), few, leaves));
        for (const ScoredSlot& entry : block) {
            if (positive && entry.key <= 0) return true;
            slots_.push_back(entry.slot);
        }
        if (walk.at_end()) return front.whole() || slots_.size() == wanted;
    }
    return slots_.size() == wanted;
}

/// Keys are those of the page's moment, as they are where entities are looked at one by one.
Result<void> SourceWalk::offer_front(const ranking::ShardView& view, std::size_t source,
                                     TopItems* top) {
    const bool all = source != plan_.explored_source &&
                     plan_.sources[source].kind == ranking::SourceKind::kRecent;
    for (std::size_t begin = 0; begin < slots_.size(); begin += ranking::kBlockSlots) {
        const std::span block(slots_.data() + begin,
                              std::min(ranking::kBlockSlots, slots_.size() - begin));
        keys_.resize(block.size());
        TIDAL_TRY(fill_order(plan_, source, view, block, context_, keys_));
        for (std::size_t i = 0; i < block.size(); ++i)
            if (all || keys_[i] > 0) top->offer(keys_[i], block[i]);
    }
    slots_.clear();
    return {};
}

SourceWalk::Outcome SourceWalk::walk_co_engaged(const ranking::ShardView& view,
                                                const CoEngaged& parts, StepBudget& budget,
                                                TopItems* top) {
    const auto lighter = [](Part a, Part b) { return a->second < b->second; };
    if (!begun_) {
        if (!budget.take(kHeapCost * static_cast<double>(parts.size()))) return Outcome::kAgain;
        for (const auto& part : parts) parts_.push_back(&part);
        std::ranges::make_heap(parts_, lighter);
        begun_ = true;
    }
    const CandidateScan::Leaves leaves(scan_, view);
    for (; !parts_.empty(); parts_.pop_back()) {
        const auto& [id, weight] = *parts_.front();
        if (weight <= 0 || weight < top->least()) break;
        if (!budget.take(kLookUpPartCost)) return Outcome::kAgain;
        std::ranges::pop_heap(parts_, lighter);
        const auto slot = view.entities.find(id);
        if (!slot || !leaves(*slot)) continue;
        top->offer(co_engaged_value(view, weight, *slot, plan_.now_ms), *slot);
    }
    return finish();
}

Result<SourceWalk::Outcome> SourceWalk::walk_followed(const ranking::ShardView& view,
                                                      StepBudget& budget, TopItems* top) {
    const auto& followed = plan_.user->followed;
    if (!begun_) next_followed_ = followed.begin();
    begun_ = true;
    for (; !blocks_ && next_followed_ != followed.end(); ++next_followed_) {
        if (!budget.take(kCreatorCost)) return Outcome::kAgain;
        if (const Roaring* const items = view.entities.creator_bitmap(*next_followed_))
            members_ |= *items;
    }
    if (!blocks_) blocks_.emplace(members_);
    ranking::TableFeatureSource features(view);
    while (!blocks_->at_end()) {
        if (!next_block(view, budget)) return Outcome::kAgain;
        keys_.resize(slots_.size());
        TIDAL_TRY(
            features.fill({.kind = ranking::FeatureKind::kCreatedAt}, slots_, context_, keys_));
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            const EntityId* const creator = view.entities.creator_of(slots_[i]);
            if (creator == nullptr || !followed.contains(*creator)) continue;  // Any more.
            if (keys_[i] == keys_[i]) top->offer(keys_[i], slots_[i]);
        }
    }
    return finish();
}

/// What everybody watches is nobody's ledger.
Result<SourceWalk::Outcome> SourceWalk::walk_cohorts(const ranking::ShardView& view,
                                                     std::size_t source, StepBudget& budget,
                                                     TopItems* top) {
    const auto everybody = [](const CohortPart& part) { return !part.cohort; };
    if (view.cohorts == nullptr) return Outcome::kNoWay;
    const auto parts = cohort_parts(plan_, view.schema);
    if (std::ranges::any_of(parts, everybody)) return Outcome::kNoWay;
    const double cost = kLedgerPartCost * static_cast<double>(parts.size());
    if (!begun_) next_slot_ = 0;
    begun_ = true;
    const auto end = static_cast<std::uint32_t>(view.entities.slot_count());
    while (next_slot_ < end) {
        if (!budget.take((kLedgerLookCost + cost) * kLedgerLooks)) return Outcome::kAgain;
        const CandidateScan::Leaves leaves(scan_, view);
        slots_.clear();
        const std::uint32_t stop = std::min(end, next_slot_ + kLedgerLooks);
        for (; next_slot_ < stop; ++next_slot_)
            if (view.cohorts->holds(Slot(next_slot_)) && leaves(Slot(next_slot_)))
                slots_.push_back(Slot(next_slot_));
        keys_.resize(slots_.size());
        TIDAL_TRY(fill_order(plan_, source, view, slots_, context_, keys_));
        for (std::size_t i = 0; i < slots_.size(); ++i)
            if (keys_[i] > 0) top->offer(keys_[i], slots_[i]);
    }
    return finish();
}

SourceWalk::Outcome SourceWalk::walk_collection(const ranking::ShardView& view, CollectionId id,
                                                StepBudget& budget, TopItems* top) {
    const auto* const in = view.collections == nullptr ? nullptr : view.collections->find(id);
    if (in == nullptr) return finish();
    if (!begun_) {
        members_ = in->slots;
        blocks_.emplace(members_);
        begun_ = true;
    }
    while (!blocks_->at_end()) {
        if (!next_block(view, budget)) return Outcome::kAgain;
        for (const Slot slot : slots_) {
            const auto member = in->members.find(slot.value());
            if (member != in->members.end()) top->offer(-member->second.position, slot);
        }
    }
    return finish();
}

bool SourceWalk::next_block(const ranking::ShardView& view, StepBudget& budget) {
    if (!budget.take(kWalkedMemberCost * kBlockMembers)) return false;
    const CandidateScan::Leaves leaves(scan_, view);
    slots_.clear();
    for (const std::uint32_t slot : blocks_->next(kBlockMembers))
        if (leaves(Slot(slot))) slots_.push_back(Slot(slot));
    return true;
}

SourceWalk::Outcome SourceWalk::finish() {
    begun_ = false;
    parts_.clear();
    blocks_.reset();
    members_ = Roaring();
    return Outcome::kDone;
}

}  // namespace tidal::query
