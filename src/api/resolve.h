// api/resolve.h: from what a client wrote to what the schema means: names to ids, values to types.
#pragma once

#include "api/types.h"
#include "record/record.h"
#include "schema/schema.h"

namespace tidal::api {

/// A record's body and where it goes.
struct ResolvedWrite {
    record::Body body;
    VShard vshard;
    std::optional<UnixMillis> at_ms;
    std::string session;
    std::uint64_t session_sequence = 0;
    std::string idempotency_key;  ///< Of the write itself; empty = the call's.
};

/// kInvalidArgument with `field` for text that is no decimal number where ids are numbers, an empty
/// or over-long name, or a number where ids are names.
Result<EntityId> resolve_id(const schema::Schema& schema, EntityKind kind, const IdInput& id,
                            std::string_view field);

/// kInvalidArgument, field "session_id", reason "bad_id".
Result<std::uint64_t> parse_session_id(std::string_view text);

/// "item", "user", "creator"; kUnknownName, field "kind".
Result<EntityKind> kind_named(std::string_view name);

/// kUnknownName with the nearest known name, kInvalidArgument with field and what would be right.
/// `now_ms` bounds event times: more than 60 s ahead is refused.
Result<ResolvedWrite> resolve(const schema::Schema& schema, TenantId tenant, const Write& write,
                              UnixMillis now_ms, const query::Collections& collections = {});

/// A client's value in the type of the field: numbers must fit, timestamps may be RFC 3339 or Unix
/// milliseconds, durations "90s", "15m", "2h", "7d" or milliseconds.
Result<record::Value> coerce(const schema::FieldSpec& field, const FieldInput& input);

/// kNotFound, reason "unknown_collection", with the nearest name.
Error no_collection(const query::Collections& known, const std::string& name);
Error unknown_field(const schema::KindSchema& kind, std::string_view name);
Error unknown_signal(const schema::Schema& schema, std::string_view name);

}  // namespace tidal::api
