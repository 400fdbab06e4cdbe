#include "api/resolve.h"

#include <charconv>
#include <cmath>

#include "api/internal/saved_searches.h"
#include "base/edit_distance.h"
#include "base/utf8.h"

namespace tidal::api {
namespace {

constexpr std::size_t kNameBytesMax = 255;
/// Of an id that is none.
constexpr std::size_t kShownBytesMax = 64;
constexpr UnixMillis kAheadMaxMs = 60'000;
// Years 0001 to 9999: what RFC 3339 can print.
constexpr UnixMillis kEarliestMs = -62'135'596'800'000;
constexpr UnixMillis kLatestMs = 253'402'300'799'999;

Result<void> check_time(std::string_view field,
                        const std::optional<std::optional<UnixMillis>>& time) {
    if (!time || !*time || (**time >= kEarliestMs && **time <= kLatestMs)) return {};
    return Error(ErrorCode::kInvalidArgument, "time outside the years 1 to 9999").with_field(field);
}

Result<void> check_event_time(const std::optional<UnixMillis>& at_ms, UnixMillis now_ms) {
    if (at_ms && *at_ms > now_ms + kAheadMaxMs)
        return Error(ErrorCode::kInvalidArgument, "`at` is in the future")
            .with_reason("at_in_future")
            .with_field("at")
            .with("ahead_ms", static_cast<std::uint64_t>(*at_ms - now_ms))
            .with_hint("at most 60 s ahead of this node's clock");
    if (at_ms && *at_ms < kEarliestMs)
        return Error(ErrorCode::kInvalidArgument, "`at` is before the year 1").with_field("at");
    return {};
}

Result<ResolvedWrite> resolve_one(const schema::Schema& schema, TenantId tenant,
                                  const EntityWrite& write, UnixMillis) {
    record::UpsertBody body;
    body.kind = write.kind;
    TIDAL_ASSIGN(body.id, resolve_id(schema, write.kind, write.id, "entity_id"));
    body.must_exist = write.must_exist;
    body.if_match = write.if_match;
    for (const auto& [name, input] : write.metadata) {
        const schema::FieldSpec* field = schema.find_field(write.kind, name);
        if (field == nullptr) return unknown_field(schema.kind(write.kind), name);
        record::FieldChange change{field->id, std::nullopt};
        if (!std::holds_alternative<std::monostate>(input)) {
            TIDAL_ASSIGN(change.value, coerce(*field, input));
        }
        body.fields.push_back(std::move(change));
    }
    TIDAL_TRY(check_time("created_at", write.created_at_ms));
    TIDAL_TRY(check_time("publish_at", write.publish_at_ms));
    TIDAL_TRY(check_time("expires_at", write.expires_at_ms));
    const bool item = write.kind == EntityKind::kItem;
    if (!item && (write.creator_id || write.publish_at_ms || write.expires_at_ms))
        return Error(ErrorCode::kInvalidArgument,
                     "only items have creator_id, publish_at and expires_at")
            .with_field(write.creator_id      ? "creator_id"
                        : write.publish_at_ms ? "publish_at"
                                              : "expires_at");
    if (write.creator_id) {
        body.creator.emplace();
        if (*write.creator_id) {
            TIDAL_ASSIGN(*body.creator, resolve_id(schema, EntityKind::kCreator, **write.creator_id,
                                                   "creator_id"));
        }
    }
    body.created_at = write.created_at_ms;
    body.publish_at = write.publish_at_ms;
    body.expires_at = write.expires_at_ms;
    ResolvedWrite resolved;
    resolved.vshard = record::vshard_of(tenant, body.kind, body.id);
    resolved.body = std::move(body);
    return resolved;
}

Result<ResolvedWrite> resolve_one(const schema::Schema& schema, TenantId tenant,
                                  const EntityDelete& write, UnixMillis) {
    TIDAL_ASSIGN(EntityId id, resolve_id(schema, write.kind, write.id, "entity_id"));
    ResolvedWrite resolved;
    resolved.vshard = record::vshard_of(tenant, write.kind, id);
    if (write.kind == EntityKind::kUser)
        resolved.body = record::EraseUserBody{std::move(id), write.if_match, {}};
    else
        resolved.body = record::DeleteBody{write.kind, std::move(id), write.if_match};
    return resolved;
}

Result<const schema::EmbeddingSpec*> find_slot(const schema::Schema& schema,
                                               const EmbeddingWrite& write) {
    const auto& slots = schema.kind(write.kind).embeddings;
    if (write.slot.empty() && slots.size() == 1) return &slots.front();
    if (const schema::EmbeddingSpec* slot = schema.find_embedding(write.kind, write.slot))
        return slot;
    std::vector<std::string_view> names;
    for (const auto& slot : slots) names.push_back(slot.name);
    if (write.slot.empty() && !slots.empty())
        return Error(ErrorCode::kInvalidArgument, "the kind has several embedding slots: name one")
            .with_field("slot")
            .with_hint(name_hint("", names));
    return Error(ErrorCode::kUnknownName, "no embedding slot '" + write.slot + "' for this kind")
        .with_reason("unknown_slot")
        .with_field("slot")
        .with_hint(names.empty() ? "the schema declares none" : name_hint(write.slot, names));
}

Result<ResolvedWrite> resolve_one(const schema::Schema& schema, TenantId tenant,
                                  const EmbeddingWrite& write, UnixMillis) {
    record::EmbeddingBody body;
    body.kind = write.kind;
    TIDAL_ASSIGN(body.id, resolve_id(schema, write.kind, write.id, "entity_id"));
    TIDAL_ASSIGN(const schema::EmbeddingSpec* slot, find_slot(schema, write));
    body.slot = slot->id;
    if (write.values.size() != slot->dimensions)
        return Error(ErrorCode::kInvalidArgument, "vector of the wrong length")
            .with_reason("wrong_dimension")
            .with_field("values")
            .with("length", write.values.size())
            .with_hint("slot '" + slot->name + "' has " + std::to_string(slot->dimensions) +
                       " dimensions");
    double norm = 0;
    body.values.reserve(write.values.size());
    for (std::size_t i = 0; i < write.values.size(); ++i) {
        const auto value = static_cast<float>(write.values[i]);
        if (!std::isfinite(value))
            return Error(ErrorCode::kInvalidArgument,
                         "vector component is not a finite 32-bit float")
                .with_field("values[" + std::to_string(i) + "]");
        norm += static_cast<double>(value) * value;
        body.values.push_back(value);
    }
    if (slot->metric == schema::Metric::kCosine && norm == 0)
        return Error(ErrorCode::kInvalidArgument, "a zero vector has no direction under cosine")
            .with_reason("zero_vector")
            .with_field("values");
    ResolvedWrite resolved;
    resolved.vshard = record::vshard_of(tenant, body.kind, body.id);
    resolved.body = std::move(body);
    return resolved;
}

Result<ResolvedWrite> resolve_one(const schema::Schema& schema, TenantId tenant,
                                  const SignalWrite& write, UnixMillis now_ms) {
    const schema::SignalSpec* spec = schema.find_signal(write.signal);
    if (spec == nullptr) return unknown_signal(schema, write.signal);
    record::SignalBody body;
    body.signal = spec->id;
    TIDAL_ASSIGN(body.item, resolve_id(schema, spec->target, write.id, "entity_id"));
    auto weight = record::fixed_weight(write.weight);
    if (!weight) return weight.take_error().with_field("weight");
    body.weight = *weight;
    if (write.user_id) {
        TIDAL_ASSIGN(body.user, resolve_id(schema, EntityKind::kUser, *write.user_id, "user_id"));
    }
    if (write.creator_id) {
        TIDAL_ASSIGN(body.creator,
                     resolve_id(schema, EntityKind::kCreator, *write.creator_id, "creator_id"));
    }
    if (write.context.size() > record::kContextBytesMax)
        return Error(ErrorCode::kInvalidArgument, "context is longer than 4 KiB")
            .with_field("context");
    if (write.session_id.size() > kNameBytesMax)
        return Error(ErrorCode::kInvalidArgument, "session_id is longer than 255 bytes")
            .with_field("session_id");
    TIDAL_TRY(check_event_time(write.at_ms, now_ms));
    body.context = write.context;
    ResolvedWrite resolved;
    resolved.vshard = record::vshard_of(tenant, spec->target, body.item);
    resolved.at_ms = write.at_ms;
    resolved.session = write.session_id;
    resolved.idempotency_key = write.idempotency_key;
    if (write.session_id.empty() && write.sequence != 0)
        return Error(ErrorCode::kInvalidArgument, "a sequence number is one of a session")
            .with_field("sequence")
            .with_hint("name it in session_id");
    if (write.session_id.empty() || !write.under_policy) {
        resolved.body = std::move(body);
        return resolved;
    }
    TIDAL_ASSIGN(const std::uint64_t session, parse_session_id(write.session_id));
    resolved.vshard = record::vshard_of_session(session);
    resolved.session = std::to_string(session);
    resolved.session_sequence = write.sequence;
    resolved.body = record::SessionSignalBody{session, std::move(body)};
    return resolved;
}

/// A limit that a record would not pass is said before.
Result<ResolvedWrite> resolve_one(const schema::Schema&, TenantId, const SessionWrite& write,
                                  UnixMillis) {
    record::Record record;
    record.body = write.body;
    TIDAL_TRY(record::check_record(record));
    ResolvedWrite resolved;
    resolved.vshard = record::vshard_of_session(write.body.session);
    resolved.session_sequence = write.sequence;
    resolved.body = write.body;
    return resolved;
}

Result<ResolvedWrite> resolve_one(const schema::Schema& schema, TenantId tenant,
                                  const SignalUndo& write, UnixMillis) {
    EntityKind kind = EntityKind::kItem;
    if (!write.signal.empty()) {
        const schema::SignalSpec* spec = schema.find_signal(write.signal);
        if (spec == nullptr) return unknown_signal(schema, write.signal);
        kind = spec->target;
    }
    record::UndoBody body;
    TIDAL_ASSIGN(body.item, resolve_id(schema, kind, write.id, "entity_id"));
    if (write.key.empty() || write.key.size() > kNameBytesMax)
        return Error(ErrorCode::kInvalidArgument,
                     "undo takes the idempotency key of a signal, 1 to 255 bytes")
            .with_field("undo");
    body.key = write.key;
    ResolvedWrite resolved;
    if (!write.session_id.empty() && write.under_policy) {
        TIDAL_ASSIGN(const std::uint64_t session, parse_session_id(write.session_id));
        resolved.vshard = record::vshard_of_session(session);
        resolved.body =
            record::SessionUndoBody{session, kind, std::move(body.item), std::move(body.key)};
        return resolved;
    }
    resolved.vshard = record::vshard_of(tenant, kind, body.item);
    resolved.body = std::move(body);
    return resolved;
}

Result<ResolvedWrite> resolve_one(const schema::Schema& schema, TenantId tenant,
                                  const RelationshipWrite& write, UnixMillis) {
    record::RelationshipBody body;
    body.kind = write.kind;
    body.ends = write.ends;
    const bool of_item = record::is_of_items(write.kind);
    TIDAL_ASSIGN(body.user, resolve_id(schema, EntityKind::kUser, write.user_id, "user_id"));
    TIDAL_ASSIGN(body.target, resolve_id(schema, record::target_kind(write.kind), write.target,
                                         relationship_target(write.kind)));
    if (write.kind == record::RelationshipKind::kFriends && body.target == body.user)
        return Error(ErrorCode::kInvalidArgument, "a user is no friend of themselves")
            .with_field("friend_id");
    ResolvedWrite resolved;
    // What bears on items lies where they do; the rest with its user.
    resolved.vshard = of_item ? record::vshard_of(tenant, EntityKind::kItem, body.target)
                              : record::vshard_of(tenant, EntityKind::kUser, body.user);
    resolved.body = std::move(body);
    return resolved;
}

Result<ResolvedWrite> resolve_one(const schema::Schema& schema, TenantId tenant,
                                  const SavedSearchWrite& write, UnixMillis) {
    record::SavedSearchBody body;
    TIDAL_ASSIGN(body.user, resolve_id(schema, EntityKind::kUser, write.user_id, "user_id"));
    if (auto named = schema::check_name(write.name); !named)
        return named.take_error().with_field("name");
    if (write.query) TIDAL_TRY(check_saved_search(*write.query));
    body.name = write.name;
    body.text = write.query;
    body.looked = write.looked;
    ResolvedWrite resolved;
    resolved.vshard = record::vshard_of(tenant, EntityKind::kUser, body.user);
    resolved.body = std::move(body);
    return resolved;
}

Result<ResolvedWrite> resolve_member(const schema::Schema& schema, TenantId tenant,
                                     const CollectionMemberWrite& write,
                                     const query::Collections& collections) {
    const query::Collection* const found = collections.find(write.collection);
    if (found == nullptr) return no_collection(collections, write.collection);
    record::CollectionMemberBody body;
    using Change = record::CollectionMemberBody::Change;
    body.change = write.ends ? Change::kRemove : Change::kPut;
    body.collection = found->id;
    TIDAL_ASSIGN(body.item, resolve_id(schema, EntityKind::kItem, write.id, "entity_id"));
    if (!std::isfinite(write.position))
        return Error(ErrorCode::kInvalidArgument, "a position is a finite number")
            .with_field("position");
    body.position = write.ends ? 0 : write.position;
    ResolvedWrite resolved;
    resolved.vshard = record::vshard_of(tenant, EntityKind::kItem, body.item);
    resolved.body = std::move(body);
    return resolved;
}

/// resolve() has taken it.
Result<ResolvedWrite> resolve_one(const schema::Schema& schema, TenantId tenant,
                                  const CollectionMemberWrite& write, UnixMillis) {
    return resolve_member(schema, tenant, write, {});
}

Result<ResolvedWrite> resolve_one(const schema::Schema& schema, TenantId tenant,
                                  const PreparedWrite& write, UnixMillis now_ms) {
    TIDAL_TRY(check_event_time(write.at_ms, now_ms));
    ResolvedWrite resolved;
    resolved.at_ms = write.at_ms;
    if (const auto* upsert = std::get_if<record::UpsertBody>(&write.body)) {
        resolved.vshard = record::vshard_of(tenant, upsert->kind, upsert->id);
        resolved.body = *upsert;
    } else if (const auto* vector = std::get_if<record::EmbeddingBody>(&write.body)) {
        resolved.vshard = record::vshard_of(tenant, vector->kind, vector->id);
        resolved.body = *vector;
    } else {
        const auto& signal = std::get<record::SignalBody>(write.body);
        resolved.vshard =
            record::vshard_of(tenant, schema.signals[signal.signal.value()].target, signal.item);
        resolved.body = signal;
    }
    return resolved;
}

}  // namespace

Error no_collection(const query::Collections& known, const std::string& name) {
    const Error unknown = known.unknown(name);
    return Error(ErrorCode::kNotFound, "no collection `" + name + "`")
        .with_field("name")
        .with_reason(unknown.reason())
        .with_hint(unknown.hint());
}

Result<EntityKind> kind_named(std::string_view name) {
    for (const EntityKind kind : {EntityKind::kItem, EntityKind::kUser, EntityKind::kCreator})
        if (name == entity_kind_name(kind)) return kind;
    return Error(ErrorCode::kUnknownName, "unknown kind '" + std::string(name) + "'")
        .with_field("kind")
        .with_hint("item, user or creator");
}

Result<EntityId> resolve_id(const schema::Schema& schema, EntityKind kind, const IdInput& id,
                            std::string_view field) {
    const bool names = schema.kind(kind).string_ids;
    if (const auto* number = std::get_if<std::uint64_t>(&id)) {
        if (!names) return EntityId(*number);
        return Error(ErrorCode::kInvalidArgument, "ids of this kind are strings").with_field(field);
    }
    const std::string& text = std::get<std::string>(id);
    if (names) {
        if (text.empty() || text.size() > kNameBytesMax)
            return Error(ErrorCode::kInvalidArgument, "id must have 1 to 255 bytes")
                .with_field(field);
        if (find_utf8_error(text))
            return Error(ErrorCode::kInvalidArgument, "id is not UTF-8").with_field(field);
        return EntityId(text);
    }
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && !text.empty())
        return EntityId(number);
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    const bool shown = text.size() <= kShownBytesMax && !find_utf8_error(text);
    return Error(ErrorCode::kInvalidArgument,
                 (digits ? "id out of range" : "not an id") + (shown ? ": '" + text + "'" : ""))
        .with_reason("bad_id")
        .with_field(field)
        .with_hint("an unsigned 64-bit number, or the same as a decimal string");
}

