#include <algorithm>
#include <limits>

#include "audience/collections.h"
#include "query/feed_run.h"
#include "query/internal/ann_run.h"
#include "query/internal/best_slots.h"
#include "query/internal/candidate_lists.h"
#include "query/internal/candidate_scan.h"
#include "query/internal/source_walk.h"
#include "query/internal/top_items.h"
#include "query/slot_blocks.h"
#include "ranking/embedding_name.h"
#include "ranking/table_features.h"
#include "text/search.h"

namespace tidal::query {

namespace {

/// What a search of texts finds, for the list of its source.
class TextCollector final : public text::Collector {
public:
    explicit TextCollector(BestSlots& best) : best_(best) {}
    double least() const override { return best_.least(); }
    void offer(double score, std::uint32_t slot) override { best_.offer(score, Slot(slot)); }

private:
    BestSlots& best_;
};

}  // namespace

class SourcesRun::State {
public:
    State(const FeedPlan& plan, bool texts_only)
        : plan_(plan),
          texts_only_(texts_only),
          scan_(plan, !plan.text),  // What is searched for is found, seen or not.
          context_{.now_ms = plan.now_ms,
                   .seed = plan.seed,
                   .params = plan.params,
                   .anchors = &plan.anchors,
                   .cohort = plan.cohort_read()},
          walk_(plan, scan_, context_) {}

    Result<bool> step(const ranking::ShardView& view, StepBudget& budget, TopViews* views) {
        if (!scan_.prepare(view, budget)) return false;
        if (tops_.empty()) begin(view);
        TIDAL_ASSIGN(const bool walked, walk(view, budget, views));
        if (!walked) return false;
        if (one_by_one_) {
            TIDAL_ASSIGN(const bool through, go_through_graphs(view, budget));
            return through && search(view, budget) && finish(view, budget);
        }
        for (;;) {
            if (!slots_.empty()) {
                TIDAL_ASSIGN(const bool offered, offer(view, budget));
                if (!offered) return false;
            } else if (blocks_ && !blocks_->at_end()) {
                next_block();
            } else if (scan_.next(view, nullptr, budget, &window_, nullptr)) {
                if (plan_.text || has_graphs_) accepted_ |= window_.matched;
                if (has_values_) blocks_.emplace(window_.matched);
            } else {
                if (!scan_.at_end()) return false;
                TIDAL_ASSIGN(const bool through, go_through_graphs(view, budget));
                return through && search(view, budget) && finish(view, budget);
            }
        }
    }

    std::vector<SourceList> take() { return std::move(lists_); }
    const std::vector<vector::SearchTrace>& traces() const { return traces_; }
    const text::SearchTrace& text_trace() const { return text_trace_; }

private:
    const std::vector<ranking::Source>& sources() const { return plan_.sources; }

    void begin(const ranking::ShardView& view) {
        traces_.resize(sources().size());
        for (const ranking::Source& source : sources()) {
            const bool valued = has_value(source) && plan_.reads(source);
            const bool listed = is_text(source) || valued;
            tops_.emplace_back(listed ? plan_.limit_of(source) : 0, view.entities);
            orders_.push_back(valued ? order(orders_.size(), view) : Order());
            has_graphs_ = has_graphs_ || orders_.back().members == Members::kOfGraphs;
        }
        one_by_one_ = !plan_.text || !plan_.filter;
    }

    /// The lists that need no look at all entities; what is left decides whether there is one.
    Result<bool> walk(const ranking::ShardView& view, StepBudget& budget, TopViews* views) {
        for (; walked_ < orders_.size(); ++walked_) {
            Order& order = orders_[walked_];
            if (order.members == Members::kNone || order.members == Members::kOfGraphs) continue;
            if (!plan_.text) {
                if (!scan_.accept(view, budget)) return false;
                TIDAL_ASSIGN(const auto outcome,
                             walk_.step(view, walked_, views, budget, &tops_[walked_]));
                if (outcome == SourceWalk::Outcome::kAgain) return false;
                if (outcome == SourceWalk::Outcome::kDone) order.members = Members::kNone;
                if (outcome == SourceWalk::Outcome::kDone) continue;
            }
            has_values_ = true;
            one_by_one_ = false;
            block_slots_ =
                std::min(block_slots_,
                         std::max<std::size_t>(kBlockSlotsMin,
                                               static_cast<std::size_t>(kBlockCost / order.cost)));
        }
        return true;
    }

    /// Who is in a source's list at all.
    enum class Members : std::uint8_t {
        kNone,
        kAll,
        kPositive,
        kWithValue,
        kFollowed,
        kOfGraphs,
        kOfCollection
    };
    struct Order {
        ranking::Feature by;
        Members members = Members::kNone;
        const CoEngaged* co_engaged = nullptr;  ///< Of a source of what is liked together.
        std::optional<CollectionId> collection;
        double cost = 1;  ///< Of one value, in nanoseconds.
    };
    static constexpr double kBlockCost = 100'000;
    static constexpr std::size_t kBlockSlotsMin = 16;

