// Values against the types of the schema, weights, and the routing hash.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "record/record.h"

namespace tidal::record {
namespace value_test {

using schema::FieldSpec;
using schema::FieldType;

bool fits(FieldType type, const Value& value) {
    const FieldSpec field{FieldId(0), "price", type, std::nullopt, ""};
    const auto checked = check_value(field, value);
    if (!checked) {
        EXPECT_EQ(checked.error().code(), ErrorCode::kInvalidArgument);
        EXPECT_EQ(checked.error().field(), "price");
    }
    return checked.ok();
}

TEST(CheckValue, EachTypeTakesItsOwnAlternativeOnly) {
    const Value values[] = {
        std::string("a"), std::vector<std::string>{"a"}, std::int64_t{1}, 1.0, true, GeoPoint{}};
    const std::pair<FieldType, std::size_t> expected[] = {
        {FieldType::kText, 0},      {FieldType::kKeyword, 0},  {FieldType::kKeywords, 1},
        {FieldType::kInt, 2},       {FieldType::kFloat, 3},    {FieldType::kBool, 4},
        {FieldType::kTimestamp, 2}, {FieldType::kDuration, 2}, {FieldType::kGeo, 5},
        {FieldType::kJson, 0}};
    for (const auto& [type, alternative] : expected)
        for (std::size_t i = 0; i < std::size(values); ++i)
            EXPECT_EQ(fits(type, values[i]), i == alternative)
                << schema::field_type_name(type) << " " << i;
}

TEST(CheckValue, RangesAndSizes) {
    EXPECT_TRUE(fits(FieldType::kText, std::string(kTextBytesMax, 'x')));
    EXPECT_FALSE(fits(FieldType::kText, std::string(kTextBytesMax + 1, 'x')));
    EXPECT_TRUE(fits(FieldType::kKeyword, std::string(kKeywordBytesMax, 'x')));
    EXPECT_FALSE(fits(FieldType::kKeyword, std::string(kKeywordBytesMax + 1, 'x')));
    EXPECT_FALSE(fits(FieldType::kText, std::string("\xff")));
    EXPECT_FALSE(fits(FieldType::kKeywords, std::vector<std::string>{"b", "a"}));
    EXPECT_FALSE(fits(FieldType::kKeywords, std::vector<std::string>{"a", "a"}));
    EXPECT_FALSE(fits(FieldType::kKeywords, std::vector<std::string>{"a", "\xff"}));
    EXPECT_FALSE(fits(FieldType::kFloat, std::nan("")));
    EXPECT_FALSE(fits(FieldType::kFloat, std::numeric_limits<double>::infinity()));
    EXPECT_TRUE(fits(FieldType::kTimestamp, std::int64_t{253'402'300'799'999}));
    EXPECT_FALSE(fits(FieldType::kTimestamp, std::int64_t{253'402'300'800'000}));
    EXPECT_TRUE(fits(FieldType::kGeo, GeoPoint{-90, 180}));
    EXPECT_FALSE(fits(FieldType::kGeo, GeoPoint{90.1, 0}));
    EXPECT_FALSE(fits(FieldType::kGeo, GeoPoint{0, std::nan("")}));
}

TEST(FixedWeight, TakesMultiplesOnly) {
    EXPECT_EQ(*fixed_weight(1), kWeightOne);
    EXPECT_EQ(*fixed_weight(-0.5), -kWeightOne / 2);
    EXPECT_EQ(*fixed_weight(0), 0);
    EXPECT_EQ(*fixed_weight(0x1p-20), 1);
    EXPECT_EQ(*fixed_weight(0x1p20), kWeightMax);
    for (const double bad :
         {0.1, 0x1p-21, 0x1p20 + 0x1p-20, -0x1p21, std::nan(""), HUGE_VAL, 1e300}) {
        const auto weight = fixed_weight(bad);
        ASSERT_FALSE(weight) << bad;
        EXPECT_EQ(weight.error().code(), ErrorCode::kInvalidArgument);
        EXPECT_EQ(weight.error().field(), "weight");
    }
}

RC_GTEST_PROP(FixedWeight, EveryWeightOfTheGridIsExact, ()) {
    const auto weight = *rc::gen::inRange<FixedWeight>(-kWeightMax, kWeightMax + 1);
    RC_ASSERT(*fixed_weight(weight_to_double(weight)) == weight);
}

// Routing decides where every entity of every data directory lies: these numbers never change.
TEST(VshardOf, GoldenVectors) {
    const struct {
        std::uint32_t tenant;
        EntityKind kind;
        EntityId id;
        std::uint16_t vshard;
    } vectors[] = {
        {0, EntityKind::kItem, EntityId(0), 487},
        {0, EntityKind::kItem, EntityId(1), 742},
        {0, EntityKind::kItem, EntityId(UINT64_MAX), 140},
        {0, EntityKind::kUser, EntityId(1), 25},
        {0, EntityKind::kCreator, EntityId(1), 332},
        {7, EntityKind::kItem, EntityId(1), 78},
        {0, EntityKind::kItem, EntityId("1"), 695},
        {0, EntityKind::kItem, EntityId("tidal"), 98},
        {0, EntityKind::kItem, EntityId(std::string(255, 'x')), 714},
    };
    for (const auto& v : vectors)
        EXPECT_EQ(vshard_of(TenantId(v.tenant), v.kind, v.id).value(), v.vshard)
            << v.id.to_string();
}

TEST(VshardOf, SpreadsDenseIdsEvenly) {
    std::vector<int> counts(kVShardCount);
    for (std::uint64_t id = 1; id <= 102'400; ++id)
        ++counts[vshard_of(kDefaultTenant, EntityKind::kItem, EntityId(id)).value()];
    // 100 expected, standard deviation 10: six of them either way.
    for (const int count : counts) {
        EXPECT_GT(count, 40);
        EXPECT_LT(count, 160);
    }
}

}  // namespace value_test
}  // namespace tidal::record
