// record/record.h: the self-describing record of the log. Format: docs/formats/record.md.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "record/value.h"

namespace tidal::record {

/// Weights are multiples of 2^-20 with |w| <= 2^20, kept as an integer count of 2^-20.
using FixedWeight = std::int64_t;
inline constexpr FixedWeight kWeightOne = 1 << 20;
inline constexpr FixedWeight kWeightMax = kWeightOne << 20;

inline constexpr std::size_t kIdBytesMax = 255;  ///< Of a text id.
/// Session, idempotency key, principal, import id.
inline constexpr std::size_t kTokenBytesMax = 255;
inline constexpr std::size_t kContextBytesMax = 4096;
inline constexpr std::size_t kCohortsMax = 8;
inline constexpr std::size_t kCatalogTextBytesMax = 1 << 20;
/// Of a model; half of what a batch of the log holds.
inline constexpr std::size_t kModelTextBytesMax = 4 << 20;
inline constexpr std::size_t kClusterTextBytesMax = 4 << 10;
inline constexpr std::size_t kRelayRowsMax = 65'536;  ///< Of one RelayBody.

/// Who, where, when and under which rules; the same for every kind of record.
/// `shard`, `incarnation` and `index` are those of the batch that carries the record and are not
/// stored again; `origin` is stored only where it differs from the batch's region.
struct Envelope {
    TenantId tenant = kDefaultTenant;
    RegionId origin = kFirstRegion;
    ShardId shard;
    Incarnation incarnation;
    LogIndex index;
    HybridTime stamp;              ///< Commit stamp, strictly rising in log order.
    UnixMillis event_time_ms = 0;  ///< When it happened; equals the stamp's wall time unless given.
    bool event_time_given = false;  ///< Stored only then; decode fills it from the stamp otherwise.
    SchemaVersion schema_version;   ///< It was validated for.
    ApplyVersion apply_version;
    Epoch epoch;
    HybridTime generation;  ///< Of the entity it was accepted for; 0 = not about one entity.
    std::vector<CohortId> cohorts;  ///< Sorted, at most 8.
    std::string session;            ///< Empty = none.
    std::uint64_t session_sequence = 0;
    std::string idempotency_key;  ///< Empty = none.
    std::string principal;        ///< Who asked; empty = anonymous loopback.
    /// Of a signal from the archive: it had a user, who was erased since (record/personal.h).
    bool user_erased = false;
    bool operator==(const Envelope&) const = default;
};

struct SignalBody {
    SignalTypeId signal;
    EntityId item;
    FixedWeight weight = kWeightOne;
    std::optional<EntityId> user;
    std::optional<EntityId> creator;
    std::string context;  ///< Free text kept for export, at most 4 KiB.
    bool operator==(const SignalBody&) const = default;
};
/// Takes back what the signal sent with `key` did.
struct UndoBody {
    EntityId item;
    std::string key;
    bool operator==(const UndoBody&) const = default;
};
struct FieldChange {
    FieldId field;
    std::optional<Value> value;  ///< nullopt removes it.
    bool operator==(const FieldChange&) const = default;
};
/// nullopt inside = remove, absent outside = leave.
template <typename T>
using Change = std::optional<std::optional<T>>;
struct UpsertBody {
    EntityKind kind = EntityKind::kItem;
    EntityId id;
    bool must_exist = false;             ///< PATCH.
    std::optional<HybridTime> if_match;  ///< Version the caller saw.
    std::vector<FieldChange> fields;
    Change<EntityId> creator;
    Change<UnixMillis> created_at, publish_at, expires_at;
    bool operator==(const UpsertBody&) const = default;
};
struct DeleteBody {
    EntityKind kind = EntityKind::kItem;
    EntityId id;
    std::optional<HybridTime> if_match;
    bool operator==(const DeleteBody&) const = default;
};
struct EmbeddingBody {
    EntityKind kind = EntityKind::kItem;
    EntityId id;
    EmbeddingSlotId slot;
    std::vector<float> values;
    bool operator==(const EmbeddingBody&) const = default;
};
struct SchemaBody {
    std::string schema;  ///< encode_schema bytes.
    bool operator==(const SchemaBody&) const = default;
};
inline constexpr std::uint64_t kMemoryBudgetMax = 1ULL << 50;  ///< Bytes of one budget.
/// Bytes of memory that a shard may spend on what it knows of users. What does not fit is a part of
/// the state, so the log says how much fits.
struct MemoryBudgets {
    std::uint64_t user_states = 1ULL << 30;
    std::uint64_t tastes = 1ULL << 30;
    std::uint64_t co_engagement = 1ULL << 30;
    std::uint64_t cohorts = 256ULL << 20;
    std::uint64_t collections = 256ULL << 20;
    bool operator==(const MemoryBudgets&) const = default;
};
/// First record of every shard's log, and again at each change of routing or of budgets.
struct ShardConfigBody {
    ApplyVersion apply_version;
    Epoch epoch;
    std::uint16_t vshard_begin = 0, vshard_end = 0;  ///< Owned range, half-open.
    std::optional<MemoryBudgets> memory = {};        ///< nullopt = what a new shard has.
    bool operator==(const ShardConfigBody&) const = default;
};
/// Time passes only through this: expires idempotency keys.
struct TickBody {
    bool operator==(const TickBody&) const = default;
};
/// Whose state a relay row changes.
enum class RelayEffect : std::uint8_t {
    kCreator,       ///< A creator's ledger.
    kTaste,         ///< What a user liked and disliked lately, and whose items.
    kCoEngagement,  ///< Which items an item was liked together with.
    kSignal,        ///< A signal of a session, from its user's shard to its item's.
    kErasure,       ///< What a user did with items of the target's shard, and who names them there.
    /// As kSignal, of one with an idempotency key: so that it can be taken back. Count -1: it is.
    kKeyedSignal,
};
inline constexpr std::size_t kRelayEffectCount = 6;
constexpr bool is_of_session(RelayEffect effect) {
    return effect == RelayEffect::kSignal || effect == RelayEffect::kKeyedSignal;
}
inline constexpr std::size_t kRelayOthersMax = 16;

/// One effect of a signal on another shard, as it leaves the item's; or of a user's erasure.
struct RelayRow {
    std::uint64_t sequence = 0;  ///< Dense per (source incarnation, target vshard), from 1.
    RelayEffect effect = RelayEffect::kCreator;
    EntityId target;  ///< The creator, user or item whose state it changes; kErasure: who goes.
    SignalTypeId signal;
    FixedWeight weight = 0;
    /// -1 for an undo. kCoEngagement: 1 of the item that was liked, 0 of one that it pairs with.
    std::int32_t count = 1;
    UnixMillis event_time_ms = 0;
    std::optional<EntityId> user;  ///< kCreator: who, for distinct users; of a session: whose.
    // kTaste: on what, whose, and when it was committed; an undo names the signal it takes back.
    std::optional<EntityId> item, creator;  ///< Of a session: a creator where the signal names one.
    HybridTime stamp;                       ///< kTaste and of a session: of the signal.
    HybridTime generation;                  ///< Of a session: as of an envelope.
    std::vector<CohortId> cohorts;          ///< Likewise.
    std::vector<EntityId> others;           ///< kCoEngagement: at most kRelayOthersMax.
    bool operator==(const RelayRow&) const = default;
};
/// Rows of one stream arriving at their target shard. Accepted only from mark + 1 on.
struct RelayBody {
    ShardId source;
    Incarnation source_incarnation;
    VShard target;
    std::vector<RelayRow> rows;
    bool operator==(const RelayBody&) const = default;
};
/// Back at the source: rows up to `through` are applied at the target and may go.
struct RelayAckBody {
    ShardId target_shard;
    VShard target;
    std::uint64_t through = 0;
    bool operator==(const RelayAckBody&) const = default;
};
/// Rows of an import up to `position` are in this shard's log before this record.
struct ImportMarkBody {
    std::string import_id;
    std::uint64_t position = 0;
    bool operator==(const ImportMarkBody&) const = default;
};

/// What the catalogue holds beside the schema: what applications declare, and what a cluster knows
/// of itself (cluster/membership.h).
enum class CatalogKind : std::uint8_t {
    kProfile,
    kExperiment,
    kModel,
    kMember,
    kJoinToken,
    kApiKey,
    kSynonyms,
    kCohort,
    kPolicy,
    kCollection,
};
inline constexpr std::size_t kCatalogKindCount = 10;
constexpr bool is_of_cluster(CatalogKind kind) {
    return kind >= CatalogKind::kMember && kind <= CatalogKind::kApiKey;
}
constexpr std::size_t text_bytes_max(CatalogKind kind) {
    if (is_of_cluster(kind)) return kClusterTextBytesMax;
    return kind == CatalogKind::kModel ? kModelTextBytesMax : kCatalogTextBytesMax;
}
/// A version of a named text of the catalogue, or the end of it and all versions before it.
struct CatalogBody {
    CatalogKind kind = CatalogKind::kProfile;
    std::string name;                 ///< 1 to schema::kNameBytesMax bytes.
    std::uint32_t version = 1;        ///< From 1.
    std::optional<std::string> text;  ///< At most text_bytes_max(kind); nullopt = retired.
    /// The catalogue's newest stamp when this was checked against it: refused in any other
    /// catalogue. nullopt = in any.
    std::optional<HybridTime> since = {};
    bool operator==(const CatalogBody&) const = default;
};

/// How a user stands to an item, to a creator or to another user.
enum class RelationshipKind : std::uint8_t {
    kHides,
    kSaves,  ///< These two towards an item,
    kFollows,
    kBlocks,
    kMutes,    ///< these towards a creator,
    kFriends,  ///< and this towards another user.
};
inline constexpr std::size_t kRelationshipKindCount = 6;
constexpr bool is_of_items(RelationshipKind kind) {
    return kind <= RelationshipKind::kSaves;
}
constexpr EntityKind target_kind(RelationshipKind kind) {
    if (is_of_items(kind)) return EntityKind::kItem;
    return kind == RelationshipKind::kFriends ? EntityKind::kUser : EntityKind::kCreator;
}
/// It begins, or ends.
struct RelationshipBody {
    RelationshipKind kind = RelationshipKind::kHides;
    bool ends = false;
    EntityId user;
    EntityId target;
    bool operator==(const RelationshipBody&) const = default;
};

inline constexpr std::size_t kSavedSearchBytesMax = 16 * 1024;
/// A search that a user keeps: it is saved (`text`), looked at, or (neither) ended.
struct SavedSearchBody {
    EntityId user;
    std::string name;                 ///< 1 to schema::kNameBytesMax bytes.
    std::optional<std::string> text;  ///< A query (docs/reference/query.md).
    bool looked = false;              ///< Never with a text.
    bool operator==(const SavedSearchBody&) const = default;
};

/// A session's id is a number below 2^53, so that JavaScript holds it; its low ten bits are the
/// vshard of its user, so that it says where it lives.
inline constexpr std::uint64_t kSessionIdMax = (1ULL << 53) - 1;
constexpr VShard vshard_of_session(std::uint64_t session) {
    return VShard(static_cast<std::uint16_t>(session % kVShardCount));
}

inline constexpr std::uint32_t kSessionRateMax = 60'000;            ///< Signals a minute.
inline constexpr std::uint64_t kSessionDurationMsMin = 1'000;       ///< A second...
inline constexpr std::uint64_t kSessionDurationMsMax = 86'400'000;  ///< ...to a day.
inline constexpr std::size_t kAnnotationsMax = 32;                  ///< Of one session...
inline constexpr std::size_t kAnnotationBytesMax = 1024;            ///< ...keys and values.
inline constexpr std::size_t kShownMax = 1'000;                     ///< Newest ids it remembers.

/// What a session may do, as its policy said when it was opened.
struct SessionLimits {
    std::string policy = "default@1";   ///< Name and version.
    std::vector<SignalTypeId> signals;  ///< Allowed ones, sorted; empty = all.
    std::uint32_t per_minute = 120;     ///< Tokens that come back, 1..kSessionRateMax.
    std::uint32_t burst = 60;           ///< Tokens it has at most, and at first; likewise.
    std::uint64_t duration_ms = 1'800'000;
    bool operator==(const SessionLimits&) const = default;
};
using Annotations = std::vector<std::pair<std::string, std::string>>;  ///< Sorted by key.

enum class SessionAct : std::uint8_t { kOpen, kAnnotate, kShow, kClose };
inline constexpr std::size_t kSessionActCount = 4;
/// A session begins, gets annotations, is shown a page, or ends. Its sequence number is the
/// envelope's.
struct SessionBody {
    SessionAct act = SessionAct::kOpen;
    std::uint64_t session = 0;
    // kOpen:
    std::optional<EntityId> user;
    std::string agent;  ///< Who acts for the user; empty = they themselves.
    SessionLimits limits;
    Annotations annotations;      ///< kOpen, kAnnotate; there an empty value ends its key.
    std::vector<EntityId> shown;  ///< kShow: at most kShownMax, in the order shown.
    bool operator==(const SessionBody&) const = default;
};
/// A signal under a session, logged in the shard of the session's user, which sends it on to the
/// item's. Without a user it is the session's.
struct SessionSignalBody {
    std::uint64_t session = 0;
    SignalBody signal;
    bool operator==(const SessionSignalBody&) const = default;
};
/// Takes back what the signal sent under the session with `key` did. In the shard of the session's
/// user, which sends it on to the item's.
struct SessionUndoBody {
    std::uint64_t session = 0;
    EntityKind kind = EntityKind::kItem;  ///< Of what the signal is on.
    EntityId item;
    std::string key;
    bool operator==(const SessionUndoBody&) const = default;
};

/// An item is put into a collection at a place, or taken out; or all items of one shard are taken
/// out, some with each record, because the collection is gone. What is in a collection lies in the
/// shard of the item.
struct CollectionMemberBody {
    enum class Change : std::uint8_t { kPut, kRemove, kDropAll };
    Change change = Change::kPut;
    CollectionId collection;
    EntityId item;        ///< Of kDropAll: the number 0.
    double position = 0;  ///< Of kPut; finite. The least comes first.
    bool operator==(const CollectionMemberBody&) const = default;
};

inline constexpr std::uint32_t kDailyCapMax = 1000;
/// So many items are about to be shown to a user under a profile with a daily cap. Its shard says
/// how many of them may be.
struct DeliveryBody {
    EntityId user;
    std::string profile;       ///< Its name, 1 to schema::kNameBytesMax bytes.
    std::uint32_t cap = 1;     ///< Of the UTC day of the record's stamp; 1..kDailyCapMax.
    std::uint32_t wanted = 1;  ///< 1..kDailyCapMax.
    std::uint64_t page = 0;    ///< Which page: asked for again it is granted what it was.
    bool operator==(const DeliveryBody&) const = default;
};

inline constexpr std::size_t kArchiveSecretBytes = 32;
inline constexpr std::size_t kArchiveKeysMax = 1'000;  ///< Of one record.

/// An alias stands for a user in the archive: random bits, but for the low ten, which say whose of
/// the data shards keeps the key.
constexpr std::uint64_t alias_in(ShardId home, std::uint64_t random) {
    return (random & ~std::uint64_t{kVShardCount - 1}) | (home.value() - 1U);
}
constexpr ShardId shard_of_alias(std::uint64_t alias) {
    return ShardId(static_cast<std::uint16_t>(alias % kVShardCount + 1));
}
/// Under what the archive keeps what is of a user.
struct ArchiveKey {
    EntityId user;
    HybridTime newest;  ///< Of what is to be kept: of a user erased since then nothing is.
    std::uint64_t alias = 0;
    std::string secret;  ///< kArchiveSecretBytes.
    bool operator==(const ArchiveKey&) const = default;
};
/// Users of this shard get keys, unless they have some.
struct ArchiveKeysBody {
    std::vector<ArchiveKey> keys;  ///< 1 to kArchiveKeysMax.
    bool operator==(const ArchiveKeysBody&) const = default;
};

/// Everything of a user goes, in all shards: those of `others` hear of it through the relay, in the
/// same step. DeleteBody of a user, in logs of before, is of one shard alone.
struct EraseUserBody {
    EntityId user;
    std::optional<HybridTime> if_match;  ///< Version the caller saw.
    std::vector<VShard> others;          ///< One of each other data shard, rising.
    bool operator==(const EraseUserBody&) const = default;
};

using Body = std::variant<SignalBody, UndoBody, UpsertBody, DeleteBody, EmbeddingBody, SchemaBody,
                          ShardConfigBody, TickBody, RelayBody, RelayAckBody, ImportMarkBody,
                          CatalogBody, RelationshipBody, SavedSearchBody, SessionBody,
                          SessionSignalBody, CollectionMemberBody, DeliveryBody, ArchiveKeysBody,
                          EraseUserBody, SessionUndoBody>;

struct Record {
    Envelope envelope;
    Body body;
    bool operator==(const Record&) const = default;
};

/// The limits that decode_record also enforces, so that nothing enters a log that cannot be read
/// back: sizes, counts, ranges. kInvalidArgument with the field at fault. Not the schema's rules.
Result<void> check_record(const Record& record);
/// Appends the record, which has passed check_record. `batch_region` is left out when it equals the
/// origin.
void encode_record(const Record& record, RegionId batch_region, Encoder* out);
/// `shard`, `incarnation` and `index` of the envelope are left for the caller to fill in.
/// kCorruption for bytes that are no record, among them unknown tags and presence bits.
Result<Record> decode_record(std::string_view bytes, RegionId batch_region);
/// The same into a record that is used again for each: about twice as fast for signals. After an
/// error its content is unspecified.
Result<void> decode_record(std::string_view bytes, RegionId batch_region, Record* into);
/// The commit stamp alone, of an encoded record; 0 for bytes that are none.
HybridTime stamp_of(std::string_view bytes);
/// 64-bit hash of the body alone: tells a repeat from another request with the same key. Of the
/// limits of a session only the policy's name counts: a repeat may meet a newer version.
std::uint64_t body_hash(const Body& body);

/// The vshard that owns an entity: XXH3-64 over tenant, kind and id, golden vectors in the tests.
VShard vshard_of(TenantId tenant, EntityKind kind, const EntityId& id);
/// Nearest multiple of 2^-20; kInvalidArgument when NaN, infinite, above 2^20 or not a multiple.
Result<FixedWeight> fixed_weight(double weight);
constexpr double weight_to_double(FixedWeight weight) {
    return static_cast<double>(weight) / kWeightOne;
}

}  // namespace tidal::record
