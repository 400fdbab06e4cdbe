#include "api/forward.h"

#include <algorithm>

#include "base/codec.h"
#include "cluster/error_codec.h"

namespace tidal::api {
namespace {

constexpr std::uint8_t kVersion = 1;
// Of an outcome.
enum Flag : std::uint8_t { kRefused = 1, kRepeated = 2, kPromised = 4, kFlagsEnd = 8 };

Result<void> check_version(Decoder* in, std::string_view what) {
    const std::uint8_t version = in->u8();
    if (in->failed() || version == kVersion) return {};
    return Error(ErrorCode::kIncompatible, std::string(what) + " of another version")
        .with("version", version)
        .with("this_program_reads", kVersion);
}

void encode_import(const ImportPart& import, Encoder* out) {
    out->bytes(import.import_id);
    out->varint(import.mark);
    out->varint(import.schema_version.value());
    out->varint(import.positions.size());
    for (const std::uint64_t position : import.positions) out->varint(position);
}

ImportPart decode_import(Decoder* in) {
    ImportPart import;
    import.import_id = in->bytes();
    import.mark = in->varint();
    import.schema_version = SchemaVersion(static_cast<std::uint32_t>(in->varint()));
    const std::size_t count = in->count(1);
    for (std::size_t i = 0; i < count && !in->failed(); ++i)
        import.positions.push_back(in->varint());
    if (!std::ranges::is_sorted(import.positions) ||
        (!import.positions.empty() && import.positions.back() > import.mark))
        in->fail();
    return import;
}

shard::WriteConcern decode_concern(Decoder* in) {
    const std::uint8_t level = in->u8();
    const std::uint64_t replicas = in->varint();
    const bool counts = level == shard::WriteConcern::kReplicas;
    if (level > shard::WriteConcern::kReplicas || replicas > 65'535 || counts != (replicas >= 2))
        in->fail();
    shard::WriteConcern concern(static_cast<shard::WriteConcern::Level>(level));
    concern.replicas = static_cast<std::uint32_t>(replicas);
    return concern;
}

}  // namespace

std::string encode_proposal(const Proposal& proposal) {
    Encoder out;
    out.u8(kVersion);
    out.u16(proposal.shard.value());
    out.u8(proposal.concern.level);
    out.varint(proposal.concern.replicas);
    out.u8(proposal.import ? 1 : 0);
    if (proposal.import) encode_import(*proposal.import, &out);
    out.varint(proposal.records.size());
    Encoder one;
    for (const record::Record& record : proposal.records) {
        one.clear();
        record::encode_record(record, kFirstRegion, &one);
        out.bytes(one.view());
    }
    return out.take();
}

Result<Proposal> decode_proposal(std::string_view bytes) {
    Decoder in(bytes);
    TIDAL_TRY(check_version(&in, "a forwarded write"));
    Proposal proposal;
    proposal.shard = ShardId(in.u16());
    proposal.concern = decode_concern(&in);
    const std::uint8_t has_import = in.u8();
    if (has_import > 1) in.fail();
    if (has_import == 1) proposal.import = decode_import(&in);
    const std::size_t count = in.count(2);
    for (std::size_t i = 0; i < count && !in.failed(); ++i) {
        const std::string_view one = in.bytes();
        if (in.failed()) break;
        TIDAL_ASSIGN(auto record, record::decode_record(one, kFirstRegion));
        proposal.records.push_back(std::move(record));
    }
    TIDAL_TRY(in.finish("a forwarded write"));
    if (proposal.records.empty() ||
        (proposal.import && proposal.import->positions.size() != proposal.records.size()))
        return Error(ErrorCode::kCorruption, "a forwarded write: not as many records as it says");
    return proposal;
}

std::string encode_outcomes(const std::vector<shard::Outcome>& outcomes) {
    Encoder out;
    out.u8(kVersion);
    out.varint(outcomes.size());
    for (const shard::Outcome& outcome : outcomes) {
        out.u8(static_cast<std::uint8_t>((outcome.ok() ? 0 : kRefused) |
                                         (outcome.repeated ? kRepeated : 0) |
                                         (outcome.promised ? kPromised : 0)));
        if (!outcome.ok()) {
            cluster::encode_error(*outcome.refused, &out);
            continue;
        }
        out.varint(outcome.mark);
        out.varint(outcome.replicas);
        shard::encode_outcome(outcome, &out);
    }
    return out.take();
}

Result<std::vector<shard::Outcome>> decode_outcomes(std::string_view bytes) {
    Decoder in(bytes);
    TIDAL_TRY(check_version(&in, "outcomes of a forwarded write"));
    std::vector<shard::Outcome> outcomes;
    const std::size_t count = in.count(1);
    for (std::size_t i = 0; i < count && !in.failed(); ++i) {
        const std::uint8_t flags = in.u8();
        if (flags >= kFlagsEnd) in.fail();
        shard::Outcome outcome;
        if ((flags & kRefused) != 0) {
            outcome = shard::Outcome::refuse(cluster::decode_error(&in));
        } else {
            const std::uint64_t mark = in.varint();
            const std::uint64_t replicas = in.varint();
            outcome = shard::decode_outcome(&in);
            outcome.mark = mark;
            outcome.replicas = static_cast<std::uint32_t>(replicas);
        }
        outcome.repeated = (flags & kRepeated) != 0;
        outcome.promised = (flags & kPromised) != 0;
        outcomes.push_back(std::move(outcome));
    }
    TIDAL_TRY(in.finish("outcomes of a forwarded write"));
    return outcomes;
}

bool may_repeat(const Proposal& proposal) {
    // A mark of an import lets its rows in once; rows of the relay pass their stream's mark once.
    if (proposal.import) return true;
    return std::ranges::all_of(proposal.records, [](const record::Record& record) {
        if (const auto* erases = std::get_if<record::EraseUserBody>(&record.body))
            return !record.envelope.idempotency_key.empty() || !erases->if_match;
        return !record.envelope.idempotency_key.empty() ||
               std::holds_alternative<record::RelayBody>(record.body) ||
               std::holds_alternative<record::ImportMarkBody>(record.body) ||
               std::holds_alternative<record::RelationshipBody>(record.body) ||
               std::holds_alternative<record::SavedSearchBody>(record.body) ||
               std::holds_alternative<record::SessionBody>(record.body) ||
               (std::holds_alternative<record::SessionSignalBody>(record.body) &&
                record.envelope.session_sequence != 0) ||
               std::holds_alternative<record::SessionUndoBody>(record.body) ||
               std::holds_alternative<record::CollectionMemberBody>(record.body) ||
               std::holds_alternative<record::DeliveryBody>(record.body) ||
               std::holds_alternative<record::ArchiveKeysBody>(record.body) ||
               std::holds_alternative<record::CatalogBody>(record.body) ||
               std::holds_alternative<record::SchemaBody>(record.body);
    });
}

bool nothing_appended(const Error& error) {
    if (error.reason() == "superseded") return true;
    return error.code() == ErrorCode::kUnavailable;
}

}  // namespace tidal::api
