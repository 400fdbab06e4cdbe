// api/types.h: one typed request and reply per operation; every door speaks these.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "audience/session.h"
#include "base/hlc.h"
#include "base/ids.h"
#include "base/result.h"
#include "query/cohort.h"
#include "query/collections.h"
#include "ranking/model.h"
#include "record/record.h"
#include "schema/schema.h"
#include "shard/write_concern.h"
#include "signal/ledger_table.h"

namespace tidal::api {

/// An id as a client wrote it; the schema says whether text is a name or a decimal number.
using IdInput = std::variant<std::uint64_t, std::string>;

/// A field value as a client wrote it, before the schema gives it a type. monostate = remove.
struct JsonText {
    std::string text;  ///< A JSON object or array, as sent.
};
using FieldInput = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double,
                                std::string, std::vector<std::string>, record::GeoPoint, JsonText>;

/// Who asks, and what they are promised.
struct CallContext {
    TenantId tenant = kDefaultTenant;
    std::string principal;        ///< Empty = anonymous on loopback.
    std::string idempotency_key;  ///< Of the whole call; line n of a bulk uses (key, n).
    /// Of a bulk: the number of the first write among its lines, from 1. nullopt = no bulk.
    std::optional<std::uint64_t> first_line;
    std::optional<shard::WriteConcern>
        write_concern;  ///< Default: majority in a cluster, local, or memory with --ephemeral.
    std::uint64_t timeout_ms = 10'000;
    /// Another node's door sent this here and takes no redirect: a node that does not lead answers
    /// kUnavailable, reason "not_leader", instead of sending it on.
    bool forwarded = false;
};

/// Outer nullopt = leave, inner nullopt = remove.
struct EntityWrite {
    EntityKind kind = EntityKind::kItem;
    IdInput id;
    bool must_exist = false;  ///< PATCH.
    std::optional<HybridTime> if_match;
    std::vector<std::pair<std::string, FieldInput>> metadata;
    std::optional<std::optional<IdInput>> creator_id;
    std::optional<std::optional<UnixMillis>> created_at_ms, publish_at_ms, expires_at_ms;
};
struct EntityDelete {
    EntityKind kind = EntityKind::kItem;
    IdInput id;
    std::optional<HybridTime> if_match;
};
struct EmbeddingWrite {
    EntityKind kind = EntityKind::kItem;
    IdInput id;
    std::string slot;  ///< Empty = the only one the kind has.
    std::vector<double> values;
};
struct SignalWrite {
    IdInput id;
    std::string signal;
    double weight = 1;
    std::optional<UnixMillis> at_ms;
    std::optional<IdInput> user_id, creator_id;
    /// A session of the user, which need not be named then; empty = none.
    std::string session_id;
    /// Above all that the session has accepted, else nothing changes; 0 = it has none.
    std::uint64_t sequence = 0;
    /// False: `session_id` is kept with the signal, as any text, and no session knows of it.
    bool under_policy = true;
    std::string context;
    std::string idempotency_key;  ///< Of this signal; overrides the call's.
};
struct SignalUndo {
    IdInput id;
    std::string key;
    std::string signal;           ///< Empty = a signal on items.
    std::string session_id = {};  ///< Under which it was sent; empty = none.
    bool under_policy = true;     ///< As of a SignalWrite.
};
/// POST and DELETE /relationships.
struct RelationshipWrite {
    IdInput user_id;
    record::RelationshipKind kind = record::RelationshipKind::kHides;
    IdInput target;     ///< An item, a creator or a user, as the kind says.
    bool ends = false;  ///< DELETE.
};
/// A search that a user keeps: saved, looked at, or (neither) ended.
struct SavedSearchWrite {
    IdInput user_id;
    std::string name;                  ///< As of a profile.
    std::optional<std::string> query;  ///< "SEARCH items FOR 'jazz'": docs/reference/query.md.
    bool looked = false;
};
struct SavedSearchRequest {
    IdInput user_id;
    std::string name;
    bool only_new = false;  ///< What was created since the user last looked.
    std::optional<std::uint32_t> limit;
    std::string cursor;
    std::uint8_t urgency = 3;  ///< As of a FeedCall.
    bool may_count = true;     ///< Likewise.
    bool confirmed = false;    ///< Likewise.
};
struct SavedSearch {
    std::string name, query;
    UnixMillis saved_ms = 0, looked_ms = 0;
};
/// What open_session() and its like write; not for doors.
struct SessionWrite {
    record::SessionBody body;
    std::uint64_t sequence = 0;
};
/// An item is put into a collection, or moved in it, or taken out.
struct CollectionMemberWrite {
    std::string collection;
    IdInput id;
    double position = 0;  ///< Finite. The least comes first, equal ones by id.
    bool ends = false;    ///< Taken out.
};
/// A write in the schema's terms already, as an import's mapping makes it.
struct PreparedWrite {
    std::variant<record::UpsertBody, record::SignalBody, record::EmbeddingBody> body;
    std::optional<UnixMillis> at_ms;
};
using Write =
    std::variant<EntityWrite, EntityDelete, EmbeddingWrite, SignalWrite, SignalUndo, PreparedWrite,
                 RelationshipWrite, SavedSearchWrite, SessionWrite, CollectionMemberWrite>;

struct WriteReply {
    std::string token;  ///< Give it to a read that must see this write.
    shard::WriteConcern durable = shard::WriteConcern::kLocal;
    bool may_be_lost = false;    ///< Answered before the commit.
    std::uint32_t replicas = 1;  ///< That have it durably, as known when answered; 0 = in memory.
    bool created = false;
    bool repeated = false;  ///< The idempotency key was seen before: the first answer.
    HybridTime version;     ///< ETag of an entity after the write.
};
/// One per write, in order. An error of one line leaves the others alone.
using WriteReplies = std::vector<Result<WriteReply>>;

/// POST /sessions: docs/reference/sessions.md.
struct SessionOpen {
    IdInput user_id;
    std::string agent;               ///< Who acts for the user, at most 255 bytes; empty = nobody.
    std::string policy = "default";  ///< Its newest version says what the session may do.
    std::map<std::string, std::string> annotations;
};
struct SessionAnnotate {
    std::uint64_t session = 0;
    std::map<std::string, std::string> annotations;  ///< An empty value ends its key.
    std::uint64_t sequence = 0;                      ///< As of a signal.
};
/// What a session is at one moment; of one that ended for 24 hours.
struct SessionReply {
    std::uint64_t id = 0;
    EntityId user;
    std::string agent;
    std::string policy;  ///< "default@1"
    UnixMillis opened_ms = 0, expires_ms = 0;
    audience::SessionEnd end = audience::SessionEnd::kOpen;
    UnixMillis ended_ms = 0;  ///< Of one that is not open.
    std::uint64_t last_sequence = 0;
    double tokens = 0;  ///< Signals that it may send now.
    double reward = 0;  ///< Weights of positive signals less those of negative ones.
    std::vector<std::pair<std::string, std::uint64_t>> counts;     ///< By signal, in schema order.
    std::vector<std::pair<std::string, std::string>> annotations;  ///< By key.
    std::vector<EntityId> liked;  ///< What its pages go by before all else, the newest first.
    std::vector<EntityId> shown;  ///< In the order shown.
    // Of a write:
    std::string token;
    bool repeated = false;  ///< It changed nothing: it was there before.
};

struct EntityRequest {
    EntityKind kind = EntityKind::kItem;
    IdInput id;
};
struct EntityReply {
    EntityId id;
    std::vector<std::pair<std::string, record::Value>> metadata;  ///< In schema order.
    std::set<std::string> json_fields;  ///< Those of `metadata` whose text is JSON.
    std::optional<EntityId> creator_id;
    UnixMillis created_at_ms = 0;
    std::optional<UnixMillis> publish_at_ms, expires_at_ms;
    HybridTime version;
};

struct RelationshipsRequest {
    IdInput user_id;
    std::optional<record::RelationshipKind> kind;  ///< nullopt = all.
};
/// What of a user is in force.
struct RelationshipsReply {
    struct One {
        record::RelationshipKind kind = record::RelationshipKind::kHides;
        EntityId target;
        UnixMillis since_ms = 0;  ///< When it was last begun.
    };
    EntityId user;
    std::vector<One> relationships;  ///< By kind, then by target.
    bool more = false;               ///< There are more than these, kRelationshipsMax of a kind.
};
/// How many of one kind a reply holds.
inline constexpr std::size_t kRelationshipsMax = 10'000;
/// "hides", "saves", "follows", "blocks", "mutes".
std::string_view relationship_name(record::RelationshipKind kind);
/// What names its target: "item_id", "creator_id" or "friend_id".
std::string_view relationship_target(record::RelationshipKind kind);
/// kInvalidArgument of field "kind".
Result<record::RelationshipKind> parse_relationship(std::string_view name);

/// A collection, and how many items are in it.
struct CollectionReply {
    query::Collection collection;
    std::uint64_t items = 0;
};
struct CollectionItemsRequest {
    std::string name;
    std::uint32_t limit = 100;  ///< 1..kCollectionItemsMax.
    std::string cursor;         ///< Of the page before; empty = the first.
};
inline constexpr std::uint32_t kCollectionItemsMax = 1000;
/// What is in a collection, in its order, whether or not it may be listed now.
struct CollectionItems {
    struct One {
        EntityId id;
        double position = 0;
        UnixMillis added_ms = 0;
    };
    std::vector<One> items;
    std::string next_cursor;  ///< Empty = the end.
};

struct SignalReadings {
    EntityId id;
    UnixMillis at_ms = 0;
    struct One {
        std::string name;
        const schema::SignalSpec* spec = nullptr;
        signal::LedgerReading reading;
        std::optional<double> unique;
    };
    std::vector<One> signals;  ///< In schema order, those that have events or not.
    std::shared_ptr<const schema::Schema> schema;  ///< Keeps `spec` alive.
};

struct FeedCall {
    EntityKind kind = EntityKind::kItem;  ///< What is ranked; ids of the call are of this kind.
    /// Empty: "trending"; of a call with a query "search", with a vector as well "hybrid".
    std::string profile;
    /// Chooses the profile by `user_id`, which it needs, and in the place of `profile`: both are
    /// kInvalidArgument. Empty = `profile` says.
    std::string experiment;
    std::map<std::string, double> params;
    std::optional<IdInput> user_id;
    /// An open session: its user is the page's, and what was liked in it goes first; 0 = none.
    std::uint64_t session = 0;
    bool fresh = false;  ///< Without what the session was shown; needs one.
    std::string cohort;  ///< Whose signals count where the profile reads a cohort; empty = none.
    std::optional<IdInput> similar_to;  ///< An item to be near to; it is not shown itself.
    std::vector<double> vector;         ///< What to be near to; empty = nothing.
    /// What is searched for (docs/reference/search.md), for example under the profile "search":
    /// candidates are what it finds, in the profile's order. nullopt = it is no search.
    std::optional<std::string> query;
    std::string filter;
    std::string facets;        ///< "category, year RANGES (1990, 2000)"; empty = none.
    std::uint32_t limit = 20;  ///< 1..1000.
    std::string cursor;
    std::vector<IdInput> exclude;
    std::string sort;       ///< "year DESC"; empty = the profile's order.
    std::string diversity;  ///< "max_per_creator 2"; empty = the profile's rules.
    std::string group_by;   ///< "category TOP 2"; empty = no groups.
    std::vector<IdInput> pin, bury;
    std::optional<std::vector<std::string>> fields;  ///< What items show; nullopt = all.
    /// How hard to look for what is near: "low", "default", "high", "exact"; empty = default.
    std::string effort;
    std::optional<std::uint64_t> seed;
    std::string region;  ///< Empty = here.
    /// Fields of texts whose words the reply marks, of a call with a query; empty = none.
    std::vector<std::string> highlight;
    bool explain = false;
    /// Counts an `impression` of every item of the page, before the reply; so do profiles with a
    /// daily cap, whatever this says.
    bool log_impressions = false;
    /// With `log_impressions`: their context also has the score and the features behind it.
    bool log_features = false;
    /// Under one key an item is counted once in 24 hours, however often the page is asked for;
    /// empty = every time.
    std::string impressions_key;
    std::string request_id;  ///< Goes into the context of the impressions.
    /// Whoever asks may write: else a profile with a daily cap, which counts, is refused.
    bool may_count = true;
    /// 0 the most, 7 the least: under load the less urgent are refused first (query_gate.h).
    std::uint8_t urgency = 3;
    /// A strong fence of all shards was passed for this call: a page for a user, which in a cluster
    /// passes one whatever its reader asked for, needs no other.
    bool confirmed = false;
};
/// What somebody types, to be gone on with: docs/reference/search.md.
struct SuggestCall {
    std::string query;
    std::uint32_t limit = 10;        ///< 1..kSuggestionsMax.
    std::optional<IdInput> user_id;  ///< What they hid or block is not suggested to them.
    std::string filter;              ///< Of the items; empty = none.
    std::uint8_t urgency = 3;        ///< As of a FeedCall.
    bool confirmed = false;          ///< Likewise.
};
inline constexpr std::uint32_t kSuggestionsMax = 100;
struct Suggestion {
    enum class Kind : std::uint8_t { kItem, kCreator, kQuery };
    std::string text;
    Kind kind = Kind::kItem;
    std::optional<EntityId> id;  ///< nullopt = of a query.
    double score = 0;            ///< Likes, or searches, that decay.
};
struct SuggestReply {
    std::vector<Suggestion> suggestions;  ///< Best first; each text of a kind once.
    std::vector<std::string> warnings;
    std::uint8_t degradation = 0;  ///< 0 full, 1 or 2 under load.
};
/// Why an item has its score.
struct FeedExplanation {
    struct Term {
        std::string text;
        double value = 0;
    };
    struct Feature {
        std::string text;
        double value = 0;
        bool missing = false;  ///< The item has none; `value` stands in for it.
    };
    /// Of the score, as its profile writes them, equal ones as often as they stand there. Added
    /// from the first to the last they give it to the last bit.
    std::vector<Term> terms;
    std::vector<Feature> features;  ///< What the terms were computed from, each once.
};
struct FeedItem {
    std::uint64_t rank = 0;  ///< From 1, counted on over pages.
    double score = 0;
    std::optional<double> text_score;  ///< Of a search: how well its texts answer (BM25).
    /// Of a search that also asks for what is near: similarity(slot); nullopt = it has no vector.
    std::optional<double> vector_score;
    std::optional<double> fused_score;  ///< Of a search: what its places in the lists add up to.
    EntityReply entity;
    /// Of the fields asked for, those in which a word was found: HTML, the words in <em>.
    std::vector<std::pair<std::string, std::string>> highlights;
    /// With `explain`; nullptr = not asked for, or left out under load.
    std::shared_ptr<const FeedExplanation> explain;
    std::optional<std::string> group;  ///< Its value of the field of `group_by`.
    bool pinned = false;
    /// It is there because few have seen it: out of so many impressions so many positive signals.
    struct Explored {
        double impressions = 0, positives = 0;
        double draw = 0;       ///< The rate drawn for it.
        bool outside = false;  ///< By no creator that the user follows or has an affinity to.
    };
    std::optional<Explored> explored;
};
/// One condition of the filter, or an AND or OR of those after it that are deeper.
struct FilterNodeReply {
    std::string text;
    std::uint32_t depth = 0;
    double estimated = 0;        ///< Of the examined, how many were expected to match.
    std::uint64_t examined = 0;  ///< Entities asked about; the others were decided before.
    std::uint64_t matched = 0;
};
/// How a source `ann` found what is near, or `text` what answers, over all shards.
struct SourceReply {
    std::string source;  ///< "ann(content, item)".
    std::string path;    ///< "graph", "codes", "scan", or several: "graph+codes".
    std::string why;
    std::uint64_t candidates = 0;  ///< What may be listed and has a vector.
    std::uint64_t visited = 0;     ///< Nodes of graphs.
    std::uint64_t coded = 0;       ///< Compared by their codes, from a list.
    std::uint64_t compared = 0;    ///< Compared exactly.
    /// Of `text`, whose path is "union", "intersection", "phrase", "cursors" or "none", behind
    /// "typos+" what only those find; `candidates` is then how many it gives.
    struct Texts {
        struct Term {
            std::string field, term;
            std::uint64_t documents = 0;  ///< That hold it.
            std::string of;               ///< "pian*", or what may be mistyped; empty = it stands
                                          ///< in the query.
            std::uint32_t edits = 0;
        };
        std::vector<Term> terms;
        std::uint64_t postings = 0;   ///< In the lists of its terms.
        std::uint64_t looked_at = 0;  ///< Of these, one by one.
        std::uint64_t scored = 0;     ///< Texts whose whole score was worth computing.
    };
    std::optional<Texts> texts;
};
/// How many of what matches have each value of a field.
struct FacetReply {
    struct Value {
        std::string value;
        std::uint64_t count = 0;
    };
    struct Range {
        std::string from, to;  ///< Half-open; empty = open.
        std::uint64_t count = 0;
    };
    std::string name;
    std::vector<Value> values;  ///< The most frequent first.
    std::vector<Range> ranges;  ///< Rising.
    std::uint64_t others = 0;   ///< Values that are not shown.
    std::uint64_t missing = 0;  ///< Entities without the field.
};
struct FeedReply {
    std::string profile;     ///< What ranked it: "trending@1".
    std::string experiment;  ///< "spring@2" when that chose the profile.
    std::vector<FeedItem> items;
    std::string next_cursor;  ///< Empty = the end.
    std::uint64_t candidates = 0, matched = 0, scored = 0;
    bool constraints_satisfied = true;  ///< No rule of diversity was given up.
    std::vector<std::string> warnings;
    /// With `log_impressions`. What failed is in `warnings`.
    struct Impressions {
        std::uint64_t written = 0;
        std::uint64_t repeated = 0;  ///< Counted before under the same key.
        std::uint64_t failed = 0;
        std::string token;  ///< Of what was written: for a read that must see it.
    };
    std::optional<Impressions> impressions;
    /// Under a profile with a daily cap: what of it is left.
    struct Cap {
        std::uint32_t per_day = 0;
        std::uint32_t delivered = 0;  ///< In this UTC day, with this page.
        UnixMillis resets_ms = 0;     ///< When the day ends.
    };
    std::optional<Cap> cap;
    std::vector<FilterNodeReply> filter;  ///< With `explain` and a filter.
    std::vector<SourceReply> sources;     ///< With `explain`: of what is near.
    std::string query;                    ///< With `explain`, of a query as text: its normal form.
    std::vector<FacetReply> facets;       ///< In the order asked for.
    std::uint8_t degradation = 0;         ///< 0 full, 1 or 2 under load.
    std::vector<std::string> left_out;    ///< What the request asked for and did not get.
    /// What items show; nullopt = all. Empty: the id alone, the rest of `entity` is not read.
    std::optional<std::set<std::string>> fields;
};

/// Synonyms of searches (docs/reference/search.md), newest version of each name.
struct StoredSynonyms {
    std::string name;
    std::uint32_t version = 1;
    UnixMillis put_ms = 0;
    std::string text;  ///< As it was put.
};

/// Of a query as text: RETRIEVE and SEARCH, or SUGGEST.
using QueryReply = std::variant<FeedReply, SuggestReply>;

/// A version of a profile or an experiment that was put.
struct CatalogReply {
    std::string name;
    std::uint32_t version = 0;
    bool created = false;  ///< False: this version with this text was there already.
    std::vector<std::string> warnings;
};
/// A cohort of the catalogue, its newest version, and how much is known of it.
struct CohortReply {
    query::Cohort cohort;
    std::int64_t events_7d = 0;  ///< Of the signals it tracks; below `events_min` it is sparse.
};
/// A model of the catalogue, its newest version.
struct StoredModel {
    std::string name;
    std::uint32_t version = 0;
    UnixMillis put_ms = 0;
    std::uint64_t bytes = 0;  ///< Of its text.
    std::shared_ptr<const ranking::Model> model;
};
/// Two pages for one request, and how far they agree.
struct FeedComparison {
    FeedReply left, right;
    std::uint64_t common = 0;  ///< Entities on both pages.
    struct Move {
        EntityId id;
        std::uint64_t left_rank = 0, right_rank = 0;
    };
    std::vector<Move> moves;  ///< Common entities whose ranks differ, by rank on the left.
};

struct ExportRequest {
    std::optional<UnixMillis> from_ms, until_ms;  ///< Event time, half-open.
    std::vector<std::string> signals;             ///< Empty = all.
    std::optional<IdInput> user_id;
    std::string position;  ///< From an earlier page; empty = the beginning.
    std::uint32_t limit = 1000;
    bool gaps = false;  ///< Of a member: without what a snapshot brought, and no log of it has.
};
struct ExportedSignal {
    EntityId id;
    std::string signal;
    double weight = 0;
    UnixMillis at_ms = 0;
    std::optional<EntityId> user_id, creator_id;
    std::string session_id, context;
    bool undo = false;
    std::string undo_key;
    std::string position;  ///< Resumes right after this one.
};
/// A line of an export of what was shown, and what was then done with it.
struct ShownRequest {
    std::optional<UnixMillis> from_ms, until_ms;  ///< Event time of impressions, half-open.
    std::optional<IdInput> user_id;
    /// So long after an impression what its user does with the item counts for it: 1 min..30 days.
    std::int64_t within_ms = 24LL * 3'600'000;
    std::string position;        ///< From an earlier page; empty = the beginning.
    std::uint32_t limit = 1000;  ///< Of impressions.
    bool gaps = false;           ///< As of an ExportRequest.
};
inline constexpr std::size_t kShownSignalsMax = 1000;  ///< Of one impression; more do not count.
inline constexpr std::int64_t kShownWithinMinMs = 60'000;
inline constexpr std::int64_t kShownWithinMaxMs = 30LL * 24 * 3'600'000;
struct ShownSignal {
    std::string signal;
    double weight = 0;
    UnixMillis at_ms = 0;
};
struct ShownItem {
    EntityId id;
    UnixMillis at_ms = 0;
    std::optional<EntityId> user_id;
    std::string session_id;
    std::string context;  ///< Of the impression: rank, profile, features where they were logged.
    /// What its user, or without one its session, did with the item after this impression and
    /// before the next, but for what was taken back; in log order.
    std::vector<ShownSignal> signals;
    double reward = 0;      ///< Their weights: positive types less negative ones.
    bool complete = false;  ///< Nothing more will count.
    std::string position;   ///< Resumes right after this one.
};
struct ShownPage {
    std::vector<ShownItem> items;
    std::string position;
    bool end = false;
};
/// What came of an experiment: docs/reference/profiles.md#results.
struct ExperimentRequest {
    std::string name;                             ///< "spring" (its newest version) or "spring@1".
    std::optional<UnixMillis> from_ms, until_ms;  ///< As of a ShownRequest.
    std::int64_t within_ms = 24LL * 3'600'000;    ///< Likewise.
    bool gaps = false;                            ///< As of an ExportRequest.
};
struct Interval {
    double low = 0, high = 0;
    bool operator==(const Interval&) const = default;
};
struct ArmResults {
    std::string profile;  ///< "trending@1".
    std::uint32_t weight = 1;
    /// Who was shown something. Exact to 10,000, then estimated with a standard error of 1.6 %.
    std::uint64_t users = 0;
    std::uint64_t impressions = 0;
    std::uint64_t open = 0;      ///< Of those, such as something may yet count for.
    std::uint64_t positive = 0;  ///< Of those, such as a signal of a positive type counts for.
    // Absent where there are too few impressions to say.
    std::optional<double> ctr;                ///< positive / impressions.
    std::optional<Interval> ctr_interval;     ///< 95 %, Wilson's.
    std::optional<double> reward;             ///< Mean of an impression's, as in a ShownItem.
    std::optional<Interval> reward_interval;  ///< 95 %, by normal approximation.
};
struct ExperimentResults {
    std::string experiment;  ///< "spring@1"
    std::int64_t within_ms = 0;
    std::vector<ArmResults> arms;  ///< In the experiment's order.
    /// Such as name the experiment, but no arm of it or no user: clients wrote them.
    std::uint64_t other_impressions = 0;
};
struct ExportPage {
    std::vector<ExportedSignal> signals;
    std::string position;  ///< Where the next page begins; at the end, with what is written later.
    bool end = false;
};

}  // namespace tidal::api