    Order order(std::size_t at, const ranking::ShardView& view) const {
        constexpr double kValueCost = 40, kCohortPartCost = 60;
        const ranking::Source& source = sources()[at];
        if (source.kind == ranking::SourceKind::kCollection) return collection_order(at);
        if (source.kind == ranking::SourceKind::kCohortTop)
            return sum_order(kCohortPartCost, cohort_parts(plan_, view.schema).size());
        if (source.kind == ranking::SourceKind::kPopular)
            return sum_order(kValueCost, popularity_of(view.schema).size());
        if (ranking::lacks_embeddings(source, plan_.profile->profile.sources, view.schema,
                                      view.kind))
            return {};
        Order out{.by = order_of(source, view.schema, view.kind),
                  .members = Members::kPositive,
                  .cost = kValueCost};
        if (source.kind == ranking::SourceKind::kCoEngaged) {
            out.co_engaged = plan_.find_co_engaged(source.anchor);
            if (out.co_engaged == nullptr) out.members = Members::kNone;
        }
        if (source.kind == ranking::SourceKind::kRecent && at != plan_.explored_source)
            out.members = Members::kAll;
        if (source.kind == ranking::SourceKind::kFollows) out.members = Members::kFollowed;
        if (source.kind != ranking::SourceKind::kAnn) return out;
        const bool near = plan_.anchors.find(out.by.slot, out.by.anchor) != nullptr;
        out.members = near ? Members::kWithValue : Members::kNone;
        if (near && has_graphs(view, out.by.slot)) out.members = Members::kOfGraphs;
        out.cost = out.by.nanoseconds;
        return out;
    }

    /// Places in a collection, the least first.
    Order collection_order(std::size_t source) const {
        constexpr double kMemberCost = 10;
        return {.by = {},
                .members = Members::kOfCollection,
                .collection = plan_.collections[source],
                .cost = kMemberCost};
    }

    /// NaN = it is not in the collection.
    void fill_positions(const ranking::ShardView& view, CollectionId collection) {
        const auto* const in =
            view.collections == nullptr ? nullptr : view.collections->find(collection);
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            keys_[i] = std::numeric_limits<double>::quiet_NaN();
            if (in == nullptr || !in->slots.contains(slots_[i].value())) continue;
            keys_[i] = -in->members.at(slots_[i].value()).position;
        }
    }

    /// Of so many values added up.
    static Order sum_order(double part_cost, std::size_t parts) {
        Order out;
        if (parts == 0) return out;
        out.members = Members::kPositive;
        out.cost = part_cost * static_cast<double>(parts);
        return out;
    }

    bool has_graphs(const ranking::ShardView& view, EmbeddingSlotId slot) const {
        return plan_.effort != vector::Effort::kExact && view.vectors != nullptr &&
               view.vectors->find_graphs(slot) != nullptr &&
               !view.vectors->find_graphs(slot)->segments().empty();
    }

    bool is_member(const ranking::ShardView& view, const Order& order,
                   const ranking::FeatureSource& features, std::size_t i) const {
        if (order.members == Members::kOfCollection) return true;
        if (order.members == Members::kPositive) return keys_[i] > 0;
        if (order.members == Members::kFollowed) {
            const EntityId* const creator = view.entities.creator_of(slots_[i]);
            return creator != nullptr && plan_.user->followed.contains(*creator);
        }
        return order.members == Members::kAll || !features.is_missing(order.by, slots_[i]);
    }
    bool is_text(const ranking::Source& source) const {
        return source.kind == ranking::SourceKind::kText && plan_.reads(source);
    }
    /// Ordered by a value that every entity has.
    bool has_value(const ranking::Source& source) const {
        return !texts_only_ && source.kind != ranking::SourceKind::kScan &&
               source.kind != ranking::SourceKind::kText;
    }

    /// The sources of what is near that have graphs, among what the scan accepted.
    Result<bool> go_through_graphs(const ranking::ShardView& view, StepBudget& budget) {
        for (; near_ < orders_.size(); ++near_) {
            const Order& order = orders_[near_];
            if (order.members != Members::kOfGraphs) continue;
            if (!ann_) {
                constexpr double kSetCost = 20'000, kSetCostOfSlot = 0.05;
                if (one_by_one_ && !scan_.accept(view, budget)) return false;
                const Roaring* const accepted = set_of_graphs();
                const std::uint32_t slots = accepted == nullptr ? 0 : view.entities.slot_count();
                if (!budget.take(kSetCost + kSetCostOfSlot * static_cast<double>(slots)))
                    return false;
                ann_.emplace(view, order.by, context_, plan_.effort,
                             plan_.limit_of(sources()[near_]), accepted);
            }
            CandidateScan::Leaves leaves(scan_, view);
            leaves.expect_many();
            const auto also = [&](Slot slot) { return !one_by_one_ || leaves(slot); };
            TIDAL_ASSIGN(const bool done, ann_->step(view, tops_[near_], budget, also));
            if (!done) return false;
            traces_[near_] = ann_->trace();
            ann_.reset();
        }
        return true;
    }

