#include "base/log.h"

#include <gtest/gtest.h>

#include <regex>
#include <vector>

namespace tidal {
namespace log_test {

class LogTest : public testing::Test {
protected:
    Logger capture(LogLevel level) {
        return Logger::to_callback(level, [this](LogLevel at, std::string_view line) {
            lines_.push_back(std::string(log_level_name(at)) + " " + std::string(line));
        });
    }
    std::vector<std::string> lines_;
};

TEST_F(LogTest, OneLineWithItsFields) {
    const auto log = capture(LogLevel::kInfo).named("wal");
    log.info("file sealed", {{"file", 12}, {"bytes", std::uint64_t{1} << 40}, {"ok", true}});
    log.warning("slow sync", {{"ms", 12.5}, {"disk", "nvme 0"}});
    EXPECT_EQ(lines_,
              (std::vector<std::string>{"info wal: file sealed file=12 bytes=1099511627776 ok=true",
                                        "warning wal: slow sync ms=12.5 disk=\"nvme 0\""}));
}

TEST_F(LogTest, BelowTheLevelIsDropped) {
    const auto log = capture(LogLevel::kWarning);
    log.debug("a");
    log.info("b");
    log.error("c");
    EXPECT_EQ(lines_, std::vector<std::string>{"error c"});
    EXPECT_FALSE(log.enabled(LogLevel::kInfo));
    Logger().error("nowhere");
    capture(LogLevel::kOff).error("off");
    EXPECT_EQ(lines_.size(), 1U);
}

TEST_F(LogTest, ValuesCannotForgePairsOrLines) {
    capture(LogLevel::kInfo)
        .info("request\nerror forged", {{"path", "/x\" admin=true\n2026"}, {"empty", ""}});
    EXPECT_EQ(lines_, std::vector<std::string>{"info request\\nerror forged "
                                               "path=\"/x\\\" admin=true\\n2026\" empty=\"\""});
}

TEST_F(LogTest, AnErrorIsWrittenWhole) {
    capture(LogLevel::kInfo)
        .error("cannot open", Error(ErrorCode::kIo, "permission denied").with("file", "wal/1"));
    EXPECT_EQ(lines_, std::vector<std::string>{
                          "error cannot open: permission denied, file=wal/1 code=io_error"});
}

TEST_F(LogTest, StandardErrorCarriesUtcTimes) {
    testing::internal::CaptureStderr();
    const auto log = Logger::to_stderr(LogLevel::kInfo);
    log.info("ready {} %s", {{"port", 9500}});
    log.debug("not shown");
    log.flush();
    const std::string out = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(std::regex_match(
        out,
        std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info ready \{\} %s port=9500\n)")))
        << out;
}

TEST(LogLevel, NamesBothWays) {
    EXPECT_EQ(*parse_log_level("warning"), LogLevel::kWarning);
    EXPECT_EQ(parse_log_level("warn").error().to_string(),
              "unknown log level 'warn'; known: debug, info, warning, error, off");
    EXPECT_EQ(parse_log_level("inof").error().hint(), "did you mean 'info'?");
}

}  // namespace log_test
}  // namespace tidal
