#include "base/trouble.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidal {
namespace trouble_test {

TEST(Trouble, IsSaidWhenItBeginsAndWhenItEnds) {
    std::vector<std::string> lines;
    const auto logger = Logger::to_callback(
        LogLevel::kInfo, [&](LogLevel, std::string_view line) { lines.emplace_back(line); });
    Trouble trouble(logger.named("wal"), "writes are refused", "writes are accepted again");
    trouble.over();
    EXPECT_TRUE(lines.empty());
    for (int i = 0; i < 3; ++i)
        trouble.note(Error(ErrorCode::kDiskFull, "no room").with("file", i + 1));
    EXPECT_TRUE(trouble.on());
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(lines[0], "wal: writes are refused: no room, file=1 code=disk_full");
    trouble.over();
    trouble.over();
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[1], "wal: writes are accepted again");
    trouble.note(Error(ErrorCode::kDiskFull, "no room"));
    EXPECT_EQ(lines.size(), 3u);
}

}  // namespace trouble_test
}  // namespace tidal
