#include "query/feed_run.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "query/internal/candidate_lists.h"
#include "query/internal/candidate_scan.h"
#include "query/internal/item_order.h"
#include "query/internal/run_facets.h"
#include "query/internal/shown_before.h"
#include "query/internal/top_items.h"
#include "query/internal/view_page.h"
#include "query/slot_blocks.h"
#include "ranking/embedding_name.h"
#include "ranking/table_features.h"

namespace tidal::query {
namespace {

/// Entries beyond those wanted: so many may be deleted, expire or change while a run is under way
/// before its page is short of them.
constexpr std::size_t kSpare = 32;
// Nanoseconds.
constexpr double kViewCost = 100'000;
constexpr double kOutsideCost = 100;  ///< Of one that may be explored.
constexpr double kRowCost = 5'000;
constexpr std::uint32_t kTextRows = 10;  ///< Read at once.
constexpr double kCheckCost = 30'000;    ///< Of the entries, whether they still match.

}  // namespace

class FeedRun::State {
public:
    State(const FeedPlan& plan, bool ends_behind)
        : plan_(plan),
          ends_behind_(ends_behind && !plan.moment_is_kept),
          order_(plan.descending()),
          context_{.now_ms = plan.now_ms,
                   .seed = plan.seed,
                   .params = plan.params,
                   .anchors = &plan.anchors,
                   .cohort = plan.cohort_read()} {}

    Result<bool> step(const ranking::ShardView& view, StepBudget& budget, TopViews* views) {
        assert(view.kind == plan_.kind);
        view_.emplace(view);
        ++steps_;
        for (; stage_ != Stage::kDone; stage_ = Stage(std::uint8_t(stage_) + 1)) {
            TIDAL_ASSIGN(const bool through, go_on(budget, views));
            if (!through) return false;
            if (behind_ms_ != 0 || read_off_) return true;
        }
        return true;
    }

    ShardPage take() { return std::move(page_); }
    UnixMillis behind_ms() const { return behind_ms_; }

private:
    enum class Stage : std::uint8_t {
        kView,
        kPrepare,
        kMatch,
        kMatchView,
        kGroups,
        kScore,
        kFacets,
        kCollect,
        kDone
    };

    /// False = the budget is spent before the end of the stage.
    Result<bool> go_on(StepBudget& budget, TopViews* views) {
        // Filters and facets need to know what matches one by one.
        const bool by_member = plan_.filter || !plan_.facets.empty();
        if (stage_ == Stage::kView)
            return by_member ? Result<bool>(true) : read_view(budget, views, nullptr);
        if (!top_) begin();
        switch (stage_) {
            case Stage::kPrepare:
                return ranked_ ? Result<bool>(true) : prepare(budget);
            case Stage::kMatch:
                return ranked_ || match(budget);
            case Stage::kMatchView:
                return by_member ? read_view(budget, views, &matched_) : Result<bool>(true);
            case Stage::kGroups:
                return groups_ ? groups_->find(matched_, budget) : Result<bool>(true);
            case Stage::kScore:
                return ranked_ ? Result<bool>(true) : score(budget);
            case Stage::kFacets:
                return count_facets(budget);
            case Stage::kCollect: {
                TIDAL_ASSIGN(const bool collected, collect(budget));
                return collected && drop_changed(budget);
            }
            case Stage::kView:
            case Stage::kDone:
                break;
        }
        return true;
    }

    /// What borrows the view: one object, at one place, of which each step makes a new one.
    void begin() {
        scan_.emplace(plan_);
        window_.emplace();
        shown_.emplace(plan_, view_->entities);
        if (plan_.explain) begin_scoring();
        const ShardOrder order(plan_.descending(), plan_.text_field, view_->entities);
        top_.emplace(plan_.keep + kSpare, order);
        placement_.emplace(plan_.pins, plan_.sorted_by ? &*plan_.sorted_by : nullptr,
                           view_->entities);
        facets_.emplace(plan_, *view_);
    }

