// query/feed.h: RETRIEVE: the page of entities that a profile puts first.
//
//   plan_feed()      once: names, filter and cursor are checked against schema and profiles
//   read_anchor_item() on the shard of `similar_to`, where something is measured from it
//   run_sources()    on each shard, where the profile has sources with an order: their first
//   merge_sources()  once: the first over all shards, and their ranks
//   run_feed()       on each shard, in its monitor: candidates -> filter -> score -> top k;
//                    either in steps between which the shard is free: feed_run.h
//   merge_pages()    once: diversified; one page, the same however entities are spread over shards
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "query/bound_filter.h"
#include "query/co_engaged.h"
#include "query/collections.h"
#include "query/cursor.h"
#include "query/diversity.h"
#include "query/exploration.h"
#include "query/facets.h"
#include "query/groups.h"
#include "query/pins.h"
#include "query/sort.h"
#include "query/viewer.h"
#include "ranking/anchor_vectors.h"
#include "ranking/evaluator.h"
#include "ranking/profile_registry.h"
#include "ranking/shard_view.h"
#include "text/query_parser.h"
#include "text/search_trace.h"
#include "text/statistics.h"
#include "text/synonyms.h"
#include "vector/effort.h"
#include "vector/search_trace.h"

namespace tidal::query {

inline constexpr std::uint32_t kLimitDefault = 20;
inline constexpr std::uint32_t kLimitMax = 1000;
inline constexpr std::size_t kExcludedMax = 10'000;

class TopViews;

/// How the text of a request finds.
enum class TextMode : std::uint8_t {
    kSearch,      ///< As a query (text/query_parser.h); its best answers are a source.
    kCompletion,  ///< As a beginning (text/completion.h): candidates are all that go on so,
    kGuess,       ///< and what they may be where words are mistyped.
};

/// Whose signals `cohort(...)` and `cohort_top` read.
struct FeedCohort {
    std::string name;                   ///< Of the request.
    std::optional<CohortId> id;         ///< Whose ledgers are read; nullopt = everybody's.
    std::vector<SignalTypeId> signals;  ///< Those it tracks.
    std::string read;                   ///< Whose ledgers those are; empty = everybody's.
    std::string instead;  ///< Why another one's or everybody's are read; empty = they are its own.
};

struct FeedRequest {
    EntityKind kind = EntityKind::kItem;
    std::string profile;                   ///< "trending" or "trending@1".
    std::map<std::string, double> params;  ///< By name; finite.
    /// What is searched for (docs/reference/search.md): what it finds are the candidates, or
    /// some of them where the profile has a source `text(query)`; nullopt = it is no search.
    std::optional<std::string> text;
    TextMode text_mode = TextMode::kSearch;
    std::shared_ptr<const text::Synonyms> synonyms;  ///< Of its words; nullptr = none.
    std::string filter;                              ///< Filter language; empty = none.
    std::string facets;                   ///< What to count of what matches; empty = nothing.
    std::uint32_t limit = kLimitDefault;  ///< 1..kLimitMax.
    std::string cursor;                   ///< Of the page before; empty = the first page.
    std::vector<EntityId> exclude;        ///< At most kExcludedMax.
    std::string sort;                     ///< In the place of the profile's order; empty = that.
    std::string diversity;                ///< In the place of the profile's; empty = that.
    std::string group_by;                 ///< "category TOP 2"; empty = no groups.
    std::vector<EntityId> pin, bury;      ///< First and last; at most kPinnedMax each.
    std::optional<EntityId> similar_to;   ///< An item; it is not on the page itself.
    std::vector<float> vector;            ///< Empty = none.
    vector::Effort effort = vector::Effort::kDefault;  ///< Of sources of what is near.
    std::optional<std::uint64_t> seed;                 ///< Of random(seed); now_ms when not given.
    bool explain = false;
    std::optional<Viewer> user;  ///< For whom the page is.
    std::optional<FeedCohort> cohort;
    /// Where `cohort` is not named and reads_own_cohorts(): those of its user, each with an id.
    std::vector<FeedCohort> own_cohorts;
    std::shared_ptr<const Collections> collections;  ///< That it may name; nullptr = none.
    UnixMillis now_ms = 0;  ///< The shard's clock; later pages use the one of the first.
};

/// What a request searches for, and the statistics of all shards (text_run.h).
struct TextPlan {
    text::ParsedQuery query;
    text::Statistics statistics;
    bool typos = false;                   ///< What the words may have meant is searched for, too.
    text::SearchTrace trace, typo_trace;  ///< Of all shards; of what only typos find.
};

/// One source's list: the first of its order.
struct SourceEntry {
    EntityId id;
    double key = 0;  ///< Greatest first.
    Slot slot;       ///< In the shard that lists it.
};
using SourceList = std::vector<SourceEntry>;

/// The list over all shards: ranks from 1.
struct RankedEntry {
    EntityId id;
    Slot slot;  ///< In the shard that listed it; in another one a slot of any other entity.
};
using RankedList = std::vector<RankedEntry>;

/// Everything about a request that does not depend on a shard. Does not change while a run has it;
/// shared by threads.
struct FeedPlan {
    EntityKind kind = EntityKind::kItem;
    std::shared_ptr<const ranking::CompiledProfile> profile;
    /// The profile's; a search of a profile that has no text source adds one, which alone then
    /// says what the candidates are.
    std::vector<ranking::Source> sources;
    std::optional<TextPlan> text;
    bool text_alone = false;    ///< Candidates are what the last source lists.
    bool text_matches = false;  ///< Candidates are all that `text` finds; no source lists any.
    /// Of a search that also asks for what is near: by which feature.
    std::optional<ranking::Feature> nearness;
    std::vector<double> params;  ///< By Program::params.
    std::optional<BoundFilter> filter;
    std::vector<BoundFacet> facets;
    std::set<EntityId> exclude;
    std::optional<Viewer> user;  ///< Who is never shown what they hid and whom they block.
    std::optional<FeedCohort> cohort;
    /// The request's user has liked nothing yet, or there is none: sources `when cold` are read.
    bool cold = false;
    std::vector<FeedCohort> own_cohorts;  ///< Which `cohort_top` lists where there is no `cohort`.
    /// Which of `sources` lists what is explored beside the others: none of the profile's, and its
    /// entities are no candidates.
    std::optional<std::size_t> explored_source;
    /// By source: which collection it lists; nullopt = it is no `collection`.
    std::vector<std::optional<CollectionId>> collections;
    /// How many items a day its user is shown under the profile; nullopt = any number. Whoever
    /// answers lowers `limit` to what is left of it.
    std::optional<std::uint32_t> daily_cap;
    std::uint32_t limit = kLimitDefault;
    std::uint32_t keep = kLimitDefault + 1;  ///< Best items each shard returns: one tells of more.
    std::vector<ranking::DiversityRule> diversity;
    std::optional<entity::NumberSource> sorted_by;  ///< Entities without it come last.
    std::optional<FieldId> text_field;              ///< The same, where it is a text.
    std::optional<BoundGroup> group;
    Pins pins;
    double explore_percent = 0;     ///< Of the places, those for items that few have seen.
    bool reordered = false;         ///< The order is not the profile's alone.
    std::vector<RankedList> ranks;  ///< By source (merge_sources).
    vector::Effort effort = vector::Effort::kDefault;
    std::vector<vector::SearchTrace>
        ann_traces;                  ///< Of all shards, by source, where run_sources() ran.
    ranking::AnchorVectors anchors;  ///< Whole once read_anchor_item() has been called.
    std::optional<EntityId> similar_to;
    std::vector<EmbeddingSlotId> item_slots;      ///< Where the vector of `similar_to` is read,
    std::vector<EmbeddingSlotId> user_slots;      ///< and where what the user prefers,
    std::vector<EmbeddingSlotId> disliked_slots;  ///< or those of what the user disliked.
    /// By what it starts from, where something reads it; filled before anything runs.
    std::map<ranking::Anchor, CoEngaged> co_engaged;
    bool explain = false;
    std::uint32_t source_divisor = 1;  ///< Of the length of sources' lists (degradation.h).
    UnixMillis now_ms = 0;
    bool moment_is_kept = false;  ///< By a cursor: `now_ms` is that of its first page.
    std::uint64_t seed = 0;
    std::optional<PagePosition> after;  ///< Where positions stay; else what was shown:
    absl::flat_hash_set<ShortHash> shown_hashes;
    absl::flat_hash_map<ShortHash, std::uint32_t> shown_groups;  ///< As of a cursor.
    std::uint64_t shown = 0;                                     ///< Items on the pages before.
    Hash128 query;  ///< Fingerprint that the cursors carry.
    std::vector<std::string> warnings;

