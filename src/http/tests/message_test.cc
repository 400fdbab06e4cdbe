// Escapes, queries, paths, headers, heads of replies, problems.

#include "http/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "http/internal/reply_head.h"
#include "http/problem.h"

namespace tidal::http {
namespace message_test {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(PercentDecode, DecodesOrRefuses) {
    EXPECT_EQ(percent_decode("a%20b%2Fc", false), "a b/c");
    EXPECT_EQ(percent_decode("a+b", false), "a+b");
    EXPECT_EQ(percent_decode("a+b", true), "a b");
    EXPECT_EQ(percent_decode("%c3%a9", false), "\xc3\xa9");
    for (const char* bad : {"%", "%2", "%zz", "%2z", "%00", "%ff", "%c3"})
        EXPECT_FALSE(percent_decode(bad, false)) << bad;
}

RC_GTEST_PROP(PercentDecode, UndoesEscaping, ()) {
    std::string text;
    for (const char c : *rc::gen::arbitrary<std::string>())
        if (c > 0) text += c;
    std::string escaped;
    for (const char c : text) {
        char buffer[4];
        std::snprintf(buffer, sizeof buffer, "%%%02X", static_cast<unsigned>(c));
        escaped += buffer;
    }
    RC_ASSERT(percent_decode(escaped, true) == text);
}

TEST(QueryParameters, AreDecodedAndUnique) {
    const auto query = QueryParameters::parse("query=jazz%20piano&limit=5&&empty=&flag&a%3Db=c+d");
    ASSERT_TRUE(query);
    EXPECT_EQ(*query->find("query"), "jazz piano");
    EXPECT_EQ(*query->find("limit"), "5");
    EXPECT_EQ(*query->find("empty"), "");
    EXPECT_EQ(*query->find("flag"), "");
    EXPECT_EQ(*query->find("a=b"), "c d");
    EXPECT_EQ(query->find("limi"), nullptr);
    EXPECT_EQ(query->all().size(), 5u);

    const auto twice = QueryParameters::parse("limit=5&limit=6");
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().field(), "limit");
    EXPECT_FALSE(QueryParameters::parse("a=%zz"));
    std::string many;
    for (int i = 0; i < 65; ++i) many += "p" + std::to_string(i) + "=1&";
    EXPECT_FALSE(QueryParameters::parse(many));
}

TEST(PathParameters, SayWhatIsNoNumber) {
    PathParameters parameters;
    parameters.add("id", "18446744073709551615");
    parameters.add("bad", "12x");
    parameters.add("big", "18446744073709551616");
    parameters.add("minus", "-1");
    EXPECT_EQ(*parameters.number("id"), UINT64_MAX);
    for (const char* name : {"bad", "big", "minus"}) {
        const auto number = parameters.number(name);
        ASSERT_FALSE(number);
        EXPECT_EQ(number.error().field(), name);
    }
}

TEST(Request, ContentTypeIsTheBareMediaType) {
    Request request;
    EXPECT_EQ(request.content_type(), "");
    request.headers.add("content-TYPE", "Application/JSON ; charset=utf-8");
    EXPECT_EQ(request.content_type(), "application/json");
}

TEST(ReplyHead, HasWhatTheExchangeNeeds) {
    Response response = Response::json("{}");
    response.headers.push_back({"ETag", "\"1\""});
    ReplyFacts facts;
    facts.request_id = "abc";
    facts.date = "Sat, 31 Jan 2026 09:00:00 GMT";
    EXPECT_EQ(reply_head(response, facts),
              "HTTP/1.1 200 OK\r\nDate: Sat, 31 Jan 2026 09:00:00 GMT\r\n"
              "Content-Type: application/json\r\nContent-Length: 2\r\nX-Request-Id: abc\r\n"
              "ETag: \"1\"\r\n\r\n");
    facts.body_room = 5'000;
    EXPECT_GE(reply_head(response, facts).capacity(), 5'000U);
    facts.keep_alive = false;
    facts.streamed = true;
    EXPECT_THAT(
        reply_head(response, facts),
        testing::AllOf(HasSubstr("Transfer-Encoding: chunked\r\n"),
                       HasSubstr("Connection: close\r\n"), Not(HasSubstr("Content-Length"))));
    response.status = 204;
    facts.streamed = false;
    EXPECT_THAT(reply_head(response, facts), Not(HasSubstr("Content-Length")));
}

TEST(ReplyHead, LeavesOutWhatWouldBreakOut) {
    Response response;
    response.headers = {{"Location", "/x\r\nSet-Cookie: a=b"}, {"Bad\nName", "x"}, {"Good", "x"}};
    const std::string head = reply_head(response, {});
    EXPECT_THAT(head, Not(HasSubstr("Set-Cookie")));
    EXPECT_THAT(head, Not(HasSubstr("Bad")));
    EXPECT_THAT(head, HasSubstr("Good: x\r\n"));
}

TEST(HttpDate, IsImfFixdate) {
    EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    EXPECT_EQ(http_date(1'769'850'000'999), "Sat, 31 Jan 2026 09:00:00 GMT");
    EXPECT_EQ(http_date(951'782'400'000), "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST(Problem, HasTheMembersOfRfc9457) {
    const Error error = Error(ErrorCode::kUnknownName, "no signal \"viwe\"")
                            .with_reason("unknown_signal")
                            .with_field("signal")
                            .with_hint("did you mean 'view'?")
                            .with("line", 3)
                            .with("status", "x")
                            .with("long", "12345678901234567890");
    EXPECT_EQ(problem_json(error),
              R"({"type":"urn:tidaldb:error:unknown_name","title":"unknown name","status":400,)"
              R"("detail":"no signal \"viwe\"","code":"unknown_signal","field":"signal",)"
              R"("hint":"did you mean 'view'?","line":3,"context_status":"x",)"
              R"("long":"12345678901234567890"})");
    const Response busy = problem_response(Error(ErrorCode::kOverloaded, "busy"));
    EXPECT_EQ(busy.status, 429);
    EXPECT_EQ(busy.content_type, "application/problem+json");
    ASSERT_EQ(busy.headers.size(), 1u);
    EXPECT_EQ(busy.headers[0].name, "Retry-After");
    EXPECT_EQ(problem_response(Error(ErrorCode::kTimeout, "late"), 408).status, 408);
}

TEST(JsonString, EscapesAndReplaces) {
    std::string out;
    append_json_string(std::string_view("a\"\\\n\t\x01\0\xc3\xa9\xff\xc3z", 12), &out);
    EXPECT_EQ(out, "\"a\\\"\\\\\\n\\t\\u0001\\u0000\xc3\xa9\xef\xbf\xbd\xef\xbf\xbdz\"");
}

}  // namespace message_test
}  // namespace tidal::http
