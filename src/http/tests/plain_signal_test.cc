// Signals read without a tree are those that the parser of all JSON reads; anything else is left to
// it.
#include "http/internal/plain_signal.h"

#include <gtest/gtest.h>

#include "http/json_read.h"
#include "http/tests/same_signal.h"

namespace tidal::http {
namespace plain_signal_test {

/// What the tree says: a line of an array is always read from it.
Result<api::Write> from_tree(const std::string& line) {
    TIDAL_ASSIGN(auto lines, JsonReader().signals("[" + line + "]"));
    return std::move(lines.at(0));
}

TEST(PlainSignal, IsWhatTheTreeReads) {
    for (
        const std::string line : {
            R"({"entity_id":7,"signal":"view"})",
            R"({"entity_id":7,"signal":"view","user_id":9,"creator_id":3})",
            R"({ "entity_id" : "7" ,	"signal" : "view", "user_id":"ann", "creator_id":"bob" } )",
            R"({"signal":"view","entity_id":18446744073709551615})",
            R"({"signal":"view","entity_id":0,"weight":0})",
            R"({"signal":"view","entity_id":1,"weight":18446744073709551615})",
            R"({"signal":"view","entity_id":1,"weight":9007199254740993})",
            R"({"signal":"view","entity_id":1,"at":9223372036854775807})",
            R"({"signal":"view","entity_id":1,"session_id":12,"sequence":3})",
            R"({"signal":"view","entity_id":1,"session_id":"12","context":"","idempotency_key":"k"})",
        }) {
        api::Write plain;
        ASSERT_TRUE(read_plain_signal(line, &plain)) << line;
        const auto tree = from_tree(line);
        ASSERT_TRUE(tree.ok()) << line;
        EXPECT_TRUE(
            is_same_signal(std::get<api::SignalWrite>(plain), std::get<api::SignalWrite>(*tree)))
            << line;
    }
}

TEST(PlainSignal, LeavesWhatIsNotPlain) {
    for (const std::string line : {
             R"({"entity_id":7,"signal":"view","weight":0.5})",
             R"({"entity_id":7,"signal":"view","weight":-1})",
             R"({"entity_id":7,"signal":"view","weight":1e3})",
             R"({"entity_id":7,"signal":"view","at":"2026-01-01T00:00:00Z"})",
             R"({"entity_id":7,"signal":"vi\u0065w"})",
             R"({"entity_id":"é","signal":"view"})",
             R"({"entity_id":7,"signal":"view","context":{"a":1}})",
             R"({"entity_id":7,"undo":"k"})",
         }) {
        api::Write write;
        EXPECT_FALSE(read_plain_signal(line, &write)) << line;
        EXPECT_TRUE(JsonReader().signal(line).ok()) << line;
    }
}

TEST(PlainSignal, LeavesWhatIsWrong) {
    for (const std::string line : {
             "",
             " ",
             "{",
             "{}",
             "[]",
             "7",
             "null",
             R"({"entity_id":7,"signal":"view")",
             R"({"entity_id":7,"signal":"view"}})",
             R"({"entity_id":7,"signal":"view"} x)",
             R"({"entity_id":7,"signal":"view",})",
             R"({"entity_id":7 "signal":"view"})",
             R"({"entity_id" 7,"signal":"view"})",
             R"({,"entity_id":7,"signal":"view"})",
             R"({"entity_id":07,"signal":"view"})",
             R"({"entity_id":+7,"signal":"view"})",
             R"({"entity_id":18446744073709551616,"signal":"view"})",
             R"({"entity_id":7,"entity_id":7,"signal":"view"})",
             R"({"signal":"view"})",
             R"({"entity_id":7})",
             R"({"entity_id":7,"signal":""})",
             R"({"entity_id":7,"signal":8})",
             R"({"entity_id":7,"signal":"view","sequence":0})",
             R"({"entity_id":7,"signal":"view","at":9223372036854775808})",
             R"({"entity_id":7,"signal":"view","wieght":2})",
             R"({"entity_id":7,"signal":"view","context":8})",
             R"({"entity_id":7,"signal":"view","idempotency_key":8})",
             R"({"entity_id":7,"signal":"view","weight":"2"})",
             "{\"entity_id\":7,\"signal\":\"vi\tew\"}",
             "{\"entity_id\":7,\"signal\":\"vi\xffw\"}",
         }) {
        api::Write write;
        EXPECT_FALSE(read_plain_signal(line, &write)) << line;
        EXPECT_FALSE(JsonReader().signal(line).ok()) << line;
    }
}

}  // namespace plain_signal_test
}  // namespace tidal::http
