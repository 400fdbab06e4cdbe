#include "cluster/peer_packet.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>

namespace tidal::cluster {
namespace peer_packet_test {

const std::string kCluster = "0123456789abcdef0123456789abcdef";
const std::string kInstance = "fedcba9876543210fedcba9876543210";

Introduction introduction() {
    return {{kCluster, NodeId(7), kInstance, RegionId(2)}, BootId(99), 1, 3, 5, "node-7:9500"};
}
Route route() {
    return {NodeId(7), BootId(99), BootId(100)};
}

std::vector<Packet> examples() {
    Data data{route(), {}};
    data.parts.push_back({Channel::kHeartbeat, 0, 0, 1, 4, "beat"});
    data.parts.push_back({Channel::kGossip, 0, 0, 1, 0, ""});
    data.parts.push_back({Channel::kSnapshot, 3, 1, 2, kPartBytesMax + 5, "hello"});
    return {Hello{introduction(), NodeId(8), 42},
            Welcome{introduction(), 2, BootId(1), 42},
            Refusal{RefusalCode::kWrongInstance, 42, "node 7 is another"},
            data,
            Ping{route(), 12, false},
            Ping{route(), 12, true},
            Unknown{BootId(99)},
            Join{false, "let me in"},
            Join{true, std::string("\0in", 3)}};
}

TEST(PeerPacket, EveryKindComesBackAsItWas) {
    for (const Packet& packet : examples()) {
        const std::string bytes = encode_packet(packet);
        auto decoded = decode_packet(bytes);
        ASSERT_TRUE(decoded.ok()) << decoded.error().to_string();
        EXPECT_TRUE(*decoded == packet) << "kind " << packet.index();
    }
}

TEST(PeerPacket, CutOrLengthenedItIsRefused) {
    for (const Packet& packet : examples()) {
        const std::string bytes = encode_packet(packet);
        auto longer = decode_packet(bytes + "x");
        // More bytes after the parts of a Data could be a part; these are none.
        EXPECT_FALSE(longer.ok()) << "kind " << packet.index();
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            auto cut = decode_packet(std::string_view(bytes).substr(0, size));
            if (!cut.ok()) {
                EXPECT_EQ(cut.error().code(), ErrorCode::kCorruption);
            } else {
                // Only between two parts.
                EXPECT_TRUE(std::holds_alternative<Data>(*cut) && size >= 28);
            }
        }
    }
}

TEST(PeerPacket, AnotherLayoutIsIncompatible) {
    std::string bytes = encode_packet(Unknown{BootId(1)});
    bytes[4] = 2;
    EXPECT_EQ(decode_packet(bytes).error().code(), ErrorCode::kIncompatible);
    bytes[4] = 1;
    bytes[5] = 77;
    EXPECT_EQ(decode_packet(bytes).error().code(), ErrorCode::kCorruption);
}

TEST(PeerPacket, PiecesThatDoNotAddUpAreRefused) {
    const std::string piece(kPartBytesMax, 'p');
    const auto reads = [&](const Part& part) {
        return decode_packet(encode_packet(Data{route(), {part}})).ok();
    };
    const std::uint64_t total = 2 * kPartBytesMax + 10;
    EXPECT_TRUE(reads({Channel::kRaft, 1, 0, 3, total, piece}));
    EXPECT_TRUE(reads({Channel::kRaft, 1, 2, 3, total, "0123456789"}));
    EXPECT_FALSE(reads({Channel::kRaft, 1, 2, 3, total, "012345678"})) << "too short";
    EXPECT_FALSE(reads({Channel::kRaft, 1, 3, 3, total, "0123456789"})) << "beyond the last";
    EXPECT_FALSE(reads({Channel::kRaft, 1, 0, 4, total, piece})) << "too many";
    EXPECT_FALSE(reads({Channel::kRaft, 1, 0, 0, total, piece})) << "none";
    EXPECT_FALSE(reads({Channel::kRaft, 1, 0, 1025, (16 << 20) + 1, piece})) << "too long";
}

RC_GTEST_PROP(PeerPacket, FlippedBitsNeverCrash, (const std::vector<std::uint16_t>& flips)) {
    for (const Packet& packet : examples()) {
        std::string bytes = encode_packet(packet);
        for (const std::uint16_t flip : flips) {
            const std::size_t bit = flip % (bytes.size() * 8);
            bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
        }
        if (auto decoded = decode_packet(bytes); decoded.ok()) (void)encode_packet(*decoded);
    }
}

TEST(PeerPacket, TheGoldenFileStaysReadable) {
    std::ifstream file(TIDAL_TESTDATA_DIR "/packets_v1.bin", std::ios::binary);
    const std::string golden((std::istreambuf_iterator<char>(file)), {});
    std::string encoded;
    std::size_t at = 0;
    for (const Packet& packet : examples()) {
        const std::string bytes = encode_packet(packet);
        encoded += bytes;
        auto decoded = decode_packet(std::string_view(golden).substr(at, bytes.size()));
        ASSERT_TRUE(decoded.ok()) << "kind " << packet.index();
        EXPECT_TRUE(*decoded == packet);
        at += bytes.size();
    }
    EXPECT_EQ(golden, encoded);
}

}  // namespace peer_packet_test
}  // namespace tidal::cluster
