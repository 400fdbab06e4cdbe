// Messages as bytes: a round trip keeps every field, the golden packet is read for ever, and no
// bytes do harm.
#include "raft/wire.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include <fstream>
#include <iterator>

#include "base/crc32c.h"

namespace tidal::raft {
namespace wire_test {

template <typename T>
bool same(const T& a, const T& b) {
    return a == b;
}
bool same(const Entry& a, const Entry& b) {
    return a.term == b.term && a.index == b.index && a.kind == b.kind && a.bytes() == b.bytes();
}
bool same(const Append& a, const Append& b) {
    return a.prev_index == b.prev_index && a.prev_term == b.prev_term && a.commit == b.commit &&
           std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                      [](const Entry& x, const Entry& y) { return same(x, y); });
}
bool same(const SnapshotChunk& a, const SnapshotChunk& b) {
    return a.meta == b.meta && a.offset == b.offset && a.size == b.size && *a.data == *b.data;
}
bool same(const Message& a, const Message& b) {
    if (a.from != b.from || a.to != b.to || a.term != b.term || a.body.index() != b.body.index())
        return false;
    return std::visit(
        [&](const auto& body) {
            return same(body, std::get<std::decay_t<decltype(body)>>(b.body));
        },
        a.body);
}

std::uint64_t number() {
    return *rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(0, 300),
                           rc::gen::inRange<std::uint64_t>(0, kWireNumberEnd - 1000));
}
LogIndex index() {
    return LogIndex(number());
}
Term term() {
    return Term(number());
}
bool flag() {
    return *rc::gen::arbitrary<bool>();
}

Configuration configuration() {
    const auto id = number() / 2 + 1;
    return flag() ? Configuration{}
                  : Configuration{.voters = {PeerId(id), PeerId(id + 1)},
                                  .outgoing = {PeerId(id + 1), PeerId(id + 2)},
                                  .learners = {PeerId(id + 9)},
                                  .learners_next = {PeerId(id + 2)}};
}

Append append() {
    Append a{.prev_index = index(), .prev_term = term(), .commit = index(), .entries = {}};
    const auto count = *rc::gen::inRange(0, 6);
    Term last = a.prev_term;
    for (int i = 1; i <= count; ++i) {
        last = Term(last.value() + *rc::gen::inRange<std::uint64_t>(0, 3));
        const auto kind = static_cast<EntryKind>(*rc::gen::inRange(0, 3));
        const auto bytes = *rc::gen::arbitrary<std::string>();
        a.entries.push_back({last, plus(a.prev_index, static_cast<std::uint64_t>(i)), kind,
                             bytes.empty() ? nullptr : make_payload(bytes)});
    }
    return a;
}

Body body() {
    switch (*rc::gen::inRange(0, 11)) {
        case 0:
            return VoteRequest{flag(), flag(), term(), index(), term()};
        case 1:
            return VoteReply{flag(), flag(), term()};
        case 2:
            return append();
        case 3:
            return AppendReply{flag(), index(), index(), index(), term()};
        case 4:
            return Heartbeat{number(), index()};
        case 5:
            return HeartbeatReply{number(), index(), index()};
        case 6:
            return ReadRequest{*rc::gen::arbitrary<std::uint64_t>(), number()};
        case 7:
            return ReadReply{*rc::gen::arbitrary<std::uint64_t>(), number(), index()};
        case 8:
            return TimeoutNow{};
        case 9: {
            auto data = make_payload(*rc::gen::arbitrary<std::string>());
            const auto size = data->size();
            return SnapshotChunk{
                {*rc::gen::arbitrary<std::uint64_t>(), index(), term(), number(), configuration()},
                number(),
                size,
                std::move(data)};
        }
        default:
            return SnapshotReply{*rc::gen::arbitrary<std::uint64_t>(), number(), number(), flag()};
    }
}

RC_GTEST_PROP(RaftWire, APacketBringsWhatWasPutIn, ()) {
    std::vector<GroupMessage> sent;
    PacketWriter writer;
    const auto count = *rc::gen::inRange(1, 8);
    for (int i = 0; i < count; ++i) {
        sent.push_back({{ShardId(*rc::gen::arbitrary<std::uint16_t>()),
                         Incarnation(*rc::gen::arbitrary<std::uint32_t>())},
                        {PeerId(number()), PeerId(number()), term(), body()}});
        RC_ASSERT(writer.add(sent.back().group, sent.back().message, kPacketBytesMax));
    }
    const auto got = decode_packet(writer.take());
    RC_ASSERT(got.ok());
    RC_ASSERT(got->size() == sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
        RC_ASSERT((*got)[i].group == sent[i].group);
        RC_ASSERT(same((*got)[i].message, sent[i].message));
    }
    RC_ASSERT(writer.empty());
}

