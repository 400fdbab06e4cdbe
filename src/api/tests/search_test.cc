// Searches over whole databases: the same however items are spread, after changes and after
// crashes.
#include <gtest/gtest.h>

#include <map>

#include "api/tests/sim_node.h"

namespace tidal::api {
namespace {

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

}  // namespace
}  // namespace tidal::api
