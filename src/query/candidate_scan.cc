#include "query/internal/candidate_scan.h"

#include <algorithm>
#include <bit>

#include "audience/user_states.h"
#include "query/internal/time_gates.h"
#include "query/slot_blocks.h"

namespace tidal::query {
namespace {

// Nanoseconds.
constexpr double kLookUpCost = 150;  ///< Of an id.
constexpr double kGateCost = 2;      ///< Of a slot's times.
constexpr double kFilterCostMin = 0.1;
constexpr double kPlanCost = 20'000;  ///< Of the estimates a filter begins with.
constexpr double kWindowCost = 100'000;
// So that a window lies in one container of a bitmap, and the dearest filters end within a step.
constexpr std::uint64_t kWindowSlotsMin = 64, kWindowSlotsMax = 65'536;

}  // namespace

CandidateScan::CandidateScan(const FeedPlan& plan, bool for_lists)
    : plan_(plan), for_lists_(for_lists), next_excluded_(plan.exclude.begin()), negatives_(plan) {}

CandidateScan::Leaves::Leaves(const CandidateScan& scan, const ranking::ShardView& view)
    : scan_(scan),
      live_(view.entities.live()),
      gates_(view.entities, scan.plan_.now_ms),
      blocked_(scan.negatives_, view),
      refused_(scan.refused(view)) {
    if (!scan.excluded_.isEmpty()) refused_.push_back(&scan.excluded_);
    if (const Roaring* const hidden = scan.negatives_.hidden(view)) refused_.push_back(hidden);
}

std::vector<const Roaring*> CandidateScan::refused(const ranking::ShardView& view) const {
    std::vector<const Roaring*> out;
    if (!for_lists_ || !plan_.user || view.user_states == nullptr) return out;
    for (const audience::StateId state : plan_.profile->program.refused_states)
        if (const Roaring* const slots = view.user_states->find(plan_.user->id, state))
            out.push_back(slots);
    return out;
}

namespace {

/// So many slots, each of which costs so much, make a step.
std::uint64_t window_of(double slot_cost) {
    return std::clamp(std::bit_floor(static_cast<std::uint64_t>(kWindowCost / slot_cost)),
                      kWindowSlotsMin, kWindowSlotsMax);
}

}  // namespace

bool CandidateScan::prepare(const ranking::ShardView& view, StepBudget& budget) {
    if (window_slots_ != 0) return true;
    for (; next_excluded_ != plan_.exclude.end(); ++next_excluded_) {
        if (!budget.take(kLookUpCost)) return false;
        // Its slot stays its own, so that one made again meanwhile is excluded as well.
        if (const auto slot = view.entities.find_reserved(*next_excluded_))
            excluded_.add(slot->value());
    }
    slot_cost_ = kGateCost;
    if (plan_.filter) {
        if (!budget.take(kPlanCost)) return false;
        filter_.emplace(*plan_.filter, view.entities, plan_.now_ms, filter_state(plan_, view));
        slot_cost_ += filter_->cost();
    }
    window_slots_ = window_of(slot_cost_);
    end_slot_ = view.entities.slot_count();
    return true;
}

bool CandidateScan::accept(const ranking::ShardView& view, StepBudget& budget) {
    if (!filter_ || all_accepted_) return true;
    const double cost = std::max(filter_->cost(), kFilterCostMin);
    for (; next_accepted_ < end_slot_;) {
        const std::uint64_t end = std::min(next_accepted_ + window_of(cost), end_slot_);
        Roaring range;
        range.addRange(next_accepted_, end);
        range &= view.entities.live();
        if (!budget.take(cost * static_cast<double>(range.cardinality()))) return false;
        accepted_ |= filter_->run(range, nullptr);
        next_accepted_ = end;
    }
    all_accepted_ = true;
    // What is left to look at is looked at for its times alone.
    window_slots_ = window_of(kGateCost);
    slot_cost_ = kGateCost;
    return true;
}

Roaring CandidateScan::open(const ranking::ShardView& view, const Roaring& live) const {
    const TimeGates gates(view.entities, plan_.now_ms);
    return select(live, [&](std::uint32_t slot) { return gates.open(slot); });
}

bool CandidateScan::next(const ranking::ShardView& view, const Roaring* listed, StepBudget& budget,
                         Window* window, std::vector<NodeTrace>* trace) {
    if (at_end()) return false;
    const std::uint64_t end = std::min(next_slot_ + window_slots_, end_slot_);
    Roaring range;
    range.addRange(next_slot_, end);
    if (listed != nullptr) range &= *listed;
    if (all_accepted_) range &= accepted_;
    const double looks = slot_cost_ * static_cast<double>(range.cardinality());
    if (!budget.take(looks + negatives_.cost(range.cardinality()))) return false;
    next_slot_ = end;
    range &= view.entities.live();
    window->candidates = open(view, range);
    window->asked = window->candidates - excluded_;
    negatives_.remove_from(view, &window->asked);
    for (const Roaring* const slots : refused(view)) window->asked -= *slots;
    window->matched =
        filter_ && !all_accepted_ ? filter_->run(window->asked, trace) : window->asked;
    return true;
}

Roaring CandidateScan::still_matching(const ranking::ShardView& view, const Roaring& slots) const {
    Roaring open_slots = open(view, slots & view.entities.live());
    negatives_.remove_from(view, &open_slots);
    if (!plan_.filter) return open_slots;
    return evaluate(*plan_.filter, view.entities, open_slots, plan_.now_ms, nullptr,
                    filter_state(plan_, view));
}

}  // namespace tidal::query
