// Limits of a record, the same for the writer and the reader of a log.

#include <algorithm>
#include <cmath>

#include "record/record.h"
#include "record/session_codec.h"

namespace tidal::record {
namespace {

/// A broken limit. Cheaper than a Result: every record of a replay passes through here.
struct Violation {
    std::string_view field;  ///< Empty = none.
    std::string_view message;
};

Violation unless(bool holds, std::string_view field, std::string_view message) {
    return holds ? Violation{} : Violation{field, message};
}
Violation first(std::initializer_list<Violation> violations) {
    for (const Violation& v : violations)
        if (!v.field.empty()) return v;
    return {};
}

Violation check_id(const EntityId& id, std::string_view field) {
    return unless(!id.is_text() || (!id.text().empty() && id.text().size() <= kIdBytesMax), field,
                  "a text id has 1 to 255 bytes");
}
Violation check_id(const std::optional<EntityId>& id, std::string_view field) {
    return id ? check_id(*id, field) : Violation{};
}
Violation check_token(const std::string& token, std::string_view field) {
    return unless(token.size() <= kTokenBytesMax, field, "has at most 255 bytes");
}
Violation check_weight(FixedWeight weight) {
    return unless(weight <= kWeightMax && weight >= -kWeightMax, "weight",
                  "is at most 2^20 either way");
}
Violation check_vshard(VShard vshard) {
    return unless(vshard.value() < kVShardCount, "target", "is a vshard of 0..1023");
}

Violation check(const SignalBody& body) {
    return first(
        {check_id(body.item, "entity_id"), check_weight(body.weight),
         check_id(body.user, "user_id"), check_id(body.creator, "creator_id"),
         unless(body.context.size() <= kContextBytesMax, "context", "has at most 4096 bytes")});
}

Violation check(const UndoBody& body) {
    return first({check_id(body.item, "entity_id"), check_token(body.key, "undo"),
                  unless(!body.key.empty(), "undo", "needs the key of a signal")});
}

bool is_storable(const Value& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return text->size() <= kTextBytesMax;
    const auto* list = std::get_if<std::vector<std::string>>(&value);
    return list == nullptr || (list->size() <= kKeywordsMax &&
                               std::all_of(list->begin(), list->end(), [](const std::string& word) {
                                   return word.size() <= kKeywordBytesMax;
                               }));
}

Violation check(const UpsertBody& body) {
    const bool storable =
        body.fields.size() <= schema::kFieldsMax &&
        std::all_of(body.fields.begin(), body.fields.end(),
                    [](const FieldChange& f) { return !f.value || is_storable(*f.value); });
    return first({check_id(body.id, "entity_id"),
                  check_id(body.creator.value_or(std::nullopt), "creator_id"),
                  unless(storable, "metadata", "has a value or a list that is too long")});
}

Violation check(const DeleteBody& body) {
    return check_id(body.id, "entity_id");
}

Violation check(const EmbeddingBody& body) {
    return first({check_id(body.id, "entity_id"),
                  unless(!body.values.empty() && body.values.size() <= schema::kDimensionsMax,
                         "values", "has 1 to 4096 numbers")});
}

Violation check(const SchemaBody& body) {
    return unless(body.schema.size() <= schema::kSchemaTextBytesMax, "schema", "is too large");
}

Violation check(const ShardConfigBody& body) {
    const MemoryBudgets budgets = body.memory.value_or(MemoryBudgets());
    const auto most = std::max({budgets.user_states, budgets.tastes, budgets.co_engagement,
                                budgets.cohorts, budgets.collections});
    return first({unless(body.vshard_begin <= body.vshard_end && body.vshard_end <= kVShardCount,
                         "vshards", "is a range within 0..1024"),
                  unless(most <= kMemoryBudgetMax, "memory", "is at most 2^50 bytes")});
}

Violation check(const TickBody&) {
    return {};
}

Violation check(const RelayBody& body) {
    for (const RelayRow& row : body.rows) {
        const Violation v = first(
            {check_id(row.target, "target"), check_weight(row.weight),
             check_id(row.user, "user_id"), check_id(row.item, "item_id"),
             check_id(row.creator, "creator_id"),
             unless(row.item.has_value() == (row.effect == RelayEffect::kTaste), "item_id",
                    "is named by tastes"),
             unless(!is_of_session(row.effect) || row.user, "user_id",
                    "is named by signals of sessions"),
             unless(row.effect != RelayEffect::kKeyedSignal || row.count == 1 || row.count == -1,
                    "count", "of a signal that can be taken back is 1 or -1"),
             unless(row.others.size() <= kRelayOthersMax, "others", "are at most 16")});
        for (const EntityId& other : row.others)
            if (const Violation of_other = check_id(other, "others"); !of_other.field.empty())
                return of_other;
        if (!v.field.empty()) return v;
    }
    return first({check_vshard(body.target),
                  unless(body.rows.size() <= kRelayRowsMax, "rows", "are at most 65536")});
}

Violation check(const RelayAckBody& body) {
    return check_vshard(body.target);
}
Violation check(const ImportMarkBody& body) {
    return check_token(body.import_id, "import_id");
}

Violation check(const CatalogBody& body) {
    return first({unless(!body.name.empty() && body.name.size() <= schema::kNameBytesMax, "name",
                         "has 1 to 63 bytes"),
                  unless(body.version > 0, "version", "counts from 1"),
                  unless(!body.text || body.text->size() <= text_bytes_max(body.kind), "text",
                         "has at most 1 MiB, of a model 4 MiB, of the cluster 4 KiB")});
}

Violation check(const RelationshipBody& body) {
    constexpr std::string_view kTargets[] = {"item_id", "friend_id", "creator_id"};
    return first(
        {check_id(body.user, "user_id"),
         check_id(body.target, kTargets[static_cast<std::size_t>(target_kind(body.kind))])});
}

Violation check(const SavedSearchBody& body) {
    return first({check_id(body.user, "user_id"),
                  unless(!body.name.empty() && body.name.size() <= schema::kNameBytesMax, "name",
                         "has 1 to 63 bytes"),
                  unless(!body.text || body.text->size() <= kSavedSearchBytesMax, "query",
                         "has at most 16 KiB"),
                  unless(!body.text || !body.looked, "looked", "has no text")});
}

Violation check_session(std::uint64_t session) {
    return unless(session > 0 && session <= kSessionIdMax, "session_id",
                  "is a number of 1 to 2^53 - 1");
}

Violation check(const SessionBody& body) {
    const std::string_view annotations = wrong_with(body.annotations);
    Violation v = first({check_session(body.session), check_id(body.user, "user_id"),
                         unless(annotations.empty(), "annotations", annotations),
                         unless(body.shown.size() <= kShownMax, "shown", "has at most 1000 ids")});
    for (const EntityId& id : body.shown)
        if (v.field.empty()) v = check_id(id, "shown");
    if (!v.field.empty() || body.act != SessionAct::kOpen) return v;
    const std::string_view limits = wrong_with(body.limits);
    return first({unless(body.user.has_value(), "user_id", "is named by a session that opens"),
                  unless(body.user && vshard_of_session(body.session) ==
                                          vshard_of(kDefaultTenant, EntityKind::kUser, *body.user),
                         "session_id", "names the vshard of its user"),
                  check_token(body.agent, "agent"), unless(limits.empty(), "policy", limits)});
}

Violation check(const SessionSignalBody& body) {
    return first({check_session(body.session), check(body.signal)});
}

Violation check(const SessionUndoBody& body) {
    return first({check_session(body.session), check_id(body.item, "entity_id"),
                  check_token(body.key, "undo"),
                  unless(!body.key.empty(), "undo", "needs the key of a signal")});
}

Violation check(const CollectionMemberBody& body) {
    using Change = CollectionMemberBody::Change;
    return first({check_id(body.item, "entity_id"),
                  unless(std::isfinite(body.position), "position", "is a finite number"),
                  unless(body.change == Change::kPut || body.position == 0, "position",
                         "is of an item that is put")});
}

Violation check(const DeliveryBody& body) {
    return first(
        {check_id(body.user, "user_id"),
         unless(!body.profile.empty() && body.profile.size() <= schema::kNameBytesMax, "profile",
                "has 1 to 63 bytes"),
         unless(body.cap >= 1 && body.cap <= kDailyCapMax, "cap", "is 1 to 1000"),
         unless(body.wanted >= 1 && body.wanted <= kDailyCapMax, "wanted", "is 1 to 1000")});
}

Violation check(const ArchiveKeysBody& body) {
    Violation v =
        unless(!body.keys.empty() && body.keys.size() <= kArchiveKeysMax, "keys", "are 1 to 1000");
    for (const ArchiveKey& key : body.keys)
        if (v.field.empty())
            v = first({check_id(key.user, "user_id"),
                       unless(key.secret.size() == kArchiveSecretBytes, "secret", "has 32 bytes")});
    return v;
}

Violation check(const EraseUserBody& body) {
    Violation v = check_id(body.user, "entity_id");
    for (const VShard other : body.others)
        if (v.field.empty()) v = check_vshard(other);
    const bool rising =
        std::ranges::adjacent_find(body.others, std::greater_equal<>()) == body.others.end();
    return first({v, unless(rising, "others", "rise")});
}

Violation check(const Envelope& e) {
    const bool sorted = std::adjacent_find(e.cohorts.begin(), e.cohorts.end(),
                                           std::greater_equal<>()) == e.cohorts.end();
    return first({check_token(e.session, "session_id"),
                  check_token(e.idempotency_key, "idempotency_key"),
                  check_token(e.principal, "principal"),
                  unless(sorted && e.cohorts.size() <= kCohortsMax, "cohorts",
                         "are at most 8, sorted, each once")});
}

}  // namespace

Result<void> check_record(const Record& record) {
    Violation v = check(record.envelope);
    if (v.field.empty()) v = std::visit([](const auto& body) { return check(body); }, record.body);
    if (v.field.empty()) return {};
    return Error(ErrorCode::kInvalidArgument, std::string(v.field) + ": " + std::string(v.message))
        .with_field(v.field);
}

}  // namespace tidal::record
