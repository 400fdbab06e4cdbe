#include <algorithm>

#include "query/feed_run.h"
#include "query/internal/candidate_lists.h"
#include "query/internal/candidate_scan.h"
#include "query/internal/top_items.h"
#include "query/slot_blocks.h"
#include "ranking/table_features.h"
#include "text/search.h"

namespace tidal::query {

namespace {

/// What a search of texts finds, for the list of its source.
class TextCollector final : public text::Collector {
public:
    explicit TextCollector(TopItems& top) : top_(top) {}
    double least() const override { return top_.least(); }
    void offer(double score, std::uint32_t slot) override { top_.offer(score, Slot(slot)); }

private:
    TopItems& top_;
};

}  // namespace

class SourcesRun::State {
public:
    State(const FeedPlan& plan, bool texts_only)
        : plan_(plan),
          texts_only_(texts_only),
          scan_(plan),
          context_{.now_ms = plan.now_ms,
                   .seed = plan.seed,
                   .params = plan.params,
                   .anchors = &plan.anchors,
                   .cohort = plan.cohort_read()} {}

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
                if (plan_.text) accepted_ |= window_.matched;
                if (has_values_) blocks_.emplace(window_.matched);
            } else {
                return scan_.at_end() && search(view, budget) && finish(view, budget);
            }
        }
    }

    std::vector<SourceList> take() { return std::move(lists_); }

private:
    const std::vector<ranking::Source>& sources() const { return plan_.sources; }

    void begin(const ranking::ShardView& view) {
        for (const ranking::Source& source : sources()) {
            const bool valued = has_value(source);
            const bool listed = source.kind == ranking::SourceKind::kText || valued;
            tops_.emplace_back(listed ? plan_.limit_of(source) : 0, view.entities);
            orders_.push_back(valued ? order(source, view) : Order());
            has_values_ = has_values_ || orders_.back().members != Members::kNone;
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
        std::vector<ranking::Feature> parts;    ///< Of a cohort's: what is added up.
        double cost = 1;                        ///< Of one value, in nanoseconds.
    };
    static constexpr double kBlockCost = 100'000;
    static constexpr std::size_t kBlockSlotsMin = 16;

    Order order(const ranking::Source& source, const ranking::ShardView& view) const {
        constexpr double kValueCost = 40;
        if (source.kind == ranking::SourceKind::kCohortTop) return cohort_order(view.schema);
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

    /// Events of a week, but for those that speak against an item.
    Order cohort_order(const schema::Schema& schema) const {
        Order out{.members = Members::kPositive};
        for (const SignalTypeId signal : plan_.cohort->signals) {
            if (schema.signals[signal.value()].polarity == schema::Polarity::kNegative) continue;
            out.parts.push_back({.kind = ranking::FeatureKind::kCount,
                                 .signal = signal,
                                 .window = schema::Window::k7d,
                                 .of_cohort = true});
        }
        constexpr double kPartCost = 60;
        out.cost = kPartCost * static_cast<double>(out.parts.size());
        if (out.parts.empty()) out = {};
        return out;
    }

    Result<void> add_parts(const Order& order, ranking::FeatureSource& features) {
        std::ranges::fill(keys_, 0.0);
        part_.resize(slots_.size());
        for (const ranking::Feature& part : order.parts) {
            TIDAL_TRY(features.fill(part, slots_, context_, part_));
            for (std::size_t i = 0; i < slots_.size(); ++i) keys_[i] += part_[i];
        }
        return {};
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
    /// Ordered by a value that every entity has.
    bool has_value(const ranking::Source& source) const {
        return !texts_only_ && source.kind != ranking::SourceKind::kScan &&
               source.kind != ranking::SourceKind::kText;
    }

    /// The sources of texts, among what the scan accepted.
    bool search(const ranking::ShardView& view, StepBudget& budget) {
        for (; searched_ < sources().size(); ++searched_) {
            if (sources()[searched_].kind != ranking::SourceKind::kText || view.texts == nullptr)
                continue;
            if (!search_)
                search_.emplace(*view.texts, plan_.text->query.root, plan_.text->statistics,
                                plan_.text->typos);
            TextCollector collector(tops_[searched_]);
            if (!search_->run(collector, &accepted_,
                              [&](double cost) { return budget.take(cost); }))
                return false;
            search_.reset();
        }
        return true;
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
            } else if (!order.parts.empty()) {
                TIDAL_TRY(add_parts(order, features));
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
    const bool texts_only_;
    CandidateScan scan_;
    const ranking::EvaluationContext context_;
    std::vector<TopItems> tops_;  ///< By source.
    std::vector<Order> orders_;   ///< Likewise.
    std::size_t block_slots_ = ranking::kBlockSlots;
    CandidateScan::Window window_;
    std::optional<SlotBlocks> blocks_;  ///< Of the window's matches.
    std::vector<Slot> slots_;           ///< The block at hand; empty = offered to every list.
    std::vector<double> keys_, part_;
    std::size_t source_ = 0;
    bool has_values_ = false;  ///< Some source.
    Roaring accepted_;         ///< Of all windows, for searches of texts.
    std::optional<text::Search> search_;
    std::size_t searched_ = 0;
    std::vector<SourceList> lists_;
};

SourcesRun::SourcesRun(const FeedPlan& plan, bool texts_only)
    : state_(std::make_unique<State>(plan, texts_only)) {}
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
