#include "tests/history/check.h"

#include <gtest/gtest.h>

#include "tests/history/history_file.h"
#include "tests/history/tests/brute_force.h"
#include "tests/history/tests/random_history.h"

namespace tidal::history {
namespace {

std::string lines(const History& history) {
    std::string out = file_head();
    for (const Operation& one : history) out += to_line(one);
    return out;
}

/// Counts both answers, so that a generator that only makes one kind is seen.
template <typename Make>
void agrees_with_brute_force(const Make& make) {
    int good = 0, bad = 0;
    for (std::uint64_t seed = 1; seed <= 10'000 && !testing::Test::HasFailure(); ++seed) {
        const History history = make(seed);
        const bool expected = BruteForce(history).linearizable();
        (expected ? good : bad) += 1;
        const KeyVerdict verdict = check_key(history);
        ASSERT_EQ(verdict.answer, expected ? Answer::kLinearizable : Answer::kViolation)
            << "seed " << seed << ": " << verdict.reason << "\n"
            << lines(history);
        if (expected) continue;
        ASSERT_TRUE(verdict.unknown_adds > 0 || !BruteForce(verdict.operations).linearizable())
            << "what is shown explains nothing: seed " << seed << "\n"
            << lines(history) << lines(verdict.operations);
    }
    EXPECT_GT(good, 2'000);
    EXPECT_GT(bad, 1'500);
}

TEST(CheckKey, AgreesWithEveryOrderOfARegister) {
    agrees_with_brute_force([](std::uint64_t seed) {
        return RandomHistory(seed).registers(3 + seed % 4, seed % 4 != 0);
    });
}

TEST(CheckKey, AgreesWithEveryOrderOfACounter) {
    agrees_with_brute_force([](std::uint64_t seed) {
        return RandomHistory(seed).counters(3 + seed % 5, seed % 4 != 0);
    });
}

TEST(CheckKey, FindsNothingInWhatARegisterDid) {
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        const History history = RandomHistory(seed).registers(60, false);
        const KeyVerdict verdict = check_key(history);
        ASSERT_EQ(verdict.answer, Answer::kLinearizable)
            << "seed " << seed << ": " << verdict.reason << "\n"
            << lines(history);
    }
}

Operation write(std::uint32_t client, const std::string& value, std::int64_t start,
                std::int64_t end) {
    Operation out;
    out.client = client;
    out.key = "k";
    out.kind = Kind::kWrite;
    out.value = value;
    out.start_ns = start;
    out.end_ns = end;
    out.outcome = end == kNeverNs ? Outcome::kUnknown : Outcome::kOk;
    return out;
}

Operation read(const std::string& value, std::int64_t start, std::int64_t end) {
    Operation out = write(9, value, start, end);
    out.kind = Kind::kRead;
    return out;
}

TEST(CheckKey, SaysUndecidedRatherThanHang) {
    // Forty writes at once, and a read of a value that none of them left: 2^40 sets to try.
    History history;
    for (std::uint32_t i = 0; i < 40; ++i) history.push_back(write(i, std::to_string(i), 0, 1'000));
    for (std::int64_t i = 0; i < 20; ++i)
        history.push_back(read(std::to_string(2 * i), 10 * i, 10 * i + 5));
    history.push_back(write(50, "last", 2'000, 2'001));
    history.push_back(read("0", 3'000, 3'001));
    const KeyVerdict verdict = check_key(history, {.configurations_max = 1'000});
    EXPECT_EQ(verdict.answer, Answer::kUndecided);
    const HistoryVerdict whole = check_history(history, {.configurations_max = 1'000});
    EXPECT_EQ(whole.answer, Answer::kUndecided);
    EXPECT_NE(to_text(whole).find("key k: undecided"), std::string::npos) << to_text(whole);
}

TEST(CheckKey, ManyWritesOfUnknownFateCostNothing) {
    History history;
    for (std::uint32_t i = 0; i < 5'000; ++i) {
        history.push_back(write(i, "lost" + std::to_string(i), 10 * i, kNeverNs));
        history.push_back(write(i, "kept" + std::to_string(i), 10 * i, 10 * i + 3));
        history.push_back(read("kept" + std::to_string(i), 10 * i + 5, 10 * i + 6));
    }
    EXPECT_EQ(check_key(history).answer, Answer::kLinearizable);
    history.push_back(read("kept3", 60'000, 60'001));
    const KeyVerdict verdict = check_key(history);
    EXPECT_EQ(verdict.answer, Answer::kViolation);
    EXPECT_LE(verdict.operations.size(), 4u) << verdict.reason;
}

TEST(CheckHistory, FindsEachBadKeyAmongGoodOnes) {
    History history;
    for (const char* key : {"a", "b", "c"}) {
        history.push_back(write(1, "x", 0, 10));
        history.back().key = key;
        history.push_back(read(std::string(key) == "b" ? "y" : "x", 20, 30));
        history.back().key = key;
    }
    const HistoryVerdict verdict = check_history(history);
    EXPECT_EQ(verdict.answer, Answer::kViolation);
    EXPECT_EQ(verdict.keys, 3u);
    ASSERT_EQ(verdict.findings.size(), 1u);
    EXPECT_EQ(verdict.findings[0].first, "b");
    EXPECT_EQ(verdict.findings[0].second.reason, "nobody ever wrote \"y\"");
}

}  // namespace
}  // namespace tidal::history
