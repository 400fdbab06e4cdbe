#include "base/time_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <time.h>

#include <limits>

#include "base/calendar.h"

namespace tidal {
namespace time_text_test {

UnixMillis parsed(std::string_view text) {
    const auto result = parse_time(text, "at");
    EXPECT_TRUE(result.ok()) << text << ": " << result.error().to_string();
    return result.ok() ? *result : -1;
}

std::string refusal(std::string_view text) {
    const auto result = parse_time(text, "at");
    EXPECT_FALSE(result.ok()) << text;
    return result.ok() ? "" : result.error().to_string();
}

TEST(TimeText, WritesUtcWithMillisecondsOnlyWhereNeeded) {
    EXPECT_EQ(format_time(0), "1970-01-01T00:00:00Z");
    EXPECT_EQ(format_time(1769850000000), "2026-01-31T09:00:00Z");
    EXPECT_EQ(format_time(1442018818771), "2015-09-12T00:46:58.771Z");
    EXPECT_EQ(format_time(-1), "1969-12-31T23:59:59.999Z");
    EXPECT_EQ(format_time(kTimeTextMin), "0000-01-01T00:00:00Z");
    EXPECT_EQ(format_time(kTimeTextMax), "9999-12-31T23:59:59.999Z");
    EXPECT_EQ(format_time(kTimeTextMax + 1), "253402300800000");
}

TEST(TimeText, ReadsEveryFormOfTheRfc) {
    EXPECT_EQ(parsed("1985-04-12T23:20:50.52Z"), 482196050520);
    EXPECT_EQ(parsed("1996-12-19T16:39:57-08:00"), 851042397000);
    EXPECT_EQ(parsed("1937-01-01T12:00:27.87+00:20"), -1041337172130);
    EXPECT_EQ(parsed("2026-01-31 09:00:00z"), 1769850000000);
    EXPECT_EQ(parsed("2026-01-31t09:00:00.123456789Z"), 1769850000123);
    EXPECT_EQ(parsed("2024-02-29T00:00:00Z"), 1709164800000);
    // The RFC's leap second, in UTC and in local time.
    EXPECT_EQ(parsed("1990-12-31T23:59:60Z"), parsed("1991-01-01T00:00:00Z"));
    EXPECT_EQ(parsed("1990-12-31T15:59:60-08:00"), parsed("1991-01-01T00:00:00Z"));
}

TEST(TimeText, SaysWhereAndWhatWasExpected) {
    EXPECT_EQ(refusal("2026-13-01T00:00:00Z"),
              "not a time of RFC 3339: expected a month 01..12 (field at), byte_offset=5; write it "
              "like 2026-01-31T09:00:00Z, or as integer Unix milliseconds");
    const std::pair<const char*, const char*> cases[] = {
        {"", "a year of four digits (field at), byte_offset=0"},
        {"26-01-31T09:00:00Z", "a year of four digits (field at), byte_offset=2"},
        {"2026-02-29T00:00:00Z", "a day of that month (field at), byte_offset=8"},
        {"2026-01-31", "'T' between date and time (field at), byte_offset=10"},
        {"2026-01-31T24:00:00Z", "an hour 00..23 (field at), byte_offset=11"},
        {"2026-01-31T09:00Z", "':' after the minute (field at), byte_offset=16"},
        {"2026-01-31T09:00:61Z", "a second 00..59 (field at), byte_offset=17"},
        {"2026-01-31T09:00:60Z", "60 only at 23:59 UTC) (field at), byte_offset=17"},
        {"2026-01-31T09:00:00", "'Z' or an offset like +02:00 (field at), byte_offset=19"},
        {"2026-01-31T09:00:00.Z", "digits after the point (field at), byte_offset=20"},
        {"2026-01-31T09:00:00+2:00", "offset hours 00..23 (field at), byte_offset=21"},
        {"2026-01-31T09:00:00Z ", "the end of the time (field at), byte_offset=20"},
    };
    for (const auto& [text, message] : cases)
        EXPECT_NE(refusal(text).find(message), std::string::npos) << text << ": " << refusal(text);
}

RC_GTEST_PROP(TimeText, RoundTripsAndAgreesWithTheCLibrary, ()) {
    const auto time = *rc::gen::oneOf(rc::gen::inRange<UnixMillis>(kTimeTextMin, kTimeTextMax + 1),
                                      rc::gen::inRange<UnixMillis>(-5000, 5000));
    const std::string text = format_time(time);
    RC_ASSERT(parsed(text) == time);
    const time_t seconds = static_cast<time_t>(floor_divide(time, 1000));
    tm parts{};
    gmtime_r(&seconds, &parts);
    char expected[32];
    strftime(expected, sizeof(expected), "%H:%M:%S", &parts);
    RC_ASSERT(text.substr(11, 8) == expected);
    RC_ASSERT(std::stoi(text.substr(0, 4)) == parts.tm_year + 1900);
    RC_ASSERT(std::stoi(text.substr(5, 2)) == parts.tm_mon + 1);
    RC_ASSERT(std::stoi(text.substr(8, 2)) == parts.tm_mday);
}

RC_GTEST_PROP(TimeText, AnyBytesAreReadOrRefused, (const std::string& noise)) {
    std::string text = "2026-01-31T09:00:00.5+01:30";
    text.replace(*rc::gen::inRange<std::size_t>(0, text.size()),
                 *rc::gen::inRange<std::size_t>(0, 5), noise.substr(0, 6));
    const auto result = parse_time(text, "at");
    if (!result) {
        RC_ASSERT(result.error().code() == ErrorCode::kInvalidArgument);
    }
}

TEST(Calendar, CellsFloorOnBothSidesOfTheEpoch) {
    EXPECT_EQ(minute_index(0), 0);
    EXPECT_EQ(minute_index(-1), -1);
    EXPECT_EQ(minute_index(-60'000), -1);
    EXPECT_EQ(minute_index(-60'001), -2);
    EXPECT_EQ(hour_index(3'600'000), 1);
    EXPECT_EQ(day_index(-1), -1);
    EXPECT_EQ(day_start(day_index(parsed("2026-01-31T09:00:00Z"))), parsed("2026-01-31T00:00:00Z"));
}

TEST(Calendar, WeeksBeginOnMonday) {
    EXPECT_EQ(format_time(week_start(0)), "1969-12-29T00:00:00Z");
    // 2026-01-26 is a Monday.
    const auto monday = parsed("2026-01-26T00:00:00Z");
    EXPECT_EQ(week_start(week_index(monday)), monday);
    EXPECT_EQ(week_start(week_index(monday - 1)), monday - kWeekMs);
    EXPECT_EQ(week_start(week_index(monday + kWeekMs - 1)), monday);
}

RC_GTEST_PROP(Calendar, EveryMomentLiesInItsCell, ()) {
    const auto time = *rc::gen::inRange<UnixMillis>(-100 * kWeekMs, 100 * kWeekMs);
    const auto holds = [&](auto index, auto start) {
        return start(index(time)) <= time && time < start(index(time) + 1);
    };
    RC_ASSERT(holds(minute_index, minute_start));
    RC_ASSERT(holds(hour_index, hour_start));
    RC_ASSERT(holds(day_index, day_start));
    RC_ASSERT(holds(week_index, week_start));
}

TEST(Calendar, ExtremesDoNotOverflow) {
    const auto least = std::numeric_limits<UnixMillis>::min();
    const auto most = std::numeric_limits<UnixMillis>::max();
    EXPECT_LT(week_index(least), week_index(most));
    EXPECT_LT(minute_index(least), minute_index(most));
}

}  // namespace time_text_test
}  // namespace tidal