    /// Whether the score of an item of this creator is not its own.
    bool is_muted(const EntityId* creator) const {
        return creator != nullptr && mutes() && user->muted.contains(*creator);
    }
    /// Orders by a stored value have no scores.
    bool mutes() const { return user && !user->muted.empty() && !profile->profile.order.by_field; }
    bool descending() const { return profile->profile.order.descending; }
    /// How many entities of a source are candidates.
    std::uint32_t limit_of(const ranking::Source& source) const {
        return std::max(1U, source.limit_or_default() / source_divisor);
    }
    /// nullptr = nothing to start from.
    const CoEngaged* find_co_engaged(std::optional<ranking::Anchor> anchor) const {
        using ranking::Anchor;
        const auto found = co_engaged.find(
            anchor.value_or(co_engaged.contains(Anchor::kItem) ? Anchor::kItem : Anchor::kUser));
        return found == co_engaged.end() ? nullptr : &found->second;
    }
    /// Whether candidates are all eligible entities, or only what sources list.
    bool scans() const;
    /// Whether run_sources() has anything to do.
    bool has_lists() const;
    /// Whether the list of a source is read for this user.
    bool reads(const ranking::Source& source) const { return cold || !source.when_cold; }
    /// Whose signals `cohort_top` lists by, added up.
    std::span<const FeedCohort> listed_cohorts() const {
        return cohort ? std::span(&*cohort, 1) : std::span(own_cohorts);
    }
    std::optional<CohortId> cohort_read() const { return cohort ? cohort->id : std::nullopt; }
    /// Whether a page ends at a position, behind which the next begins: in the order of a stored
    /// value. Elsewhere scores move, and diversity passes entities over.
    bool positions_stay() const {
        return profile->profile.order.by_field && diversity.empty() && pins.empty() && !group &&
               explore_percent == 0;
    }
};

/// Where plan.item_slots is not empty: puts the vectors of `similar_to` into the plan, and warns
/// where it has none. Before anything runs. Threads: inside the monitor of that item's shard.
/// @return kNotFound  no such item.
Result<void> read_anchor_item(const ranking::ShardView& view, FeedPlan* plan);

inline FilterState filter_state(const FeedPlan& plan, const ranking::ShardView& view) {
    return {.vectors = view.vectors,
            .anchors = &plan.anchors,
            .user_states = view.user_states,
            .collections = view.collections};
}

/// @return kUnknownName      profile, parameter, field or collection, with a hint;
///         kInvalidArgument  limit, filter, parameter, vector or cursor, or an input that the
///                           profile or filter needs is missing (reason missing_input);
///         kTooLarge; kUnsupported (cursor).
///         `field()` names the part of the request. kInvalidArgument, reason "missing_query", for a
///         profile that needs one.
Result<FeedPlan> plan_feed(const FeedRequest& request, const schema::Schema& schema,
                           const ranking::ProfileRegistry& profiles, const CursorCodec& cursors);

/// Whether a page by the profile lists what the cohorts of its user watch where it names none:
/// FeedRequest::own_cohorts.
bool reads_own_cohorts(const ranking::CompiledProfile& profile, const FeedRequest& request);

/// What few pages ask for is behind a pointer: most of what is ranked is moved about without it.
struct ScoredItem {
    EntityId id;
    double score = 0;
    double key = 0;          ///< Its place, the greatest first: of its score, or as Pins say.
    Slot slot;               ///< In its shard, for reading its fields within the same query.
    std::uint64_t rank = 0;  ///< Of a page: from 1, counted on over pages.
    std::size_t shard = 0;   ///< Of a page: index of its ShardPage.
    std::optional<double> text_score;  ///< Of a search: how well its texts answer.
    /// Of a search that also asks for what is near: similarity(slot); nullopt = it has no vector.
    std::optional<double> vector_score;
    std::optional<double> fused_score;  ///< Of a search: its places in the lists, added up.
    /// In orders of texts: what it is ordered by (entity/text_column.h); nullptr = the empty text.
    std::unique_ptr<const std::string> text;
    std::unique_ptr<const ranking::Explanation> explanation;
    std::unique_ptr<DiverseItem> diverse;      ///< By rule of the plan; nullptr = it has none.
    std::unique_ptr<const std::string> group;  ///< Its value, where it has one.
    std::unique_ptr<const Exploration> explored;

