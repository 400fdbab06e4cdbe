// The items of a page are written by hand: what a JSON library reads back is what was in them.
#include "http/feed_text.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "http/json_text.h"
#include "http/json_write.h"

namespace tidal::http {
namespace feed_text_test {

namespace json = boost::json;

std::string text_of(const api::FeedItem& item, const std::set<std::string>* fields = nullptr) {
    std::string out = "x";
    append_feed_item(item, &out, ShownFields(fields));
    EXPECT_EQ(out[0], 'x');
    return out.substr(1);
}

TEST(FeedText, SaysWhatIsThereOnly) {
    api::FeedItem item;
    item.rank = 21;
    item.score = 40;
    item.entity.id = EntityId(7);
    item.entity.created_at_ms = 1'700'000'000'123;
    EXPECT_EQ(text_of(item),
              R"({"entity_id":7,"rank":21,"score":40.0,"metadata":{},"creator_id":null,)"
              R"("created_at":"2023-11-14T22:13:20.123Z"})");
}

TEST(FeedText, EveryTypeReadsBack) {
    api::FeedItem item;
    item.rank = 1;
    item.score = 1e-9;
    item.entity.id = EntityId(std::string("quote \" and \\ and \n and \xc3\xa4 and \xff"));
    item.entity.creator_id = EntityId(kExactIdMax + 1);
    item.entity.created_at_ms = 0;
    item.entity.publish_at_ms = -1;
    item.entity.expires_at_ms = std::numeric_limits<UnixMillis>::max();
    item.entity.metadata = {{"title", std::string("a\tb\x01")},
                            {"genres", std::vector<std::string>{"x", "y\"z"}},
                            {"none", std::vector<std::string>{}},
                            {"year", std::int64_t{-1994}},
                            {"price", 12.5},
                            {"live", true},
                            {"place", record::GeoPoint{48.1, 11.5}},
                            {"raw", std::string(R"({ "b": [1, 2.0, null] })")}};
    item.entity.json_fields = {"raw"};
    api::FeedExplanation why;
    why.terms = {{"sum(view, 24h)", 3}, {"sum(view, 24h)", 3}};
    why.features = {{"sum(view, 24h)", 3, false}, {"year", 1900.5, true}};
    item.explain = std::make_shared<const api::FeedExplanation>(why);
    const json::object read = json::parse(text_of(item)).as_object();
    EXPECT_EQ(read.at("entity_id"),
              json::value("quote \" and \\ and \n and \xc3\xa4 and \xef\xbf\xbd"));
    EXPECT_EQ(read.at("creator_id"), json::value("9007199254740993"));
    EXPECT_EQ(read.at("score"), json::value(1e-9));
    EXPECT_EQ(read.at("created_at"), json::value("1970-01-01T00:00:00Z"));
    EXPECT_EQ(read.at("publish_at"), json::value("1969-12-31T23:59:59.999Z"));
    EXPECT_EQ(read.at("expires_at"), json::value("9223372036854775807"));
    EXPECT_EQ(json_text(read.at("metadata")),
              R"({"title":"a\tb\u0001","genres":["x","y\"z"],"none":[],"year":-1994,"price":12.5,)"
              R"("live":true,"place":{"lat":48.1,"lon":11.5},"raw":{"b":[1,2.0,null]}})");
    EXPECT_EQ(json_text(read.at("explain")),
              R"-({"terms":[{"term":"sum(view, 24h)","value":3.0},)-"
              R"-({"term":"sum(view, 24h)","value":3.0}],)-"
              R"-("features":[{"feature":"sum(view, 24h)","value":3.0,"missing":false},)-"
              R"-({"feature":"year","value":1900.5,"missing":true}]})-");
    item.explain = std::make_shared<const api::FeedExplanation>();
    EXPECT_EQ(json_text(json::parse(text_of(item)).at("explain")), R"({"terms":[],"features":[]})");
}

