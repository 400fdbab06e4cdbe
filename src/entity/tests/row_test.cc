#include "entity/internal/row.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <iterator>
#include <map>

namespace tidal::entity {
namespace row_test {

std::string encoded(const Row& row) {
    Encoder out;
    encode_row(row, &out);
    return out.take();
}

HybridTime tick(std::uint64_t bits) {
    return HybridTime::from_bits(bits);
}

/// A live row with every optional part present.
Row full_row() {
    Row row;
    row.state = RowState::kLive;
    row.slot = Slot(300);
    row.deleted = tick(0x10'0000);
    row.generation = tick(0x20'0000);
    row.version = tick(0x30'0001);
    row.cells = {{kCreatorCell, tick(0x20'0000), std::string_view("\0creator8", 9)},
                 {kExpiresAtCell, tick(0x30'0001), std::string_view("\x05", 1)},
                 {cell_of(FieldId(0)), tick(0x28'0000), std::string_view("value")},
                 {cell_of(FieldId(7)), tick(0x30'0001), std::nullopt}};
    return row;
}

TEST(EntityRow, ReadsBackWhatItWrote) {
    Row reserved;
    reserved.slot = Slot(7);
    Row tombstone;
    tombstone.state = RowState::kTombstone;
    tombstone.deleted = tick(99);
    for (const Row& row : {reserved, tombstone, full_row()}) {
        const std::string bytes = encoded(row);
        Row read;
        ASSERT_TRUE(decode_row(bytes, &read).ok());
        EXPECT_EQ(read, row);
    }
}

TEST(EntityRow, StoresNoStampForFieldsOfTheNewestUpsert) {
    Row row;
    row.state = RowState::kLive;
    row.generation = row.version = tick(5);
    row.cells = {{cell_of(FieldId(0)), tick(5), std::string_view("x")}};
    const std::size_t same = encoded(row).size();
    row.version = tick(6);
    row.generation = tick(6);
    EXPECT_EQ(encoded(row).size(), same + 1);
}

TEST(EntityRow, BytesOfVersionOneStayReadable) {
    std::ifstream file(TIDAL_TESTDATA_DIR "/entity_row_v1.bin", std::ios::binary);
    const std::string golden((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(encoded(full_row()), golden);
    Row read;
    ASSERT_TRUE(decode_row(golden, &read).ok());
    EXPECT_EQ(read, full_row());
}

TEST(EntityRow, RefusesEveryTruncationAndAnyTail) {
    const std::string bytes = encoded(full_row());
    Row row;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto outcome = decode_row(std::string_view(bytes).substr(0, size), &row);
        ASSERT_FALSE(outcome.ok()) << size;
        EXPECT_EQ(outcome.error().code(), ErrorCode::kCorruption);
    }
    EXPECT_FALSE(decode_row(bytes + "x", &row).ok());
}

TEST(EntityRow, RefusesRowsThatBreakAnInvariant) {
    std::string bytes = encoded(full_row());
    Row row;
    bytes[0] = 2;  // version of the format
    EXPECT_FALSE(decode_row(bytes, &row).ok());
    bytes[0] = 1;
    bytes[1] = 3;  // state
    EXPECT_FALSE(decode_row(bytes, &row).ok());

    Encoder out_of_order;
    out_of_order.u8(1);
    out_of_order.u8(1);
    out_of_order.varint(0);
    out_of_order.u64(9);
    out_of_order.u8(0);
    out_of_order.varint(2);
    out_of_order.varint(5 << 2);
    out_of_order.varint(5 << 2);
    EXPECT_FALSE(decode_row(out_of_order.view(), &row).ok());
}

RC_GTEST_PROP(EntityRowProperty, EqualRowsHaveEqualBytesAndReadBack,
              (std::map<std::uint16_t, std::pair<std::uint8_t, std::string>> cells)) {
    Row row;
    row.state = RowState::kLive;
    row.slot = Slot(*rc::gen::arbitrary<std::uint32_t>());
    row.generation = tick(300);
    row.version = tick(600);
    for (const auto& [key, content] : cells) {
        Cell cell{key, tick(300 + content.first), std::nullopt};
        if (!content.second.empty()) cell.value = content.second;
        row.cells.push_back(cell);
    }
    const std::string bytes = encoded(row);
    Row read;
    RC_ASSERT(decode_row(bytes, &read).ok());
    RC_ASSERT(read == row);
    RC_ASSERT(encoded(read) == bytes);
}

RC_GTEST_PROP(EntityRowProperty, AnyBytesAreReadOrRefused, (const std::string& bytes)) {
    Row row;
    if (decode_row(bytes, &row).ok()) RC_ASSERT(decode_row(encoded(row), &row).ok());
}

TEST(EntityKey, OrdersNumbersBeforeStringsAsIdsDo) {
    const std::vector<EntityId> ids = {EntityId(0),       EntityId(1),          EntityId(255),
                                       EntityId(256),     EntityId(UINT64_MAX), EntityId("a"),
                                       EntityId("a\xff"), EntityId("b")};
    std::vector<std::string> keys;
    for (const EntityId& id : ids) {
        append_id_key(id, &keys.emplace_back());
        const auto back = parse_id_key(keys.back());
        ASSERT_TRUE(back.ok());
        EXPECT_EQ(*back, id);
    }
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
    EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
}

TEST(EntityKey, RefusesWhatItDoesNotWrite) {
    EXPECT_FALSE(parse_id_key("").ok());
    EXPECT_FALSE(parse_id_key("n1234567").ok());
    EXPECT_FALSE(parse_id_key("s").ok());
    EXPECT_FALSE(parse_id_key("s" + std::string(256, 'x')).ok());
    EXPECT_FALSE(parse_id_key("x12345678").ok());
}

TEST(EntityKey, KeepsVectorsOutOfTheRowsOfTheirKind) {
    EXPECT_EQ(row_prefix(EntityKind::kItem), "e/i/");
    EXPECT_FALSE(vector_prefix(EntityKind::kItem, EmbeddingSlotId(0)).starts_with("e/i/"));
    EXPECT_EQ(vector_prefix(EntityKind::kCreator, EmbeddingSlotId(0x102)), "e/cv/\x01\x02");
}

}  // namespace row_test
}  // namespace tidal::entity