    /// Not for a page from a view, whose entries are scored already.
    void begin_scoring() {
        if (tables_) return;
        tables_.emplace(*view_);
        features_.emplace(plan_, *tables_);
        evaluator_.emplace(plan_.profile->program, *features_, context_);
        if (plan_.explain) explainer_.emplace(plan_.profile->explain, *features_, context_);
        if (plan_.group)
            groups_.emplace(*plan_.group,
                            ShardOrder(plan_.descending(), plan_.text_field, view_->entities),
                            view_->entities);
        if (plan_.explore_percent != 0)
            exploration_.emplace(view_->schema, view_->entities,
                                 plan_.user ? &*plan_.user : nullptr, plan_.seed);
    }

    Result<bool> prepare(StepBudget& budget) {
        while (plan_.text_field && !texts_built_) {
            if (!budget.take(kTextRows * kRowCost)) return false;
            TIDAL_ASSIGN(texts_built_, view_->entities.build_texts(*plan_.text_field, kTextRows));
        }
        begin_scoring();
        return features_->prepare(*view_, budget) && scan_->prepare(*view_, budget);
    }

    /// The first entries without a scan, if the order is kept as a view.
    Result<bool> read_view(StepBudget& budget, TopViews* views, const Roaring* matched) {
        if (views == nullptr || plan_.text || plan_.reordered || !plan_.scans()) return true;
        if (!budget.take(kViewCost)) return false;
        if (ends_behind_ && matched == nullptr)
            behind_ms_ = views->moment_after(*plan_.profile, plan_.params, plan_.now_ms);
        if (behind_ms_ != 0) return true;
        TIDAL_ASSIGN(const auto front, page_from_view(*view_, plan_, *views, matched));
        if (!front) return true;
        if (matched == nullptr) page_.counts = front->counts;
        page_.counts.scored = front->counts.scored;
        if (matched == nullptr && !plan_.explain && plan_.diversity.empty()) {
            read_off(front->items);
            return true;
        }
        ranked_ = true;
        if (!top_) begin();
        for (const ScoredSlot& entry : front->items) top_->append(entry.key, entry.slot);
        return true;
    }

    /// The page is the front of the view: nothing else is to be found out about it.
    void read_off(std::span<const ScoredSlot> front) {
        page_.items.reserve(front.size());
        for (const ScoredSlot& entry : front) {
            // The views are told of what is deleted.
            assert(view_->entities.generation_of(entry.slot) != HybridTime());
            ScoredItem& item = page_.items.emplace_back();
            item.id = view_->entities.id_of(entry.slot);
            item.key = entry.key;
            item.score = order_.key(entry.key);
            item.slot = entry.slot;
        }
        page_.more = front.size() >= plan_.keep;
        read_off_ = true;
    }

    /// All windows: what the filter accepts, and facets.
    bool match(StepBudget& budget) {
        const Roaring* listed = plan_.scans() ? nullptr : &features_->listed();
        for (;;) {
            if (!facets_counted_ && !facets_->add(window_->asked, window_->matched, budget))
                return false;
            facets_counted_ = true;
            if (!scan_->next(*view_, listed, budget, &*window_,
                             plan_.explain ? &page_.filter_trace : nullptr))
                break;
            page_.counts.candidates += window_->candidates.cardinality();
            page_.counts.matched += window_->matched.cardinality();
            matched_ |= window_->matched;
            facets_counted_ = false;
        }
        if (!scan_->at_end()) return false;
        blocks_.emplace(facets_->scored(matched_));
        unscored_ = facets_->scored(matched_).cardinality();
        return true;
    }

    bool count_facets(StepBudget& budget) {
        if (!facets_->finish(matched_, budget)) return false;
        page_.facets = facets_->take();
        return true;
    }

