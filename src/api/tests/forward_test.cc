// Writes for another node come there as they were meant, and what came of them comes back.
#include "api/forward.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <sstream>

#include "record/tests/generate.h"

namespace tidal::api {
namespace forward_test {

/// As resolving makes it: nothing that stamping fills in.
record::Record any_record() {
    record::Record record = record::any_record();
    record::Envelope& envelope = record.envelope;
    envelope.shard = {};
    envelope.incarnation = {};
    envelope.index = {};
    envelope.stamp = {};
    if (!envelope.event_time_given) envelope.event_time_ms = 0;
    return record;
}

Proposal any_proposal() {
    Proposal proposal;
    proposal.shard = ShardId(*rc::gen::arbitrary<std::uint16_t>());
    proposal.concern.level = static_cast<shard::WriteConcern::Level>(*rc::gen::inRange<int>(0, 5));
    if (proposal.concern.level == shard::WriteConcern::kReplicas)
        proposal.concern.replicas = *rc::gen::inRange<std::uint32_t>(2, 100);
    const std::size_t count = *rc::gen::inRange<std::size_t>(1, 5);
    for (std::size_t i = 0; i < count; ++i) proposal.records.push_back(any_record());
    if (*rc::gen::arbitrary<bool>()) {
        ImportPart& import = proposal.import.emplace();
        import.import_id = *rc::gen::arbitrary<std::string>();
        import.schema_version = SchemaVersion(*rc::gen::arbitrary<std::uint32_t>());
        for (std::size_t i = 0; i < count; ++i)
            import.positions.push_back((import.positions.empty() ? 0 : import.positions.back()) +
                                       *rc::gen::inRange<std::uint64_t>(1, 1000));
        import.mark = import.positions.back() + *rc::gen::inRange<std::uint64_t>(0, 1000);
    }
    return proposal;
}

RC_GTEST_PROP(Forward, AWriteArrivesAsItWasSent, ()) {
    const Proposal proposal = any_proposal();
    const auto decoded = decode_proposal(encode_proposal(proposal));
    RC_ASSERT(decoded.ok());
    RC_ASSERT(decoded->shard == proposal.shard);
    RC_ASSERT(decoded->concern == proposal.concern);
    RC_ASSERT(decoded->import == proposal.import);
    RC_ASSERT(decoded->records == proposal.records);
}

RC_GTEST_PROP(Forward, OutcomesComeBackAsTheyWere, (const std::string& text)) {
    std::vector<shard::Outcome> outcomes;
    const std::size_t count = *rc::gen::inRange<std::size_t>(0, 5);
    for (std::size_t i = 0; i < count; ++i) {
        shard::Outcome outcome;
        if (*rc::gen::arbitrary<bool>()) {
            outcome = shard::Outcome::refuse(Error(ErrorCode::kPreconditionFailed, text)
                                                 .with_field("if_match")
                                                 .with_reason("version")
                                                 .with_hint(text)
                                                 .with("version", text));
        } else {
            outcome.created = *rc::gen::arbitrary<bool>();
            outcome.promised = *rc::gen::arbitrary<bool>();
            outcome.replicas = *rc::gen::arbitrary<std::uint32_t>();
            outcome.index = LogIndex(*rc::gen::arbitrary<std::uint64_t>());
            outcome.version = HybridTime::from_bits(*rc::gen::arbitrary<std::uint64_t>());
            outcome.mark = *rc::gen::arbitrary<std::uint64_t>();
            outcome.relayed.push_back(
                {ShardId(1), Incarnation(1), VShard(7), *rc::gen::arbitrary<std::uint64_t>()});
        }
        outcome.repeated = *rc::gen::arbitrary<bool>();
        outcomes.push_back(std::move(outcome));
    }
    const auto decoded = decode_outcomes(encode_outcomes(outcomes));
    RC_ASSERT(decoded.ok());
    RC_ASSERT(decoded->size() == outcomes.size());
    for (std::size_t i = 0; i < count; ++i) {
        const shard::Outcome& a = outcomes[i];
        const shard::Outcome& b = (*decoded)[i];
        RC_ASSERT(a.ok() == b.ok());
        RC_ASSERT(a.repeated == b.repeated);
        if (!a.ok()) {
            RC_ASSERT(b.refused->to_string() == a.refused->to_string());
            RC_ASSERT(b.refused->reason() == a.refused->reason());
            RC_ASSERT(b.refused->code() == a.refused->code());
            continue;
        }
        RC_ASSERT(a.created == b.created && a.promised == b.promised && a.mark == b.mark &&
                  a.replicas == b.replicas && a.index == b.index && a.version == b.version);
        RC_ASSERT(b.relayed.size() == 1u && b.relayed[0].sequence == a.relayed[0].sequence);
    }
}

Proposal golden() {
    Proposal proposal;
    proposal.shard = ShardId(3);
    proposal.concern = shard::WriteConcern::on(2);
    record::Record& record = proposal.records.emplace_back();
    record.envelope.schema_version = SchemaVersion(4);
    record.envelope.idempotency_key = "key";
    record.body = record::DeleteBody{EntityKind::kItem, EntityId(7), std::nullopt};
    proposal.import = ImportPart{"ml", {41}, 42, SchemaVersion(4)};
    return proposal;
}

TEST(Forward, BytesAreThoseOfVersionOne) {
    const std::string path = std::string(TIDAL_TESTDATA_DIR) + "/forward_v1.bin";
    std::ifstream file(path, std::ios::binary);
    std::stringstream kept;
    kept << file.rdbuf();
    EXPECT_EQ(encode_proposal(golden()), kept.str());
    std::string later = kept.str();
    later[0] = 2;
    EXPECT_EQ(decode_proposal(later).error().code(), ErrorCode::kIncompatible);
}

TEST(Forward, ATornOneIsRefused) {
    const std::string bytes = encode_proposal(golden());
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(decode_proposal(bytes.substr(0, size)).ok()) << size;
    EXPECT_FALSE(decode_proposal(bytes + "x").ok());
}

TEST(Forward, KnowsWhatMayBeProposedAgain) {
    Proposal proposal = golden();
    EXPECT_TRUE(may_repeat(proposal));
    proposal.import.reset();
    EXPECT_TRUE(may_repeat(proposal)) << "it has a key";
    proposal.records[0].envelope.idempotency_key.clear();
    EXPECT_FALSE(may_repeat(proposal));
    EXPECT_TRUE(nothing_appended(Error(ErrorCode::kUnavailable, "").with_reason("not_leader")));
    EXPECT_TRUE(nothing_appended(Error(ErrorCode::kConflict, "").with_reason("superseded")));
    EXPECT_FALSE(nothing_appended(Error(ErrorCode::kTimeout, "").with_reason("fate_unknown")));
    EXPECT_FALSE(nothing_appended(Error(ErrorCode::kConflict, "")));
}

}  // namespace forward_test
}  // namespace tidal::api
