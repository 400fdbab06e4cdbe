// query/internal/candidate_lists.h: what the lists of a profile's sources say of entities.
#pragma once

#include <optional>
#include <vector>

#include "query/feed.h"
#include "query/internal/creator_sieve.h"
#include "query/step_budget.h"
#include "ranking/feature.h"
#include "text/search.h"

namespace tidal::query {

/// The value a source is ordered by, greatest first; entities of 0 or less are not of a signal's
/// list, and those without a vector of no `ann`. Precondition: the source has an order that
/// queries know, of one value.
ranking::Feature order_of(const ranking::Source& source, const schema::Schema& schema,
                          EntityKind kind);
/// What of all positive signals is added up for `popular`; none = it is empty.
std::vector<ranking::Feature> popularity_of(const schema::Schema& schema);
/// What of the cohorts that a plan lists is added up for `cohort_top`: events of a week, but for
/// those that speak against an item; none = it is empty.
struct CohortPart {
    std::optional<CohortId> cohort;  ///< nullopt = everybody.
    ranking::Feature events;
};
std::vector<CohortPart> cohort_parts(const FeedPlan& plan, const schema::Schema& schema);
/// The order of a source, of any but `co_engaged` and `collection`. Of what is explored
/// (plan.explored_source) 0 is what is known or older than 1970.
Result<void> fill_order(const FeedPlan& plan, std::size_t source, const ranking::ShardView& view,
                        std::span<const Slot> slots, const ranking::EvaluationContext& context,
                        std::span<double> out);

/// Adds what the lists of a union say of an entity (rank(source)), how its user stands to its
/// creator (follows(creator), affinity(creator)), since when nothing was heard of the user
/// (days_since_last(polarity)), and how well its texts answer the query (bm25), to the features of
/// the tables.
class RankedFeatures final : public ranking::FeatureSource {
public:
    RankedFeatures(const FeedPlan& plan, ranking::FeatureSource& tables);

    /// Looks up what is listed. False = the budget is spent, call again. Before anything else.
    bool prepare(const ranking::ShardView& view, StepBudget& budget);

    Result<void> fill(const ranking::Feature& feature, std::span<const Slot> slots,
                      const ranking::EvaluationContext& context, std::span<double> out) override;
    std::span<const double> numbers(const ranking::Feature& feature,
                                    std::span<const Slot> slots) const override {
        return tables_.numbers(feature, slots);
    }
    bool is_missing(const ranking::Feature& feature, Slot slot) const override;
    /// How well texts answer the request's query. @param slots  Rising.
    void text_scores(std::span<const Slot> slots, std::span<double> out);
    /// The lists' ranks as `fused` adds them up, whatever the profile makes of them.
    double fused(Slot slot) const;
    /// Slots that some list of the union has, and the pinned ones.
    const Roaring& listed() const { return listed_; }
    /// What is listed to be explored and by no other list.
    Roaring explored() const { return explored_ - listed_; }

private:
    double rank_score(std::size_t source, Slot slot) const;
    /// False = the budget is spent.
    bool take_matches(const ranking::ShardView& view, StepBudget& budget);
    /// Of what days_since_last(polarity) is about; nullopt = nothing is known.
    std::optional<UnixMillis> newest_ms(const ranking::Feature& feature) const;
    double days_since_last(const ranking::Feature& feature) const;
    /// follows(creator) and affinity(creator).
    void fill_of_creators(const ranking::Feature& feature, std::span<const Slot> slots,
                          std::span<double> out) const;

    bool count_friends(const ranking::ShardView& view, StepBudget& budget);

    const FeedPlan& plan_;
    const CreatorSieve creators_;
    ranking::FeatureSource& tables_;
    const entity::EntityTable* entities_ = nullptr;                         ///< Since prepare().
    std::optional<ranking::ShardView> view_;                                ///< Likewise.
    std::vector<absl::flat_hash_map<std::uint32_t, std::uint32_t>> ranks_;  ///< By slot.
    Roaring listed_, explored_;
    std::optional<text::Search> text_;
    std::optional<text::Search> matches_;  ///< While they are taken.
    struct Friends {
        audience::StateId state;
        absl::flat_hash_map<std::uint32_t, std::uint32_t> counts;  ///< By slot.
    };
    std::vector<Friends> friends_;  ///< One for each state that the profile reads.
    // Where prepare() goes on.
    std::size_t friend_ = 0;
    std::size_t source_ = 0;
    std::size_t next_ = 0;
};

}  // namespace tidal::query
