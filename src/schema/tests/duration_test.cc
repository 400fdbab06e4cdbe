#include "schema/duration.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidal::schema {
namespace duration_test {

TEST(Duration, ReadsNumberAndUnit) {
    const std::pair<const char*, std::int64_t> cases[] = {
        {"0s", 0},           {"1500ms", 1500},    {"90s", 90'000},      {"30m", 1'800'000},
        {"24h", 86'400'000}, {"7d", 604'800'000}, {"4w", 2'419'200'000}};
    for (const auto& [text, ms] : cases) {
        const auto read = parse_duration_ms(text);
        ASSERT_TRUE(read) << text;
        EXPECT_EQ(*read, ms) << text;
    }
}

TEST(Duration, RefusesAnythingElse) {
    for (const char* text : {"", "7", "d", "-1d", "+1d", "1 d", "1.5h", "1y", "7D", "1d2h",
                             "9223372036854775808ms", "9223372036854775807d", " 1d", "1d "}) {
        const auto read = parse_duration_ms(text);
        ASSERT_FALSE(read) << text;
        EXPECT_FALSE(read.error().hint().empty()) << text;
    }
}

RC_GTEST_PROP(Duration, PrintsWhatItReads, ()) {
    const auto ms = *rc::gen::inRange<std::int64_t>(0, INT64_MAX);
    RC_ASSERT(*parse_duration_ms(print_duration(ms)) == ms);
    RC_ASSERT(*parse_duration_ms(print_duration(ms / 86'400'000 * 86'400'000)) ==
              ms / 86'400'000 * 86'400'000);
}

}  // namespace duration_test
}  // namespace tidal::schema
