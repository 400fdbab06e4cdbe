#include <algorithm>

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
          context_{.now_ms = plan.now_ms,
                   .seed = plan.seed,
                   .params = plan.params,
                   .anchors = &plan.anchors} {}

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
        for (const ranking::Source& source : sources()) {
            const bool scan = source.kind == ranking::SourceKind::kScan;
            tops_.emplace_back(scan ? 0 : plan_.limit_of(source), view.entities);
            orders_.push_back(scan ? Order() : order(source, view));
            block_slots_ = std::min(
                block_slots_,
                std::max<std::size_t>(kBlockSlotsMin,
                                      static_cast<std::size_t>(kBlockCost / orders_.back().cost)));
        }
    }

    /// Who is in a source's list at all.
    enum class Members : std::uint8_t { kNone, kAll, kPositive, kWithValue, kFollowed };
    struct Order {
        ranking::Feature by;
        Members members = Members::kNone;
        const CoEngaged* co_engaged = nullptr;  ///< Of a source of what is liked together.
        double cost = 1;                        ///< Of one value, in nanoseconds.
    };
    static constexpr double kBlockCost = 100'000;
    static constexpr std::size_t kBlockSlotsMin = 16;

    Order order(const ranking::Source& source, const ranking::ShardView& view) const {
        constexpr double kValueCost = 40;
        Order out{.by = order_of(source, view.schema, view.kind),
                  .members = Members::kPositive,
                  .cost = kValueCost};
        if (source.kind == ranking::SourceKind::kCoEngaged) {
            out.co_engaged = plan_.find_co_engaged(source.anchor);
            if (out.co_engaged == nullptr) out.members = Members::kNone;
        }
        if (source.kind == ranking::SourceKind::kRecent) out.members = Members::kAll;
        if (source.kind == ranking::SourceKind::kFollows) out.members = Members::kFollowed;
        if (source.kind != ranking::SourceKind::kAnn) return out;
        const bool near = plan_.anchors.find(out.by.slot, out.by.anchor) != nullptr;
        out.members = near ? Members::kWithValue : Members::kNone;
        out.cost = out.by.nanoseconds;
        return out;
    }

    bool is_member(const ranking::ShardView& view, const Order& order,
                   const ranking::FeatureSource& features, std::size_t i) const {
        if (order.members == Members::kPositive) return keys_[i] > 0;
        if (order.members == Members::kFollowed) {
            const EntityId* const creator = view.entities.creator_of(slots_[i]);
            return creator != nullptr && plan_.user->followed.contains(*creator);
        }
        return order.members == Members::kAll || !features.is_missing(order.by, slots_[i]);
    }

    void next_block() {
        slots_.clear();
        for (const std::uint32_t slot : blocks_->next(block_slots_)) slots_.push_back(Slot(slot));
        source_ = 0;
    }

    /// The block at hand to the lists it has not been offered to.
    Result<bool> offer(const ranking::ShardView& view, StepBudget& budget) {
        ranking::TableFeatureSource features(view);
        for (; source_ < sources().size(); ++source_) {
            const Order& order = orders_[source_];
            if (order.members == Members::kNone) continue;
            if (!budget.take(order.cost * static_cast<double>(slots_.size()))) return false;
            keys_.resize(slots_.size());
            if (order.co_engaged != nullptr) {
                fill_co_engaged(view, *order.co_engaged, plan_.now_ms, slots_, keys_);
            } else {
                TIDAL_TRY(features.fill(order.by, slots_, context_, keys_));
            }
            TopItems& top = tops_[source_];
            for (std::size_t i = 0; i < slots_.size(); ++i)
                if (top.admits(keys_[i]) && is_member(view, order, features, i))
                    top.offer(keys_[i], slots_[i]);
        }
        slots_.clear();
        return true;
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
    std::vector<Order> orders_;   ///< Likewise.
    std::size_t block_slots_ = ranking::kBlockSlots;
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