    Result<bool> score(StepBudget& budget) {
        const ranking::Program& program = plan_.profile->program;
        while (!blocks_->at_end()) {
            const std::uint64_t slots = std::min<std::uint64_t>(program.block_slots, unscored_);
            if (!budget.take(static_cast<double>(program.cost) * static_cast<double>(slots)))
                return false;
            TIDAL_TRY(score_block());
            unscored_ -= slots;
        }
        if (plan_.profile->program.gate) page_.counts.matched = passed_;
        if (plan_.explored_source && !outside_offered_) {
            TIDAL_ASSIGN(outside_offered_, offer_outside(budget));
            if (!outside_offered_) return false;
        }
        return !groups_ ||
               groups_->drain(budget, [&](double key, Slot slot) { top_->offer(key, slot); });
    }

    /// What may be explored though no list has it: it is in the pool or nowhere.
    Result<bool> offer_outside(StepBudget& budget) {
        const ranking::CompiledProfile& profile = *plan_.profile;
        // What is refused for a state is in no list.
        const bool gated = profile.profile.gates.size() > profile.program.refused_states.size();
        const double cost = kOutsideCost + (gated ? profile.program.cost : 0);
        if (!budget.take(cost * kExploredNewest)) return false;
        const Roaring slots = scan_->still_matching(*view_, features_->explored());
        SlotBlocks blocks(slots);
        while (!blocks.at_end()) {
            unseen_.clear();
            for (const std::uint32_t slot : blocks.next(profile.program.block_slots))
                if (placement_->is_free(Slot(slot)) && !shown_->contains(0, Slot(slot)))
                    unseen_.push_back(Slot(slot));
            if (gated && !unseen_.empty()) {
                TIDAL_TRY(evaluator_->run(unseen_));
                const auto gates = evaluator_->gates(unseen_.size());
                std::size_t at = 0;
                std::erase_if(unseen_, [&](Slot) { return gates[at++] == 0; });
            }
            TIDAL_TRY(exploration_->offer(unseen_, *features_, context_));
        }
        return true;
    }

    Result<void> score_block() {
        const auto block = blocks_->next(plan_.profile->program.block_slots);
        slots_.resize(block.size());
        std::ranges::transform(block, slots_.begin(),
                               [](std::uint32_t slot) { return Slot(slot); });
        TIDAL_ASSIGN(const auto scores, evaluator_->run(slots_));
        page_.counts.scored += slots_.size();
        std::span<const double> gates;
        if (plan_.profile->program.gate) {
            gates = facets_->see_gates(slots_, evaluator_->gates(slots_.size()), matched_);
            passed_ += slots_.size() - static_cast<std::size_t>(std::ranges::count(gates, 0.0));
        }
        placement_->begin();
        if (!groups_ && !exploration_ && !plan_.mutes() && placement_->changes_nothing()) {
            offer_best(scores, gates);
            return {};
        }
        unseen_.clear();
        for (std::size_t i = 0; i < slots_.size(); ++i)
            if (gates.empty() || gates[i] != 0)
                place(placement_->key(order_.key(heard(scores[i], slots_[i])), slots_[i]),
                      slots_[i]);
        if (exploration_) return exploration_->offer(unseen_, *features_, context_);
        return {};
    }

    /// The score, of a muted creator's item a tenth of the way to the end of the order.
    double heard(double score, Slot slot) const {
        if (!plan_.mutes() || !plan_.is_muted(view_->entities.creator_of(slot))) return score;
        return score + muted_part(score);
    }
    double muted_part(double score) const {
        const bool towards_zero = (score >= 0) == plan_.descending();
        return (towards_zero ? score * kMutePenalty : score / kMutePenalty) - score;
    }

    /// The explanation with what muting adds, after which the terms still add up.
    Result<ranking::Explanation> explain(Slot slot) {
        TIDAL_ASSIGN(ranking::Explanation out, explainer_->explain(slot));
        if (!plan_.mutes() || !plan_.is_muted(view_->entities.creator_of(slot))) return out;
        out.terms.push_back({"muted creator", muted_part(out.sum())});
        return out;
    }

