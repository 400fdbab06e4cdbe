// Histories as files: what a database must never do, each found, and what it may.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/history/check.h"
#include "tests/history/history_file.h"

namespace tidal::history {
namespace {

struct Known {
    const char* reason;
    std::size_t operations;  ///< That explain it.
};

// What each file of testdata/bad is found to have.
const std::map<std::string, Known> kBad = {
    {"acknowledged_signal_lost", {"client 2 was told 1 after 2 must have counted", 3}},
    {"acknowledged_signal_lost_behind_unknown_ones",
     {"client 3 was told 2 after 3 must have counted", 3}},
    {"acknowledged_write_lost", {"client 2 read nothing; the register held \"a\"", 2}},
    {"acknowledged_write_lost_after_crash", {"client 2 read \"b\"; the register held \"c\"", 3}},
    {"compare_and_set_fails_for_the_newest",
     {"client 2 was told that version 1 is not the newest; the register held \"a\"", 2}},
    {"failed_compare_and_set_took_effect",
     {"\"c\" was seen, although its write was answered by a mismatch", 4}},
    {"lost_update", {"client 3 set \"c\" for version 1; the register held \"b\"", 3}},
    {"lost_update_at_once", {"for version 1; the register held", 3}},
    {"one_version_for_two_values", {"version 1 was given for \"a\" and for \"b\"", 2}},
    {"read_from_the_future", {"client 2 read \"a\"; the register held nothing", 2}},
    {"read_of_nothing_written", {"nobody ever wrote \"z\"", 1}},
    {"readers_disagree_on_order", {"client 4 read \"b\"; the register held \"a\"", 4}},
    {"refused_signal_counted", {"client 2 was told 1 when at most 0 can have counted", 1}},
    {"refused_write_took_effect",
     {"\"b\" was seen, although its write was answered as refused", 2}},
    {"signal_counted_twice", {"client 2 was told 2 when at most 1 can have counted", 1}},
    {"signal_counted_twice_beside_others",
     {"client 2 was told 3 when at most 2 can have counted", 1}},
    {"split_brain", {"the register held", 4}},
    {"stale_read", {"client 3 read \"a\"; the register held \"b\"", 3}},
    {"stale_read_after_write", {"client 3 read \"a\"; the register held \"b\"", 3}},
    {"time_travel_between_readers", {"client 3 read \"a\"; the register held \"b\"", 4}},
    {"total_from_the_future", {"client 2 was told 1 when at most 0 can have counted", 1}},
    {"total_goes_back", {"client 4 was told 1 after 2 must have counted", 2}},
    {"unknown_write_before_it_started", {"client 3 read \"b\"", 2}},
    {"unknown_write_seen_then_gone", {"client 4 read \"a\"; the register held \"b\"", 4}},
    {"write_applied_twice", {"\"a\" had the versions 1 and 3: it was written twice", 2}},
    {"write_returns_after_another", {"client 2 read \"a\"; the register held \"b\"", 4}},
};

std::map<std::string, std::string> files(const std::string& folder) {
    std::map<std::string, std::string> out;
    for (const auto& entry :
         std::filesystem::directory_iterator(std::string(TIDAL_TESTDATA_DIR) + "/" + folder)) {
        std::stringstream text;
        text << std::ifstream(entry.path()).rdbuf();
        out[entry.path().stem()] = text.str();
    }
    return out;
}

TEST(KnownHistories, EachBadOneIsFoundAndExplained) {
    const auto bad = files("bad");
    EXPECT_EQ(bad.size(), kBad.size());
    for (const auto& [name, text] : bad) {
        SCOPED_TRACE(name);
        const auto history = parse_history(text);
        ASSERT_TRUE(history.ok()) << history.error().to_string();
        const HistoryVerdict verdict = check_history(*history);
        ASSERT_EQ(verdict.answer, Answer::kViolation);
        ASSERT_EQ(verdict.findings.size(), 1u);
        const KeyVerdict& found = verdict.findings[0].second;
        ASSERT_TRUE(kBad.contains(name));
        const Known& known = kBad.at(name);
        EXPECT_NE(found.reason.find(known.reason), std::string::npos) << found.reason;
        EXPECT_EQ(found.operations.size(), known.operations) << to_text(verdict);
        // What explains it is enough for it.
        EXPECT_EQ(check_key(found.operations).answer,
                  found.unknown_adds > 0 ? check_key(found.operations).answer : Answer::kViolation);
    }
}

TEST(KnownHistories, EachGoodOneIsAccepted) {
    for (const auto& [name, text] : files("good")) {
        const auto history = parse_history(text);
        ASSERT_TRUE(history.ok()) << name << ": " << history.error().to_string();
        const HistoryVerdict verdict = check_history(*history);
        EXPECT_EQ(verdict.answer, Answer::kLinearizable) << name << ": " << to_text(verdict);
    }
}

TEST(KnownHistories, FilesComeBackAsTheyWere) {
    for (const char* folder : {"bad", "good"}) {
        for (const auto& [name, text] : files(folder)) {
            const auto history = parse_history(text);
            ASSERT_TRUE(history.ok()) << name;
            std::string again = file_head();
            for (const Operation& one : *history) again += to_line(one);
            const auto twice = parse_history(again);
            ASSERT_TRUE(twice.ok()) << name << ": " << twice.error().to_string();
            EXPECT_EQ(std::count(text.begin(), text.end(), '\n'),
                      std::count(again.begin(), again.end(), '\n'));
        }
    }
}

std::string problem_of(const std::string& line) {
    const auto history = parse_history(file_head() + line + "\n");
    return history.ok() ? "" : history.error().to_string();
}

TEST(HistoryFile, RefusesWhatItDoesNotKnow) {
    const std::string good =
        R"({"client":1,"key":"k","op":"write","value":"a","start_ns":1,"end_ns":2,"outcome":"ok"})";
    EXPECT_EQ(problem_of(good), "");
    EXPECT_FALSE(parse_history("").ok());
    EXPECT_FALSE(parse_history("{\"format\":\"tidal-history\",\"version\":2}\n").ok());
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string line = good;
        return problem_of(line.replace(line.find(from), from.size(), to));
    };
    EXPECT_NE(problem_of("nonsense").find("not a JSON object"), std::string::npos);
    EXPECT_NE(with("\"op\":\"write\"", "\"op\":\"erase\"").find("op has no such name"),
              std::string::npos);
    EXPECT_NE(with("\"ok\"", "\"fine\"").find("outcome has no such name"), std::string::npos);
    EXPECT_NE(with("\"ok\"", "\"unknown\"").find("end_ns"), std::string::npos);
    EXPECT_NE(with("\"ok\"", "\"mismatch\"").find("mismatch"), std::string::npos);
    EXPECT_NE(with("\"end_ns\":2", "\"end_ns\":0").find("before start_ns"), std::string::npos);
    EXPECT_NE(with("\"start_ns\":1", "\"start_ns\":-1").find("whole number"), std::string::npos);
    EXPECT_NE(with("\"value\":\"a\",", "").find("value is missing"), std::string::npos);
    EXPECT_NE(with("\"value\":\"a\"", "\"value\":7").find("value is text"), std::string::npos);
    EXPECT_NE(with("\"client\":1", "\"client\":1,\"x\":1").find("x is not a member"),
              std::string::npos);
    EXPECT_NE(problem_of(good + "\n" + good).find("written to the key before"), std::string::npos);
    EXPECT_NE(problem_of(good + "\n" + good).find("line=3"), std::string::npos)
        << problem_of(good + "\n" + good);
    EXPECT_NE(problem_of(good + "\n" +
                         R"({"client":1,"key":"k","op":"add","start_ns":1,"outcome":"unknown"})")
                  .find("register and a counter"),
              std::string::npos);
}

}  // namespace
}  // namespace tidal::history
