#include "audience/internal/hold_row.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <string>
#include <vector>

namespace tidal::audience {
namespace hold_row_test {

std::string to_hex(std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const char byte : bytes) {
        out += kDigits[static_cast<unsigned char>(byte) >> 4];
        out += kDigits[static_cast<unsigned char>(byte) & 15];
    }
    return out;
}

HybridTime stamp(std::uint64_t bits) {
    return HybridTime::from_bits(bits);
}

const std::vector<std::pair<StateKey, HoldRow>> kSamples = {
    {{Slot(0), kHidden, EntityId(7)}, {.set = stamp(0x0123456789abcdef), .cleared = {}}},
    {{Slot(70'000), kSaved, EntityId(~0ULL)}, {.set = {}, .cleared = stamp(5)}},
    {{Slot(258), StateId(770), EntityId("josé")}, {.set = stamp(9), .cleared = stamp(9)}},
    {{Slot(1), StateId(2), EntityId("s")},
     {.set = stamp(3), .cleared = stamp(2), .signals = 300, .first = stamp(2)}},
};

TEST(HoldRow, GoldenBytes) {
    std::ifstream file(TIDAL_TESTDATA_DIR "/hold_rows_v1.txt");
    for (const auto& [key, row] : kSamples) {
        std::string key_hex, row_hex;
        file >> key_hex >> row_hex;
        EXPECT_EQ(to_hex(encode_state_key(key)), key_hex);
        EXPECT_EQ(to_hex(encode_hold(row)), row_hex);
        EXPECT_EQ(decode_state_key(encode_state_key(key)).value(), key);
        EXPECT_EQ(decode_hold(encode_hold(row)).value(), row);
    }
}

TEST(HoldRow, GoldenBytesOfARelationship) {
    const RelationKey key{EntityId("ada"), 3, EntityId(300)};
    std::ifstream file(TIDAL_TESTDATA_DIR "/hold_rows_v1.txt");
    std::string line, last;
    while (std::getline(file, line)) last = line;
    EXPECT_EQ(to_hex(encode_relation_key(key)), last);
    EXPECT_EQ(decode_relation_key(encode_relation_key(key)).value(), key);
    EXPECT_FALSE(decode_relation_key(encode_relation_key(key).substr(0, 9)).ok());
    EXPECT_FALSE(decode_relation_key(encode_relation_key({key.user, 1, key.creator})).ok());
}

TEST(HoldRow, DamageIsSeen) {
    const std::string good = encode_hold(kSamples[3].second);
    for (std::size_t cut = 0; cut < good.size(); ++cut)
        EXPECT_FALSE(decode_hold(good.substr(0, cut)).ok()) << cut;
    EXPECT_FALSE(decode_hold(good + "x").ok());
    std::string other = good;
    other[0] = 2;
    EXPECT_EQ(decode_hold(other).error().code(), ErrorCode::kIncompatible);
    other = good;
    other[1] = 15;
    EXPECT_FALSE(decode_hold(other).ok()) << "a flag nobody knows";
    other = encode_hold({.set = stamp(3), .cleared = stamp(2)});
    other[2] = 1;
    EXPECT_FALSE(decode_hold(other).ok()) << "set before it was cleared";
    EXPECT_FALSE(decode_state_key("a/s/12345").ok());
    EXPECT_FALSE(decode_state_key("a/s/123456n1234567").ok());
    EXPECT_FALSE(decode_state_key("a/x/123456n12345678").ok());
}

RC_GTEST_PROP(HoldRow, KeysSortByItemStateAndUser, ()) {
    const auto any = [] {
        const bool text = *rc::gen::arbitrary<bool>();
        const auto number = *rc::gen::arbitrary<std::uint64_t>();
        return StateKey{Slot(*rc::gen::inRange<std::uint32_t>(0, 3)),
                        StateId(*rc::gen::inRange<std::uint16_t>(0, 3)),
                        text ? EntityId(std::to_string(number)) : EntityId(number)};
    };
    const StateKey a = any(), b = any();
    RC_ASSERT(decode_state_key(encode_state_key(a)).value() == a);
    const auto parts = [](const StateKey& key) { return std::tie(key.slot, key.state, key.user); };
    RC_ASSERT((parts(a) < parts(b)) == (encode_state_key(a) < encode_state_key(b)));
}

}  // namespace hold_row_test
}  // namespace tidal::audience