    /// Most of a scan ends here: the bar rises while it goes on, so each is asked again.
    void offer_best(std::span<const double> scores, std::span<const double> gates) {
        for (const std::uint32_t i : evaluator_->at_least(order_.key(1), top_->least())) {
            if (!gates.empty() && gates[i] == 0) continue;
            const double key = order_.key(scores[i]);
            if (top_->admits(key) && !shown_->contains(key, slots_[i])) top_->offer(key, slots_[i]);
        }
    }

    void place(double key, Slot slot) {
        if (exploration_ && placement_->is_free(slot) && !shown_->contains(key, slot))
            unseen_.push_back(slot);
        if (groups_) {
            if (shown_->contains(key, slot)) return;  // The cursor counts it.
            if (Pins::is_pinned(key) || !groups_->offer(key, slot)) top_->offer(key, slot);
        } else if (top_->admits(key) && !shown_->contains(key, slot)) {
            top_->offer(key, slot);
        }
    }

    /// False = the budget is spent.
    Result<bool> collect(StepBudget& budget) {
        if (!collecting_) {
            page_.more = top_->size() >= plan_.keep;
            entries_ = steps_ == 1 ? top_->take_unchanged() : top_->take();
            page_.items.reserve(entries_.size());
            collecting_ = true;
        }
        const double cost =
            (plan_.diversity.empty() ? 0 : kRowCost) +
            (explainer_ ? 4.0 * static_cast<double>(plan_.profile->program.cost) : 0) + 100;
        for (; collected_ < entries_.size(); ++collected_) {
            if (!budget.take(cost)) return false;
            auto& entry = entries_[collected_];
            ScoredItem& item = page_.items.emplace_back();
            item.key = entry.key;
            item.score = order_.key(placement_->key_of_score(entry.key, entry.slot));
            item.text = std::move(entry.text);
            if (groups_) set_group(groups_->name_of(entry.slot), &item);
            TIDAL_TRY(describe(entry.slot, &item));
        }
        return exploration_ ? collect_pool(budget) : Result<bool>(true);
    }

    /// What exploration may choose from: few, so in one piece but for the rows that rules read.
    Result<bool> collect_pool(StepBudget& budget) {
        constexpr double kDrawCost = 600;
        if (!drawn_) {
            const double score_cost = plan_.profile->program.cost;
            if (!budget.take((kDrawCost + score_cost) * kExplorationPool)) return false;
            TIDAL_ASSIGN(pool_, exploration_->take(*features_, context_));
            TIDAL_TRY(score_pool());
            drawn_ = true;
        }
        const double cost =
            (plan_.diversity.empty() && !groups_ ? 0 : kRowCost) +
            (explainer_ ? 4.0 * static_cast<double>(plan_.profile->program.cost) : 0) + 100;
        for (; page_.pool.size() < pool_.size();) {
            if (!budget.take(cost)) return false;
            const auto& [entry, drawn] = pool_[page_.pool.size()];
            const double score = pool_scores_[page_.pool.size()];
            ScoredItem& item = page_.pool.emplace_back();
            item.score = score;
            item.key = order_.key(score);
            item.explored = std::make_unique<const Exploration>(drawn);
            if (groups_) {
                TIDAL_ASSIGN(auto name, groups_->read_name(entry.slot));
                set_group(std::move(name), &item);
            }
            TIDAL_TRY(describe(entry.slot, &item));
        }
        return true;
    }

