// Which route answers, and what is said when none does.

#include "http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidal::http {
namespace router_test {

using ::testing::HasSubstr;

class RouterTest : public ::testing::Test {
protected:
    RouterTest() {
        const auto nothing = [](Request, Responder) {};
        router_.add(Method::kGet, "/items/{id}", nothing);
        router_.add(Method::kGet, "/items/new", nothing);
        router_.add(Method::kDelete, "/items/{id}", nothing);
        router_.add(Method::kGet, "/items/{id}/signals", nothing);
        router_.add_stream(Method::kPost, "/signals",
                           [](Request, Responder) { return std::shared_ptr<BodySink>(); });
        router_.add(Method::kGet, "/", nothing);
    }
    Request admit(Method method, std::string path) {
        Request request;
        request.method = method;
        request.raw_path = path;
        request.path = std::move(path);
        admission_ = router_.admit(request);
        return request;
    }
    std::string matched(Method method, const std::string& path) {
        const Request request = admit(method, path);
        return request.route == nullptr ? "none" : request.route->pattern;
    }
    std::string allow() const {
        for (const Header& header : admission_.refusal->headers)
            if (header.name == "Allow") return header.value;
        return "";
    }

    Router router_;
    Admission admission_;
};

TEST_F(RouterTest, MatchesSegmentBySegment) {
    EXPECT_EQ(matched(Method::kGet, "/items/7"), "/items/{id}");
    EXPECT_EQ(matched(Method::kGet, "/items/new"), "/items/new");
    EXPECT_EQ(matched(Method::kDelete, "/items/new"), "/items/{id}");
    EXPECT_EQ(matched(Method::kGet, "/items/7/signals"), "/items/{id}/signals");
    EXPECT_EQ(matched(Method::kHead, "/items/7"), "/items/{id}");
    EXPECT_EQ(matched(Method::kGet, "/"), "/");
    for (const char* path :
         {"/items", "/items/", "/items/7/", "/items//signals", "/Items/7", "//items/7"})
        EXPECT_EQ(matched(Method::kGet, path), "none") << path;
}

TEST_F(RouterTest, APathThatIsAPatternAnswersAsAnyOther) {
    router_.add(Method::kPost, "/items/new", [](Request, Responder) {});
    router_.add_overlapping(Method::kPut, "/items/new", [](Request, Responder) {});
    EXPECT_EQ(admit(Method::kPost, "/items/new").route->method, Method::kPost);
    EXPECT_EQ(admit(Method::kGet, "/items/new").route->method, Method::kGet);
    EXPECT_FALSE(admission_.overlaps);
    EXPECT_EQ(admit(Method::kPut, "/items/new").route->method, Method::kPut);
    EXPECT_TRUE(admission_.overlaps);
    EXPECT_EQ(admit(Method::kHead, "/items/new").route->method, Method::kGet);
    EXPECT_EQ(matched(Method::kHead, "/items/new"), "/items/new");
    EXPECT_EQ(matched(Method::kGet, "/items/n%65w"), "/items/new");
    EXPECT_EQ(matched(Method::kDelete, "/items/new"), "/items/{id}");
    EXPECT_EQ(admit(Method::kDelete, "/items/new").parameters.text("id"), "new");
    // What looks like a pattern is a name.
    EXPECT_EQ(admit(Method::kGet, "/items/{id}").parameters.text("id"), "{id}");
    EXPECT_EQ(matched(Method::kGet, "/items/{id}/"), "none");
    admit(Method::kPatch, "/items/new");
    EXPECT_EQ(admission_.refusal->status, 405);
    EXPECT_EQ(allow(), "GET, HEAD, POST, PUT, DELETE, OPTIONS");
    admit(Method::kOptions, "/items/new");
    EXPECT_EQ(admission_.refusal->status, 204);
}

TEST_F(RouterTest, DecodesParametersWithinTheirSegment) {
    const Request request = admit(Method::kGet, "/items/a%2Fb%20c/signals");
    EXPECT_EQ(request.parameters.text("id"), "a/b c");
    EXPECT_FALSE(request.parameters.number("id"));
    EXPECT_EQ(matched(Method::kGet, "/%69tems/7"), "/items/{id}");
}

TEST_F(RouterTest, TellsStreamsApart) {
    admit(Method::kPost, "/signals");
    EXPECT_EQ(admission_.body, Admission::Body::kStream);
    admit(Method::kGet, "/");
    EXPECT_EQ(admission_.body, Admission::Body::kWhole);
}

TEST_F(RouterTest, UnknownPathIs404) {
    admit(Method::kGet, "/nothing");
    ASSERT_TRUE(admission_.refusal);
    EXPECT_EQ(admission_.refusal->status, 404);
    EXPECT_THAT(admission_.refusal->body, HasSubstr("unknown_path"));
}

TEST_F(RouterTest, OtherMethodIs405WithAllow) {
    admit(Method::kPost, "/items/7");
    ASSERT_TRUE(admission_.refusal);
    EXPECT_EQ(admission_.refusal->status, 405);
    EXPECT_EQ(allow(), "GET, HEAD, DELETE, OPTIONS");
    EXPECT_THAT(admission_.refusal->body, HasSubstr("method_not_allowed"));
    admit(Method::kOther, "/signals");
    EXPECT_EQ(admission_.refusal->status, 405);
    EXPECT_EQ(allow(), "POST, OPTIONS");
}

TEST_F(RouterTest, OptionsNamesTheMethods) {
    admit(Method::kOptions, "/items/7");
    EXPECT_EQ(admission_.refusal->status, 204);
    EXPECT_EQ(allow(), "GET, HEAD, DELETE, OPTIONS");
}

}  // namespace router_test
}  // namespace tidal::http
