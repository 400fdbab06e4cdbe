#include "query/feed_run.h"
#include "query/internal/candidate_lists.h"
#include "query/internal/candidate_scan.h"
#include "query/internal/top_items.h"
#include "query/slot_blocks.h"
#include "ranking/table_features.h"

namespace tidal::query {

class SourcesRun::State {
public:
    explicit State(const FeedPlan& plan)
        : plan_(plan),
          scan_(plan),
          context_{.now_ms = plan.now_ms, .seed = plan.seed, .params = plan.params} {}

    Result<bool> step(const ranking::ShardView& view, StepBudget& budget) {
        if (!scan_.prepare(view, budget)) return false;
        if (tops_.empty()) begin(view);
        for (;;) {
            if (!slots_.empty()) {
                TIDAL_ASSIGN(const bool offered, offer(view, budget));
                if (!offered) return false;
            } else if (blocks_ && !blocks_->at_end()) {
                next_block();
            } else if (scan_.next(view, nullptr, budget, &window_, nullptr)) {
                blocks_.emplace(window_.matched);
            } else {
                return scan_.at_end() && finish(view, budget);
            }
        }
    }

    std::vector<SourceList> take() { return std::move(lists_); }

private:
    const std::vector<ranking::Source>& sources() const { return plan_.profile->profile.sources; }

    void begin(const ranking::ShardView& view) {
        for (const ranking::Source& source : sources())
            tops_.emplace_back(
                source.kind == ranking::SourceKind::kScan ? 0 : plan_.limit_of(source),
                view.entities);
    }

    void next_block() {
        slots_.clear();
        for (const std::uint32_t slot : blocks_->next()) slots_.push_back(Slot(slot));
        source_ = 0;
    }

    /// The block at hand to the lists it has not been offered to.
    Result<bool> offer(const ranking::ShardView& view, StepBudget& budget) {
        constexpr double kValueCost = 40;
        ranking::TableFeatureSource features(view);
        for (; source_ < sources().size(); ++source_) {
            const ranking::Source& source = sources()[source_];
            if (source.kind == ranking::SourceKind::kScan) continue;
            if (!budget.take(kValueCost * static_cast<double>(slots_.size()))) return false;
            keys_.resize(slots_.size());
            TIDAL_TRY(features.fill(order_of(source, view.schema), slots_, context_, keys_));
            for (std::size_t i = 0; i < slots_.size(); ++i)
                if (lists(source, view, keys_[i], slots_[i]))
                    tops_[source_].offer(keys_[i], slots_[i]);
        }
        slots_.clear();
        return true;
    }

    bool lists(const ranking::Source& source, const ranking::ShardView& view, double key,
               Slot slot) const {
        if (source.kind == ranking::SourceKind::kRecent) return true;
        if (source.kind != ranking::SourceKind::kFollows) return key > 0;
        const EntityId* const creator = view.entities.creator_of(slot);
        return creator != nullptr && plan_.user->followed.contains(*creator);
    }

    bool finish(const ranking::ShardView& view, StepBudget& budget) {
        constexpr double kEntryCost = 100;
        while (lists_.size() < tops_.size()) {
            TopItems& top = tops_[lists_.size()];
            if (!budget.take(kEntryCost * static_cast<double>(top.size()))) return false;
            SourceList& list = lists_.emplace_back();
            for (const auto& entry : top.take())
                list.push_back({view.entities.id_of(entry.slot), entry.key});
        }
        return true;
    }

    const FeedPlan& plan_;
    CandidateScan scan_;
    const ranking::EvaluationContext context_;
    std::vector<TopItems> tops_;  ///< By source.
    CandidateScan::Window window_;
    std::optional<SlotBlocks> blocks_;  ///< Of the window's matches.
    std::vector<Slot> slots_;           ///< The block at hand; empty = offered to every list.
    std::vector<double> keys_;
    std::size_t source_ = 0;
    std::vector<SourceList> lists_;
};

SourcesRun::SourcesRun(const FeedPlan& plan) : state_(std::make_unique<State>(plan)) {}
SourcesRun::~SourcesRun() = default;
SourcesRun::SourcesRun(SourcesRun&&) noexcept = default;
Result<bool> SourcesRun::step(const ranking::ShardView& view, StepBudget budget) {
    return state_->step(view, budget);
}
std::vector<SourceList> SourcesRun::take() {
    return state_->take();
}

Result<std::vector<SourceList>> run_sources(const ranking::ShardView& view, const FeedPlan& plan) {
    SourcesRun run(plan);
    for (;;) {
        TIDAL_ASSIGN(const bool done, run.step(view));
        if (done) return run.take();
    }
}

}  // namespace tidal::query