    /// By slot, as features are read.
    Result<void> score_pool() {
        std::vector<std::size_t> order(pool_.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::ranges::sort(order, {}, [&](std::size_t at) { return pool_[at].first.slot; });
        pool_scores_.resize(pool_.size());
        const std::size_t most = plan_.profile->program.block_slots;
        for (std::size_t begin = 0; begin < order.size(); begin += most) {
            const std::span block =
                std::span(order).subspan(begin, std::min(most, order.size() - begin));
            slots_.clear();
            for (const std::size_t at : block) slots_.push_back(pool_[at].first.slot);
            TIDAL_ASSIGN(const auto scores, evaluator_->run(slots_));
            for (std::size_t i = 0; i < block.size(); ++i)
                pool_scores_[block[i]] = heard(scores[i], slots_[i]);
        }
        return {};
    }

    static void set_group(std::optional<std::string> name, ScoredItem* item) {
        if (name) item->group = std::make_unique<const std::string>(*std::move(name));
    }

    /// What an entry shows beside its place.
    Result<void> describe(Slot slot, ScoredItem* item) {
        item->id = view_->entities.id_of(slot);
        item->slot = slot;
        if (plan_.text) item->text_score = text_score(slot);
        if (plan_.text && !plan_.text_matches && features_)
            item->fused_score = features_->fused(slot);
        if (plan_.nearness) {
            TIDAL_ASSIGN(item->vector_score, vector_score(slot));
        }
        if (!plan_.diversity.empty()) {
            TIDAL_ASSIGN(DiverseItem diverse, diverse_item(item->id));
            item->diverse = std::make_unique<DiverseItem>(std::move(diverse));
        }
        if (explainer_) {
            TIDAL_ASSIGN(ranking::Explanation why, explain(slot));
            // Its terms have the signals that came since it was ranked, between steps.
            if (steps_ > 1) item->score = why.sum();
            item->explanation = std::make_unique<const ranking::Explanation>(std::move(why));
        }
        return {};
    }

    std::optional<double> text_score(Slot slot) {
        if (!features_) return std::nullopt;
        double out = 0;
        features_->text_scores({&slot, 1}, {&out, 1});
        return out;
    }

    Result<std::optional<double>> vector_score(Slot slot) {
        std::optional<double> out;
        if (!features_) return out;
        if (plan_.anchors.find(plan_.nearness->slot, plan_.nearness->anchor) == nullptr ||
            features_->is_missing(*plan_.nearness, slot))
            return out;
        TIDAL_TRY(features_->fill(*plan_.nearness, {&slot, 1}, context_, {&out.emplace(), 1}));
        return out;
    }

    /// Without what changed while the run was under way: the last thing it does.
    bool drop_changed(StepBudget& budget) {
        if (steps_ == 1) {
            trim();
            return true;
        }
        if (!budget.take(kCheckCost)) return false;
        Roaring slots;
        for (const auto& entry : entries_)
            if (view_->entities.generation_of(entry.slot) == entry.generation)
                slots.add(entry.slot.value());
        for (const auto& [entry, drawn] : pool_)
            if (view_->entities.generation_of(entry.slot) == entry.generation)
                slots.add(entry.slot.value());
        const Roaring matching = scan_->still_matching(*view_, slots);
        const auto refused = [&](const ScoredItem& item) {
            return !matching.contains(item.slot.value());
        };
        std::erase_if(page_.items, refused);
        std::erase_if(page_.pool, refused);
        trim();
        return true;
    }
    void trim() {
        if (page_.items.size() > plan_.keep)
            page_.items.erase(page_.items.begin() + plan_.keep, page_.items.end());
    }

    /// What the plan's rules look at.
    Result<DiverseItem> diverse_item(const EntityId& id) {
        DiverseItem out;
        TIDAL_ASSIGN(const auto entity, view_->entities.get(id));
        for (const ranking::DiversityRule& rule : plan_.diversity) {
            RuleValues values;
            if (rule.kind == ranking::DiversityKind::kMmr) {
                out.vectors.push_back(entity ? vector_of(rule, entity->slot) : RuleVector());
            } else if (rule.kind == ranking::DiversityKind::kMaxPerCreator) {
                if (entity && entity->creator) values.push_back(entity->creator->to_string());
            } else if (entity) {
                values = values_of(*entity, *view_->schema.find_field(plan_.kind, rule.name));
            }
            out.values.push_back(std::move(values));
        }
        return out;
    }

    /// Of a rule that keeps what is alike apart; no values where the entity has no vector.
    RuleVector vector_of(const ranking::DiversityRule& rule, Slot slot) const {
        const auto& spec = *ranking::find_embedding(view_->schema, plan_.kind, rule.name);
        RuleVector out{.metric = spec.metric, .values = {}};
        const auto* const vectors =
            view_->vectors == nullptr ? nullptr : view_->vectors->find(spec.id);
        if (vectors != nullptr && vectors->has(slot))
            out.values = vector::comparable(spec.metric, vectors->values(slot));
        return out;
    }

    static RuleValues values_of(const entity::EntityView& entity, const schema::FieldSpec& field) {
        for (const auto& [id, value] : entity.fields) {
            if (id != field.id) continue;
            if (const auto* text = std::get_if<std::string>(&value)) return {*text};
            if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return *list;
            if (const auto* flag = std::get_if<bool>(&value)) return {*flag ? "true" : "false"};
        }
        return {};
    }

    const FeedPlan& plan_;
    const bool ends_behind_;
    UnixMillis behind_ms_ = 0;
    const ItemOrder order_;
    const ranking::EvaluationContext context_;
    Stage stage_ = Stage::kView;
    std::uint64_t steps_ = 0;  ///< With one, nothing changed while the run was under way.
    std::optional<ranking::ShardView> view_;  ///< Of the step under way.
    std::optional<ranking::TableFeatureSource> tables_;
    std::optional<RankedFeatures> features_;
    std::optional<ranking::Evaluator> evaluator_, explainer_;
    std::optional<TopItems> top_;
    std::optional<CandidateScan> scan_;
    std::optional<ShownBefore> shown_;
    std::optional<Placement> placement_;
    std::optional<ShardGroups> groups_;
    std::optional<ShardExploration> exploration_;
    std::vector<Slot> unseen_;  ///< Of a block: what exploration may choose.
    std::vector<std::pair<TopItems::Entry, Exploration>> pool_;
    std::vector<double> pool_scores_;  ///< By entry of it.
    bool drawn_ = false, outside_offered_ = false;
    std::optional<RunFacets> facets_;
    std::optional<CandidateScan::Window> window_;
    bool facets_counted_ = true;  ///< Of the window.
    Roaring matched_;
    std::optional<SlotBlocks> blocks_;  ///< Of what is scored.
    std::uint64_t unscored_ = 0;        ///< Of these.
    std::uint64_t passed_ = 0;          ///< Of matched_, the requirements.
    bool ranked_ = false;               ///< By a view.
    bool read_off_ = false;             ///< Likewise, and the page is whole.
    bool texts_built_ = false;
    std::vector<Slot> slots_;
    std::vector<TopItems::Entry> entries_;
    bool collecting_ = false;
    std::size_t collected_ = 0;
    ShardPage page_;
};

FeedRun::FeedRun(const FeedPlan& plan, bool ends_behind)
    : state_(std::make_unique<State>(plan, ends_behind)) {}
FeedRun::~FeedRun() = default;
FeedRun::FeedRun(FeedRun&&) noexcept = default;
Result<bool> FeedRun::step(const ranking::ShardView& view, StepBudget budget, TopViews* views) {
    return state_->step(view, budget, views);
}
ShardPage FeedRun::take() {
    return state_->take();
}
UnixMillis FeedRun::behind_ms() const {
    return state_->behind_ms();
}

Result<ShardPage> run_feed(const ranking::ShardView& view, const FeedPlan& plan, TopViews* views) {
    FeedRun run(plan);
    for (;;) {
        TIDAL_ASSIGN(const bool done, run.step(view, StepBudget(), views));
        if (done) return run.take();
    }
}

}  // namespace tidal::query
