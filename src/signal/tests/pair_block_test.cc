// Cells of time, decay and the encoding of one pair, by example.
#include "signal/internal/pair_block.h"

#include <gtest/gtest.h>

#include "brute_force.h"
#include "history.h"

namespace tidal::signal {
namespace pair_block_test {

TEST(TimeCells, AgreeWithTheCalendarOnBothSidesOfTheEpoch) {
    for (UnixMillis at = -40 * kDay; at < 40 * kDay; at += 7 * kHour + 13 * kMinute + 7) {
        for (const UnixMillis near :
             {at, at / kWeek * kWeek, at / kDay * kDay - 1, at / kMinute * kMinute}) {
            const CellIndex index(near);
            EXPECT_EQ(index[Tier::kMinute], brute_minute(near));
            EXPECT_EQ(index[Tier::kHour], brute_hour(near));
            EXPECT_EQ(index[Tier::kDay], brute_day(near));
            // Week 0 began on Monday 29 December 1969.
            EXPECT_EQ(index[Tier::kWeek] * 7 - 3, brute_monday(near));
        }
    }
    EXPECT_EQ(CellIndex(4 * kDay)[Tier::kWeek], 1);      // Monday 5 January 1970, 00:00.
    EXPECT_EQ(CellIndex(4 * kDay - 1)[Tier::kWeek], 0);  // Sunday, 23:59:59.999.
}

schema::SignalSpec exponential(std::int64_t half_life_ms) {
    schema::SignalSpec spec;
    spec.half_life_ms = half_life_ms;
    return spec;
}

TEST(Decay, HalvesAtEachHalfLife) {
    const DecayRule rule(exponential(kHour));
    const UnixMillis at = 1'700'000'000'000;
    const double a = rule.contribution(3 * record::kWeightOne, at, rule.landmark_of(at));
    EXPECT_DOUBLE_EQ(DecayReader(rule, at).value(a, at), 3);
    EXPECT_DOUBLE_EQ(DecayReader(rule, at + kHour).value(a, at), 1.5);
    EXPECT_DOUBLE_EQ(DecayReader(rule, at + 10 * kHour).value(a, at), 3.0 / 1024);
    EXPECT_EQ(DecayReader(rule, at + 1'000 * kYear).value(a, at), 0);
}

TEST(Decay, RaisingTheLandmarkIsAnExactPowerOfTwo) {
    for (const std::int64_t life : {std::int64_t{1}, kSecond + 7, kHour, 30 * kDay}) {
        const DecayRule rule(exponential(life));
        const UnixMillis at = 1'699'999'999'123;
        const std::int64_t landmark = rule.landmark_of(at);
        const double low = rule.contribution(record::kWeightOne, at, landmark);
        const double high = rule.contribution(record::kWeightOne, at, landmark + 1);
        EXPECT_EQ(DecayRule::rescale(low, 1), high) << life;
        EXPECT_EQ(DecayRule::rescale(low, 3), 0) << life;
    }
}

TEST(Decay, HalfLivesOfAnyLengthStayFinite) {
    for (const std::int64_t life :
         {std::int64_t{1}, std::int64_t{1} << 40, std::int64_t{1} << 62}) {
        const DecayRule rule(exponential(life));
        for (const UnixMillis at :
             {kTimeMin, UnixMillis{-62'167'219'200'000}, UnixMillis{0}, kTimeMax}) {
            const double a = rule.contribution(record::kWeightOne, at, rule.landmark_of(at));
            EXPECT_NEAR(DecayReader(rule, at).value(a, at), 1, 1e-9) << life << " " << at;
        }
    }
}

struct BlockTest : testing::Test {
    std::vector<std::uint64_t> memory = std::vector<std::uint64_t>(1'000);
    std::byte* block = reinterpret_cast<std::byte*>(memory.data());
    DecayRule rule{exponential(kHour)};
    PairState state;

    std::size_t write() { return encode_block(rule, state, block); }
    BlockForm form() const { return BlockView(block).head().form(); }
};

TEST_F(BlockTest, FewBytesForFewEvents) {
    state.apply(rule, {Slot(0), SignalTypeId(0), record::kWeightOne, 1, 0}, true);
    EXPECT_EQ(write(), 24u);
    for (int week = 1; week <= 12; ++week)
        state.apply(rule, {Slot(0), SignalTypeId(0), record::kWeightOne, 1, week * kWeek}, false);
    EXPECT_LE(write(), 24u + 12u + 2u + 4u);
    EXPECT_EQ(form(), BlockForm::kUnit);
}

TEST_F(BlockTest, OtherWeightsAndCountsChangeTheForm) {
    state.apply(rule, {Slot(0), SignalTypeId(0), record::kWeightOne / 4, 1, 0}, true);
    write();
    EXPECT_EQ(form(), BlockForm::kWide);
    state.clear();
    state.apply(rule, {Slot(0), SignalTypeId(0), -record::kWeightOne, -1, 0}, true);
    write();
    EXPECT_EQ(form(), BlockForm::kHuge);
    EXPECT_EQ(BlockView(block).total().count, -1);
    EXPECT_EQ(BlockView(block).total().sum, -record::kWeightOne);
}

TEST_F(BlockTest, CountersThatOverflowTheirFormAreRefusedInPlace) {
    state.apply(rule, {Slot(0), SignalTypeId(0), record::kWeightOne, 1, 0}, true);
    state.minute = state.total = {0xffffffffLL, unit_sum(0xffffffffLL)};
    const std::size_t size = write();
    EXPECT_EQ(form(), BlockForm::kUnit);
    const std::vector<std::uint64_t> before = memory;
    const LedgerEvent event{Slot(0), SignalTypeId(0), record::kWeightOne, 1, 5};
    EXPECT_FALSE(apply_in_place(rule, event, block, size));
    EXPECT_EQ(memory, before);
    ASSERT_TRUE(BlockView(block).decode(rule, &state).ok());
    state.apply(rule, event, false);
    write();
    EXPECT_EQ(form(), BlockForm::kHuge);
    EXPECT_EQ(BlockView(block).total().count, 0x100000000LL);
    EXPECT_TRUE(apply_in_place(rule, event, block, size));
    EXPECT_EQ(BlockView(block).total().count, 0x100000001LL);
}

TEST_F(BlockTest, NoRoomLeavesTheBlockAsItWas) {
    state.apply(rule, {Slot(0), SignalTypeId(0), record::kWeightOne, 1, 0}, true);
    const std::size_t size = write();
    const std::vector<std::uint64_t> before = memory;
    EXPECT_FALSE(apply_in_place(rule, {Slot(0), SignalTypeId(0), record::kWeightOne, 1, kHour},
                                block, size));
    EXPECT_EQ(memory, before);
    EXPECT_TRUE(apply_in_place(rule, {Slot(0), SignalTypeId(0), record::kWeightOne, 1, kHour},
                               block, size + 8));
}

TEST_F(BlockTest, DamagedBodiesAreCorruption) {
    state.apply(rule, {Slot(0), SignalTypeId(0), record::kWeightOne, 1, 0}, true);
    state.apply(rule, {Slot(0), SignalTypeId(0), record::kWeightOne, 1, 40 * kDay}, false);
    const std::size_t size = write();
    EXPECT_TRUE(well_formed(block, size));
    EXPECT_FALSE(well_formed(block, size - 1));
    EXPECT_FALSE(well_formed(block, 3));
    block[24] = std::byte{0xff};  // A switch to a tier that does not exist.
    const auto decoded = BlockView(block).decode(rule, &state);
    ASSERT_FALSE(decoded.ok());
    EXPECT_EQ(decoded.error().code(), ErrorCode::kCorruption);
}

}  // namespace pair_block_test
}  // namespace tidal::signal