/// One message of each kind, every field set.
std::vector<GroupMessage> golden() {
    const Configuration configuration{.voters = {PeerId(1), PeerId(2)},
                                      .outgoing = {PeerId(2), PeerId(3)},
                                      .learners = {PeerId(4)},
                                      .learners_next = {PeerId(3)}};
    const Append append{LogIndex(300),
                        Term(6),
                        LogIndex(299),
                        {{Term(6), LogIndex(301), EntryKind::kRecord, make_payload("record")},
                         {Term(8), LogIndex(302), EntryKind::kEmpty, nullptr},
                         {Term(8), LogIndex(303), EntryKind::kConfiguration,
                          make_payload(encode_configuration(configuration))}}};
    const SnapshotMeta meta{0x0102030405060708, LogIndex(290), Term(5), 4096, configuration};
    const std::vector<Body> bodies = {
        VoteRequest{true, true, Term(9), LogIndex(300), Term(6)},
        VoteReply{true, true, Term(9)},
        append,
        AppendReply{true, LogIndex(300), LogIndex(301), LogIndex(200), Term(4)},
        Heartbeat{70, LogIndex(299)},
        HeartbeatReply{70, LogIndex(298), LogIndex(299)},
        ReadRequest{0x1112131415161718, 5},
        ReadReply{0x1112131415161718, 5, LogIndex(299)},
        TimeoutNow{},
        SnapshotChunk{meta, 1024, 5, make_payload("bytes")},
        SnapshotReply{0x0102030405060708, 1024, 2048, true}};
    std::vector<GroupMessage> out;
    for (const Body& each : bodies)
        out.push_back({{ShardId(3), Incarnation(2)}, {PeerId(1), PeerId(200), Term(8), each}});
    return out;
}

std::string golden_bytes() {
    std::ifstream in(TIDAL_TESTDATA_DIR "/packet_v1.bin", std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

TEST(RaftWire, WritesTheGoldenPacket) {
    PacketWriter writer;
    for (const auto& each : golden())
        ASSERT_TRUE(writer.add(each.group, each.message, kPacketBytesMax));
    EXPECT_EQ(writer.messages(), std::variant_size_v<Body>);
    EXPECT_EQ(writer.take(), golden_bytes());
}

TEST(RaftWire, ReadsTheGoldenPacket) {
    const auto got = decode_packet(golden_bytes());
    ASSERT_TRUE(got.ok()) << got.error().to_string();
    const auto expected = golden();
    ASSERT_EQ(got->size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_TRUE(same((*got)[i].message, expected[i].message))
            << message_name(expected[i].message);
}

/// Bytes of the golden packet changed, and the checksum right again.
std::string patched(std::size_t at, char byte) {
    std::string packet = golden_bytes();
    packet[at] = byte;
    const auto crc = crc32c_extend(crc32c(std::string_view(packet).substr(0, 12)),
                                   std::string_view(packet).substr(16));
    std::memcpy(packet.data() + 12, &crc, 4);
    return packet;
}

TEST(RaftWire, EveryFlippedBitIsNoticed) {
    const std::string packet = golden_bytes();
    for (std::size_t bit = 0; bit < packet.size() * 8; ++bit) {
        std::string flipped = packet;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        ASSERT_FALSE(decode_packet(flipped).ok()) << bit;
    }
    for (std::size_t size = 0; size < packet.size(); ++size)
        ASSERT_FALSE(decode_packet(packet.substr(0, size)).ok()) << size;
}

TEST(RaftWire, ALaterVersionIsNamed) {
    EXPECT_EQ(decode_packet(patched(4, 2)).error().code(), ErrorCode::kIncompatible);
    EXPECT_EQ(decode_packet(patched(5, 1)).error().code(), ErrorCode::kIncompatible);
    EXPECT_EQ(decode_packet(std::string(kPacketBytesMax + 1, 'x')).error().code(),
              ErrorCode::kTooLarge);
}

TEST(RaftWire, UnknownKindsAndFlagsAreRefused) {
    // Behind the packet's header and the group stands the first message: its kind; from 1, to 200
    // in two bytes, term 8; then the flags of the vote request.
    EXPECT_EQ(golden_bytes()[22], 0);
    EXPECT_EQ(decode_packet(patched(22, 11)).error().code(), ErrorCode::kCorruption);
    EXPECT_EQ(golden_bytes()[27], 3);
    EXPECT_EQ(decode_packet(patched(27, 7)).error().code(), ErrorCode::kCorruption);
}

TEST(RaftWire, APacketIsClosedBeforeItIsTooLarge) {
    PacketWriter writer;
    const Message large{PeerId(1), PeerId(2), Term(1),
                        Append{.entries = {{Term(1), LogIndex(1), EntryKind::kRecord,
                                            make_payload(std::string(1000, 'x'))}}}};
    EXPECT_TRUE(writer.add({}, large, 100));  // the first always fits
    EXPECT_FALSE(writer.add({}, large, 2000));
    EXPECT_TRUE(writer.add({}, large, 2300));
    EXPECT_LE(writer.bytes(), 2300u);
    EXPECT_EQ(decode_packet(writer.take())->size(), 2u);
}

}  // namespace wire_test
}  // namespace tidal::raft
