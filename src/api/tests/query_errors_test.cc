// What is wrong with a query: where in its text, and what would be right.
#include <gmock/gmock.h>

#include <algorithm>

#include "api/tests/sim_node.h"

namespace tidal::api {
namespace query_errors_test {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class QueryErrors : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_OK(node_.open());
        std::string yaml(schema::default_schema_yaml());
        yaml.insert(yaml.find("    year: int\n"), "    place: geo\n");
        ASSERT_OK(node_.put_schema(yaml));
        ASSERT_OK(put("profile lifted version 1 { score year * param(lift); }"));
        node_.rest();
    }

    Result<void> put(const std::string& text,
                     void (Database::*how)(std::string, bool,
                                           Database::CatalogDone) = &Database::put_profile) {
        return node_.wait([&](Database::Done done) {
            ((*node_).*how)(text, false, [done = std::move(done)](auto reply) mutable {
                done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
            });
        });
    }

    static std::string context(const Error& error, std::string_view key) {
        for (const auto& [name, value] : error.context())
            if (name == key) return value;
        return "none";
    }

    /// Of both doors, which must agree: "message; hint".
    std::string refusal(const std::string& text) {
        const auto direct = node_->query(text);
        if (direct.ok()) return "answered";
        std::string later = "not answered";
        node_->query(text, {}, [&](Result<QueryReply> reply) {
            later = reply.ok() ? "answered" : reply.error().to_string();
        });
        node_.rest();
        EXPECT_EQ(later, direct.error().to_string());
        return direct.error().to_string();
    }

    /// @param marked  A query with `|` before what is wrong.
    void expect_place(const std::string& marked) {
        std::string text = marked;
        const std::size_t at = text.find('|');
        text.erase(at, 1);
        const auto reply = node_->query(text);
        ASSERT_FALSE(reply.ok()) << text;
        EXPECT_EQ(context(reply.error(), "offset"), std::to_string(at))
            << text << "\n"
            << reply.error().to_string();
        const auto line = std::count(text.begin(), text.begin() + std::ptrdiff_t(at), '\n') + 1;
        EXPECT_EQ(context(reply.error(), "line"), std::to_string(line)) << text;
        EXPECT_NE(context(reply.error(), "column"), "none") << text;
        refusal(text);
    }

    SimNode node_{{.shards = 2}};
};

TEST_F(QueryErrors, ThatAreFoundLaterHaveTheirPlace) {
    for (const char* marked :
         {"RETRIEVE items USING |trendng",
          "RETRIEVE items\n  LIMIT 3 USING |new@9",
          "RETRIEVE items FOR USER 1 EXPERIMENT |spring",
          "RETRIEVE items USING new COHORT |french",
          "RETRIEVE items USING lifted WITH lift = 1, |frsh=1",
          "RETRIEVE items USING new FIELDS title, |nope",
          "RETRIEVE items USING new PIN 1,|1",
          "RETRIEVE items USING new PIN 1, 2 BURY 3, |2",
          "RETRIEVE items USING new EXCLUDE 1, |'x'",
          "RETRIEVE items USING new PIN |'x'",
          "RETRIEVE items USING new BURY 1, 2, |'x'",
          "RETRIEVE items USING new AFTER |'junk'",
          "RETRIEVE items USING new FOR USER |'x'",
          "RETRIEVE items USING similar SIMILAR TO |'x'",
          "SEARCH items FOR 'jazz' HIGHLIGHT title, |nope",
          "RETRIEVE items USING new HIGHLIGHT |title",
          "RETRIEVE items USING new WHERE similarity(default) > 0.5 VECTOR |(1, 2)",
          "RETRIEVE items USING new FOR USER 1 SESSION |7",
          "SUGGEST 'ite' LIMIT |101",
          "RETRIEVE users USING new |LOG IMPRESSIONS",
          "RETRIEVE items USING new WHERE |yaer = 3",
          "RETRIEVE items USING new GROUP BY |yaer"})
        expect_place(marked);
}

/// Where nothing stands that could be wrong, what asks for it is.
TEST_F(QueryErrors, OfMissingInputsAreWhereItIsAskedFor) {
    for (const char* marked :
         {"RETRIEVE items USING |for_you", "RETRIEVE items USING |cohort_trending",
          "RETRIEVE items USING |lifted", "RETRIEVE items USING |search",
          "RETRIEVE items USING |similar",
          "RETRIEVE items USING new ORDER BY year + |affinity(creator) DESC",
          "RETRIEVE items USING new ORDER BY |cohort(sum(view, 24h)) DESC",
          "RETRIEVE items USING new ORDER BY year * |param(x) DESC",
          "RETRIEVE items USING new ORDER BY |similarity(default) DESC",
          "RETRIEVE items USING new ORDER BY 2 * |bm25 DESC",
          "RETRIEVE items USING new ORDER BY |co_engagement DESC",
          "RETRIEVE items USING new WHERE |similarity(default) > 0.5",
          "RETRIEVE items USING new WHERE year = 1 AND |seen"})
        expect_place(marked);
}