TEST(FeedText, ShowsTheFieldsAskedFor) {
    api::FeedItem item;
    item.rank = std::numeric_limits<std::uint64_t>::max();
    item.score = -1.2345678901234568e-300;
    item.entity.id = EntityId(std::numeric_limits<std::uint64_t>::max());
    item.entity.creator_id = EntityId(9);
    item.entity.created_at_ms = 0;
    item.entity.publish_at_ms = 1'000;
    item.entity.expires_at_ms = 2'000;
    item.entity.metadata = {{"title", std::string("a")}, {"year", std::int64_t{1994}}};
    const std::string head = R"({"entity_id":"18446744073709551615","rank":18446744073709551615,)"
                             R"("score":-1.2345678901234568e-300,"metadata":)";
    const std::set<std::string> none, some{"year", "created_at"}, others{"title", "publish_at"};
    EXPECT_EQ(text_of(item, &none), head + "{}}");
    EXPECT_EQ(text_of(item, &some), head + R"({"year":1994},"created_at":"1970-01-01T00:00:00Z"})");
    EXPECT_EQ(text_of(item, &others),
              head + R"({"title":"a"},"publish_at":"1970-01-01T00:00:01Z"})");
    item.pinned = true;
    const std::set<std::string> creator{"creator_id", "expires_at"};
    EXPECT_EQ(text_of(item, &creator),
              head + R"({},"creator_id":9,"expires_at":"1970-01-01T00:00:02Z","pinned":true})");
}

TEST(FeedText, IdsAndScoresOfEveryForm) {
    api::FeedItem item;
    item.rank = 3;
    const std::set<std::string> none;
    const auto head_of = [&](EntityId id, double score) {
        item.entity.id = std::move(id);
        item.score = score;
        return text_of(item, &none);
    };
    EXPECT_EQ(head_of(EntityId(kExactIdMax), 0),
              R"({"entity_id":9007199254740992,"rank":3,"score":0.0,"metadata":{}})");
    EXPECT_EQ(head_of(EntityId(kExactIdMax + 1), -0.0),
              R"({"entity_id":"9007199254740993","rank":3,"score":-0.0,"metadata":{}})");
    const std::string text = std::string(300, 'x') + '"';
    EXPECT_EQ(head_of(EntityId(text), std::numeric_limits<double>::quiet_NaN()),
              R"({"entity_id":")" + std::string(300, 'x') +
                  R"(\"","rank":3,"score":null,"metadata":{}})");
}

TEST(FeedText, EveryPageSaysTheSameFacts) {
    api::FeedReply reply;
    reply.profile = "trending@1";
    std::string out;
    append_feed_facts(reply, std::nullopt, &out);
    EXPECT_EQ(out,
              R"(,"next_cursor":null,"profile":"trending@1","candidates":0,"matched":0,"scored":0,)"
              R"("constraints_satisfied":true,"warnings":[],"degradation":0,"staleness_ms":null)");
    reply.next_cursor = "a-b_c";
    reply.candidates = 3;
    reply.constraints_satisfied = false;
    reply.warnings = {"one", "say \"two\""};
    out.clear();
    append_feed_facts(reply, 7, &out);
    EXPECT_EQ(
        out,
        R"(,"next_cursor":"a-b_c","profile":"trending@1","candidates":3,"matched":0,"scored":0,)"
        R"("constraints_satisfied":false,"warnings":["one","say \"two\""],"degradation":0,)"
        R"("staleness_ms":7)");
}

TEST(FeedText, WhatFewPagesSayComesLast) {
    api::FeedReply reply;
    EXPECT_EQ(json::parse(feed_json(reply, 0)).as_object().count("experiment"), 0U);
    reply.experiment = "spring@2";
    reply.left_out = {"facets"};
    const json::object read = json::parse(feed_json(reply, 0)).as_object();
    EXPECT_EQ(read.at("experiment"), json::value("spring@2"));
    EXPECT_EQ(json_text(read.at("left_out")), R"(["facets"])");
    EXPECT_EQ(read.at("staleness_ms"), json::value(0));
}

}  // namespace feed_text_test
}  // namespace tidal::http