Result<std::uint64_t> parse_session_id(std::string_view text) {
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error == std::errc() && end == text.data() + text.size() && id > 0 &&
        id <= record::kSessionIdMax)
        return id;
    return Error(ErrorCode::kInvalidArgument, "not the id of a session")
        .with_reason("bad_id")
        .with_field("session_id")
        .with_hint("the session_id that POST /sessions answered with");
}

Result<ResolvedWrite> resolve(const schema::Schema& schema, TenantId tenant, const Write& write,
                              UnixMillis now_ms, const query::Collections& collections) {
    if (const auto* member = std::get_if<CollectionMemberWrite>(&write))
        return resolve_member(schema, tenant, *member, collections);
    return std::visit([&](const auto& one) { return resolve_one(schema, tenant, one, now_ms); },
                      write);
}

Error unknown_field(const schema::KindSchema& kind, std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& field : kind.fields) names.push_back(field.name);
    return Error(ErrorCode::kUnknownName, "unknown field '" + std::string(name) + "'")
        .with_reason("unknown_field")
        .with_field("metadata." + std::string(name))
        .with_hint(name_hint(name, names));
}

Error unknown_signal(const schema::Schema& schema, std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& signal : schema.signals) names.push_back(signal.name);
    return Error(ErrorCode::kUnknownName, "unknown signal '" + std::string(name) + "'")
        .with_reason("unknown_signal")
        .with_field("signal")
        .with_hint(name_hint(name, names));
}

}  // namespace tidal::api
