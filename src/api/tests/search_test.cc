// Searches over whole databases: the same however items are spread, after changes and after
// crashes.
#include <gtest/gtest.h>

#include <map>

#include "api/tests/sim_node.h"

namespace tidal::api {
namespace search_test {

constexpr const char* kWords[] = {"jazz",  "piano", "pianos", "blue",   "kind",  "river",
                                  "night", "train", "matrix", "lesson", "tides", "reloaded"};

std::string title(std::uint64_t id) {
    std::string out;
    for (std::uint64_t word = 0; word < 2 + id % 5; ++word)
        out += std::string(word == 0 ? "" : " ") + kWords[(id * 7 + word * word * 5) % 12];
    return out;
}

EntityWrite titled(std::uint64_t id, const std::string& title) {
    EntityWrite write = item(id);
    write.metadata = {{"title", title}};
    return write;
}

std::string page(Database& database, const std::string& query, const std::string& sort) {
    FeedCall call;
    call.query = query;
    call.profile = "search";
    call.sort = sort;
    call.limit = 10;
    const auto reply = database.feed(call);
    if (!reply.ok()) return reply.error().to_string();
    std::string out;
    for (const FeedItem& each : reply->items)
        out += each.entity.id.to_string() + " " + std::to_string(each.score) + " " +
               std::to_string(each.text_score.value_or(-1)) + "\n";
    return out;
}

std::string pages(Database& database) {
    std::string out;
    for (const char* query : {"jazz piano", "blue AND night", "\"kind river\"", "pia*", "matirx",
                              "title:train -blue", "(jazz OR tides) AND NOT lesson", "nothing"})
        for (const char* sort : {"", "title DESC"})
            out += std::string(query) + " by " + sort + "\n" + page(database, query, sort);
    return out;
}

/// Writes, changes and deletes, the same for every database.
void fill(SimNode& node, std::uint64_t from, std::uint64_t to) {
    std::vector<Write> writes;
    for (std::uint64_t id = from; id < to; ++id) writes.emplace_back(titled(id, title(id)));
    for (std::uint64_t id = from; id < to; id += 11) writes.emplace_back(titled(id, title(id + 1)));
    for (std::uint64_t id = from + 3; id < to; id += 13) {
        EntityDelete erased;
        erased.id = id;
        writes.emplace_back(erased);
    }
    constexpr std::size_t kAtOnce = 40;  // A batch fits into a file of the log.
    for (std::size_t at = 0; at < writes.size(); at += kAtOnce) {
        const std::size_t end = std::min(at + kAtOnce, writes.size());
        for (const auto& reply : node.write({writes.begin() + static_cast<std::ptrdiff_t>(at),
                                             writes.begin() + static_cast<std::ptrdiff_t>(end)}))
            ASSERT_TRUE(reply.ok()) << reply.error().to_string();
    }
    node.rest();
}

TEST(Search, IsTheSameOnAnyNumberOfShardsAndAfterCrashes) {
    std::string expected;
    for (const std::uint16_t shards : {1, 3, 8}) {
        DatabaseOptions options;
        options.shards = shards;
        SimNode node(options);
        ASSERT_OK(node.open());
        fill(node, 1, 300);
        ASSERT_OK(node.checkpoint());
        fill(node, 200, 500);
        const std::string live = pages(*node);
        ASSERT_OK(node.crash_and_open());
        EXPECT_EQ(pages(*node), live) << shards << " shards, after a crash";
        if (expected.empty()) expected = live;
        EXPECT_EQ(live, expected) << shards << " shards";
    }
    EXPECT_EQ(expected.find("matirx by \nmatirx"), std::string::npos) << "typos find nothing";
    EXPECT_EQ(expected.find("\"kind river\" by \n\"kind"), std::string::npos)
        << "phrases find nothing";
}

/// What a profile of this text puts first, by place.
std::vector<FeedItem> ranked(SimNode& node, const std::string& name, const std::string& body,
                             const FeedCall& like) {
    const std::string text = "profile " + name + " version 1 { " + body + " order score desc; }";
    const auto made = node.wait([&](Database::Done done) {
        node->put_profile(text, false, [done = std::move(done)](auto reply) mutable {
            done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
        });
    });
    EXPECT_TRUE(made.ok()) << made.error().to_string();
    FeedCall call = like;
    call.profile = name;
    call.limit = 1000;
    auto reply = node->feed(call);
    EXPECT_TRUE(reply.ok()) << reply.error().to_string();
    return reply.ok() ? std::move(reply->items) : std::vector<FeedItem>();
}

/// What words find as they stand comes first, in the same order, whatever they may be mistyped for:
/// quoted ones are taken as they are.
TEST(Search, TyposComeBehindWhatTheWordsFind) {
    constexpr const char* kNear[] = {"river", "rivet", "rover",  "driver", "tides",  "tidal",
                                     "tiles", "night", "knight", "nights", "lesson", "lessen"};
    DatabaseOptions options;
    options.shards = 3;
    SimNode node(options);
    ASSERT_OK(node.open());
    for (std::uint64_t id = 1; id <= 150; ++id) {
        std::string words;
        for (std::uint64_t i = 0; i <= id % 4; ++i)
            words += std::string(kNear[(id * 5 + i * i * 7) % 12]) + " ";
        node.put(titled(id, words));
    }
    node.rest();
    std::size_t guessed = 0;
    for (const std::string word : kNear) {
        const auto found = [&](const std::string& query) {
            FeedCall call;
            call.query = query;
            call.limit = 150;
            std::vector<EntityId> out;
            const auto page = node->feed(call);
            EXPECT_TRUE(page.ok());
            for (const FeedItem& item : page->items) out.push_back(item.entity.id);
            return out;
        };
        const auto exact = found("\"" + word + "\"");
        auto all = found(word);
        ASSERT_FALSE(exact.empty()) << word;
        ASSERT_GE(all.size(), exact.size()) << word;
        guessed += all.size() - exact.size();
        all.resize(exact.size());
        EXPECT_EQ(all, exact) << word;
    }
    EXPECT_GT(guessed, 100U) << "words that are near to others";
}

std::map<EntityId, double> reciprocal_ranks(const std::vector<FeedItem>& list, double base = 60) {
    std::map<EntityId, double> out;
    for (std::size_t i = 0; i < list.size(); ++i)
        out[list[i].entity.id] = 1 / (base + static_cast<double>(i + 1));
    return out;
}

TEST(Search, OfWordsAndAVectorFusesTheirRanks) {
    DatabaseOptions options;
    options.shards = 3;
    SimNode node(options);
    ASSERT_OK(node.open());
    fill(node, 1, 200);
    for (std::uint64_t id = 100; id < 260; ++id) {
        if (id >= 200) node.put(titled(id, "nothing of it"));
        EmbeddingWrite vector;
        vector.id = id;
        vector.values = {1, static_cast<double>(id % 17), static_cast<double>(id % 5), 0.5};
        (void)node.write_one(vector);  // Some items are deleted.
    }
    node.rest();
    FeedCall call;
    call.query = "\"jazz\" \"piano\"";
    const auto words = ranked(node, "words", "candidates text(query); score bm25;", call);
    call.query.reset();
    call.vector = {1, 2, 3, 0.5};
    const auto near =
        ranked(node, "near", "candidates ann(default, vector); score similarity(default);", call);
    call.query = "\"jazz\" \"piano\"";
    const auto fused =
        ranked(node, "both",
               "candidates union(text(query) weight 2, ann(default, vector)); score fused;", call);
    // With another base of the ranks, and an order that makes nothing of them.
    const auto based =
        ranked(node, "based",
               "candidates union(text(query) weight 2, ann(default, vector)) rank_base 2.5; "
               "score created_at;",
               call);
    auto of_words = reciprocal_ranks(words), of_vectors = reciprocal_ranks(near);
    auto based_words = reciprocal_ranks(words, 2.5), based_vectors = reciprocal_ranks(near, 2.5);
    ASSERT_EQ(based.size(), fused.size());
    for (const FeedItem& item : based) {
        const EntityId& id = item.entity.id;
        EXPECT_EQ(item.fused_score, 2 * based_words[id] + based_vectors[id]) << id.to_string();
    }
    ASSERT_GT(of_words.size(), 20U);
    ASSERT_GT(of_vectors.size(), 100U);
    std::map<EntityId, double> similarity;
    for (const FeedItem& item : near) similarity[item.entity.id] = item.score;
    std::size_t in_both = 0;
    for (const FeedItem& item : fused) {
        const EntityId& id = item.entity.id;
        EXPECT_EQ(item.score, 2 * of_words[id] + of_vectors[id]) << id.to_string();
        EXPECT_EQ(item.fused_score, item.score) << id.to_string();
        EXPECT_EQ(item.text_score.value_or(0) > 0, of_words[id] > 0) << id.to_string();
        EXPECT_EQ(item.vector_score.has_value(), similarity.contains(id)) << id.to_string();
        if (item.vector_score) {
            EXPECT_EQ(*item.vector_score, similarity[id]) << id.to_string();
        }
        if (of_words[id] > 0 && of_vectors[id] > 0) ++in_both;
    }
    EXPECT_GT(in_both, 10U);
    // Without a profile, a search goes by both where it has both.
    call.profile.clear();
    EXPECT_EQ(node->feed(call)->profile, "hybrid@1");
    call.vector.clear();
    EXPECT_EQ(node->feed(call)->profile, "search@1");
}

}  // namespace search_test
}  // namespace tidal::api