    bool is_pinned() const { return Pins::is_pinned(key); }
    std::string_view order_text() const {
        return text ? std::string_view(*text) : std::string_view();
    }
};

struct FeedCounts {
    std::uint64_t candidates = 0;  ///< Live, published, not expired.
    std::uint64_t matched = 0;     ///< Of these, accepted by filter and `exclude`.
    std::uint64_t scored = 0;
    bool operator==(const FeedCounts&) const = default;
};

struct ShardPage {
    std::vector<ScoredItem> items;  ///< Best first, at most `keep`, all after `after`.
    FeedCounts counts;
    std::vector<NodeTrace> filter_trace;  ///< With `explain`: by node of the filter.
    std::vector<FacetCounts> facets;      ///< By facet of the plan.
    std::vector<ScoredItem> pool;  ///< Of exploration; each `explored`, and it may be in `items`.
    bool more = false;             ///< Others may come after these, whatever their number.
};

/// One list per source, at most its limit long; empty of `scan`. Threads: inside the
/// shard's monitor. Call it, and merge_sources, where plan.has_lists().
Result<std::vector<SourceList>> run_sources(const ranking::ShardView& view, const FeedPlan& plan);
void merge_sources(std::span<const std::vector<SourceList>> of_shards, FeedPlan* plan);

/// In one go: SourcesRun and FeedRun give the shard back. Threads: inside the shard's monitor.
/// @param views  Of the same entities; nullptr = none, every page is scanned. The reply is the
/// same.
/// @return kIo  a cold ledger or a row could not be read.
Result<ShardPage> run_feed(const ranking::ShardView& view, const FeedPlan& plan,
                           TopViews* views = nullptr);

/// A term that was searched for in a field.
struct TermExplanation {
    FieldId field;
    std::string term;
    std::uint64_t documents = 0;  ///< Of all shards, that hold it; of an expansion its word.
    std::string of;               ///< "pian*", or what may be mistyped; empty = as it stands.
    std::uint32_t edits = 0;
};
inline constexpr std::size_t kTermsExplainedMax = 1000;

struct SourceExplanation {
    std::string source;  ///< As the language writes it.
    /// "graph", "codes", "scan", or several: "graph+scan". Of texts "union", "intersection",
    /// "phrase" or "cursors".
    std::string path;
    std::string why;
    vector::SearchTrace trace;
    /// Of a source of texts.
    struct Texts {
        std::vector<TermExplanation> terms;  ///< At most kTermsExplainedMax.
        text::SearchTrace trace;
        std::uint64_t listed = 0;  ///< Candidates that the source gives.
    };
    std::optional<Texts> texts;
};

struct FeedPage {
    std::vector<ScoredItem> items;
    std::optional<std::string> next_cursor;  ///< nullopt = this is the last page.
    FeedCounts counts;                       ///< Of all shards.
    std::vector<FilterExplanation> filter;   ///< With `explain`: its nodes, parents first.
    std::vector<Facet> facets;               ///< In the order asked for.
    std::vector<SourceExplanation> sources;  ///< With `explain`: of texts and what is near.
    std::vector<std::string> warnings;
    bool constraints_satisfied = true;  ///< No rule of diversity was given up.
};

/// @param pages  One per shard, in any fixed order; every entity is on one shard.
FeedPage merge_pages(const FeedPlan& plan, std::span<ShardPage> pages, const CursorCodec& cursors);

}  // namespace tidal::query
