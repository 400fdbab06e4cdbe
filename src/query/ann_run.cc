#include "query/internal/ann_run.h"

#include <algorithm>

#include "query/internal/best_slots.h"
#include "ranking/table_features.h"

namespace tidal::query {

AnnRun::AnnRun(const ranking::ShardView& view, const ranking::Feature& by,
               const ranking::EvaluationContext& context, vector::Effort effort,
               std::uint32_t wanted, const Roaring* accepted)
    : by_(by),
      context_(context),
      wanted_(wanted),
      search_(*view.vectors->find(by.slot), *view.vectors->find_graphs(by.slot),
              *context.anchors->find(by.slot, by.anchor), effort, wanted, accepted) {}

Result<bool> AnnRun::step(const ranking::ShardView& view, TopItems& top, StepBudget& budget,
                          vector::GraphSearch::Accepts also) {
    if (!search_.run([&](double cost) { return budget.take(cost); }, also)) return false;
    if (!blocks_) begin_to_compare(view);
    TIDAL_ASSIGN(const bool compared, compare(view, top, budget, also));
    if (!compared) return false;
    if (!gone_ || listed_ >= wanted_ || others_) return true;
    others_ = search_.others(*view.vectors->find(by_.slot));
    if (with_changed_) *others_ -= *with_changed_;
    blocks_.emplace(*others_);
    return compare(view, top, budget, also);
}

/// What is another vector by now was not met at its old place.
void AnnRun::begin_to_compare(const ranking::ShardView& view) {
    if (search_.has_lost()) {
        gone_ = true;
        const Roaring& tail =
            view.vectors->find_graphs(by_.slot)->tail(*view.vectors->find(by_.slot));
        with_changed_ = search_.found() | tail;
    }
    blocks_.emplace(with_changed_ ? *with_changed_ : search_.found());
}

Result<bool> AnnRun::compare(const ranking::ShardView& view, TopItems& top, StepBudget& budget,
                             vector::GraphSearch::Accepts also) {
    const vector::FlatVectors& vectors = *view.vectors->find(by_.slot);
    ranking::TableFeatureSource features(view);
    constexpr double kBlockCost = 20'000;
    const double cost = vector::FlatVectors::cost(vectors.spec());
    const auto most = std::clamp<std::size_t>(static_cast<std::size_t>(kBlockCost / cost), 16,
                                              ranking::kBlockSlots);
    BestSlots best(wanted_, view.entities, nullptr, top);
    while (!blocks_->at_end()) {
        if (!budget.take(cost * static_cast<double>(most))) {
            best.finish();
            return false;
        }
        slots_.clear();
        const auto block = blocks_->next(most);
        for (const std::uint32_t slot : block) vectors.prefetch(Slot(slot));
        for (const std::uint32_t slot : block)
            if (vectors.has(Slot(slot)) && also(Slot(slot))) slots_.push_back(Slot(slot));
        listed_ += slots_.size();
        gone_ = gone_ || slots_.size() < block.size();
        for (const Slot slot : slots_) view.entities.prefetch_entity(slot);
        keys_.resize(slots_.size());
        TIDAL_TRY(features.fill(by_, slots_, context_, keys_));
        search_.trace().compared += slots_.size();
        for (std::size_t i = 0; i < slots_.size(); ++i) best.offer(keys_[i], slots_[i]);
    }
    best.finish();
    return true;
}

}  // namespace tidal::query