    /// nullptr = no smaller one than of all.
    const Roaring* set_of_graphs() const {
        if (!one_by_one_) return &accepted_;
        return plan_.filter ? &scan_.accepted() : nullptr;
    }

    /// The sources of texts, among what the scan accepted.
    bool search(const ranking::ShardView& view, StepBudget& budget) {
        std::optional<CandidateScan::Leaves> leaves;
        if (one_by_one_) leaves.emplace(scan_, view);
        for (; searched_ < sources().size(); ++searched_) {
            if (!is_text(sources()[searched_]) || view.texts == nullptr) continue;
            if (!search_)
                search_.emplace(*view.texts, plan_.text->query.root, plan_.text->statistics,
                                plan_.text->typos);
            BestSlots best(plan_.limit_of(sources()[searched_]), view.entities,
                           leaves ? &*leaves : nullptr, tops_[searched_]);
            TextCollector collector(best);
            const bool done = search_->run(collector, one_by_one_ ? nullptr : &accepted_,
                                           [&](double cost) { return budget.take(cost); });
            best.finish();
            if (!done) return false;
            text_trace_ = search_->trace();
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
            if (order.members == Members::kNone || order.members == Members::kOfGraphs) continue;
            if (!budget.take(order.cost * static_cast<double>(slots_.size()))) return false;
            keys_.resize(slots_.size());
            if (order.co_engaged != nullptr) {
                fill_co_engaged(view, *order.co_engaged, plan_.now_ms, slots_, keys_);
            } else if (order.collection) {
                fill_positions(view, *order.collection);
            } else {
                TIDAL_TRY(fill_order(plan_, source_, view, slots_, context_, keys_));
            }
            if (sources()[source_].kind == ranking::SourceKind::kAnn && plan_.explain)
                trace_scan(features, order, &traces_[source_]);
            TopItems& top = tops_[source_];
            for (std::size_t i = 0; i < slots_.size(); ++i)
                if (keys_[i] == keys_[i] && top.admits(keys_[i]) &&
                    is_member(view, order, features, i))
                    top.offer(keys_[i], slots_[i]);
        }
        slots_.clear();
        return true;
    }

    void trace_scan(const ranking::FeatureSource& features, const Order& order,
                    vector::SearchTrace* trace) const {
        for (const Slot slot : slots_) {
            const std::uint64_t has = features.is_missing(order.by, slot) ? 0 : 1;
            trace->candidates += has;
            trace->compared += has;
        }
    }

    bool finish(const ranking::ShardView& view, StepBudget& budget) {
        constexpr double kEntryCost = 100;
        while (lists_.size() < tops_.size()) {
            TopItems& top = tops_[lists_.size()];
            if (!budget.take(kEntryCost * static_cast<double>(top.size()))) return false;
            SourceList& list = lists_.emplace_back();
            const auto entries = top.take();
            for (const auto& entry : entries) view.entities.prefetch_entity(entry.slot);
            list.reserve(entries.size());
            for (const auto& entry : entries)
                list.push_back({view.entities.id_of(entry.slot), entry.key, entry.slot});
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
    std::vector<double> keys_;
    std::size_t source_ = 0;
    bool has_values_ = false;  ///< Some source, of what is offered block by block.
    bool has_graphs_ = false;  ///< Some source.
    /// Whoever asks asks about few: no need to know all that would be accepted.
    bool one_by_one_ = false;
    SourceWalk walk_;
    std::size_t walked_ = 0;  ///< Sources that were asked.
    Roaring accepted_;        ///< Of all windows, for graphs and searches of texts.
    std::optional<AnnRun> ann_;
    std::size_t near_ = 0;                     ///< The source it is of.
    std::vector<vector::SearchTrace> traces_;  ///< By source.
    std::optional<text::Search> search_;
    text::SearchTrace text_trace_;
    std::size_t searched_ = 0;
    std::vector<SourceList> lists_;
};

SourcesRun::SourcesRun(const FeedPlan& plan, bool texts_only)
    : state_(std::make_unique<State>(plan, texts_only)) {}
SourcesRun::~SourcesRun() = default;
SourcesRun::SourcesRun(SourcesRun&&) noexcept = default;
Result<bool> SourcesRun::step(const ranking::ShardView& view, StepBudget budget, TopViews* views) {
    return state_->step(view, budget, views);
}
std::vector<SourceList> SourcesRun::take() {
    return state_->take();
}

const std::vector<vector::SearchTrace>& SourcesRun::ann_traces() const {
    return state_->traces();
}

const text::SearchTrace& SourcesRun::text_trace() const {
    return state_->text_trace();
}

Result<std::vector<SourceList>> run_sources(const ranking::ShardView& view, const FeedPlan& plan) {
    SourcesRun run(plan);
    for (;;) {
        TIDAL_ASSIGN(const bool done, run.step(view));
        if (done) return run.take();
    }
}

}  // namespace tidal::query