TEST_F(QueryErrors, OfAnArmHaveItsPlace) {
    const std::string text = "experiment e version 1 {\n  arm new@1;\n  arm old@77;\n}";
    const auto refused = put(text, &Database::put_experiment);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(context(refused.error(), "line"), "3");
    EXPECT_EQ(context(refused.error(), "column"), "7");
    EXPECT_EQ(context(refused.error(), "offset"), std::to_string(text.find("old@77")));
    EXPECT_EQ(refused.error().hint(), "versions of it: 1");
}

TEST_F(QueryErrors, OfASortSayThatItIsTheSort) {
    EXPECT_THAT(refusal("RETRIEVE items USING new ORDER BY affinity(creator) DESC"),
                StartsWith("the order `affinity(creator) DESC` needs user_id"));
    EXPECT_THAT(refusal("RETRIEVE items USING new ORDER BY cohort(sum(view, 24h)) DESC"),
                AllOf(StartsWith("the order `cohort(sum(view, 24h)) DESC` needs cohort"),
                      HasSubstr("COHORT name of a query")));
    EXPECT_THAT(refusal("RETRIEVE items USING new ORDER BY param(x)"),
                AllOf(StartsWith("the order `param(x)` needs the parameter `x`"),
                      HasSubstr("params.x of the request, WITH x = 1 of a query")));
    EXPECT_THAT(refusal("RETRIEVE items USING new ORDER BY bm25 DESC"),
                StartsWith("the order `bm25 DESC` needs a query"));
    EXPECT_THAT(refusal("RETRIEVE items USING lifted"),
                AllOf(StartsWith("the profile `lifted` needs the parameter `lift`"),
                      HasSubstr("params.lift of the request, WITH lift = 1 of a query")));
    FeedCall call;
    call.profile = "new";
    call.sort = "  cohort(sum(view, 24h)) desc ";
    const auto direct = node_->feed(call);
    ASSERT_FALSE(direct.ok());
    EXPECT_THAT(direct.error().message(),
                StartsWith("the order `cohort(sum(view, 24h)) desc` needs cohort"));
}

/// As what stands in the text is.
TEST_F(QueryErrors, PlacesThatParametersGiveAreChecked) {
    ASSERT_OK(
        put("profile near_me version 1 { param la = 95; "
            "score 0 - distance_km(place, param(la), param(lo)); }"));
    node_.rest();
    EXPECT_THAT(refusal("RETRIEVE items USING near_me WITH lo = 1"),
                StartsWith("the parameter `la` is a latitude, and 95 is none (field params.la)"));
    EXPECT_THAT(refusal("RETRIEVE items USING near_me WITH la = 1, lo = -180.5"),
                AllOf(StartsWith("the parameter `lo` is a longitude, and -180.5 is none"),
                      HasSubstr("-180 to 180 degrees")));
    EXPECT_EQ(refusal("RETRIEVE items USING near_me WITH la = -90, lo = 180"), "answered");
    EXPECT_THAT(refusal("RETRIEVE items USING new WITH b = 91 ORDER BY "
                        "distance_km(place, param(b), 2)"),
                AllOf(StartsWith("the parameter `b` is a latitude"), HasSubstr("offset=30")));
}

/// And how to name another.
TEST(QueryErrorsOfASchemaOfOnesOwn, OfTheDefaultProfileSayThatItIsOne) {
    DatabaseOptions options;
    options.schema = "items: {fields: {title: text}}\nsignals: {view: {half_life: 1d}}\n";
    SimNode node(options);
    ASSERT_OK(node.open());
    const auto unnamed = node->feed(FeedCall());
    ASSERT_FALSE(unnamed.ok());
    EXPECT_EQ(unnamed.error().message(),
              "profile `trending` is not available: unknown signal "
              "`share`; it is the default: nothing names a profile");
    EXPECT_THAT(unnamed.error().hint(), HasSubstr("USING name of a query"));
    EXPECT_EQ(unnamed.error().reason(), "profile_unavailable");
    FeedCall call;
    call.profile = "trending";
    const auto named = node->feed(call);
    ASSERT_FALSE(named.ok());
    EXPECT_THAT(named.error().message(), Not(HasSubstr("default")));
}

}  // namespace query_errors_test
}  // namespace tidal::api
