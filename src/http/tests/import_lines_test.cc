// Lines of an import on a disk that fills: none is lost, none is written twice.
#include "http/import_lines.h"

#include <set>

#include "api/tests/sim_node.h"

namespace tidal::http {
namespace import_lines_test {

struct Sent {
    Result<void> result;
    ImportCounts counts;
    std::vector<std::string> rejected;
};

/// Sends the body in pieces, giving each `next` only after the one before, as the server does.
Sent send(api::SimNode& node, const std::string& body, std::size_t piece = 500,
          std::size_t stop_filling_at = ~std::size_t{0}) {
    Sent sent;
    auto lines = std::make_shared<ImportLines>(
        *node, "the import", 0, [&](const Error& error, std::string_view text) {
            sent.rejected.push_back(std::string(text) + ": " + error.to_string());
        });
    for (std::size_t at = 0; at < body.size() && sent.result.ok(); at += piece) {
        if (at >= stop_filling_at) node.disk().set_capacity(~0ULL);
        sent.result = node.wait([&](api::Database::Done done) {
            lines->feed(std::string_view(body).substr(at, piece), std::move(done));
        });
    }
    if (sent.result.ok())
        sent.result = node.wait([&](api::Database::Done done) { lines->finish(std::move(done)); });
    sent.counts = lines->counts();
    return sent;
}

std::string body_of(int signals) {
    std::string body;
    for (int id = 1; id <= 10; ++id)
        body += R"({"entity_id":)" + std::to_string(id) + R"(,"metadata":{"title":"t"}})" + "\n";
    for (int i = 0; i < signals; ++i)
        body += R"({"entity_id":)" + std::to_string(1 + i % 10) + R"(,"signal":"view","user_id":)" +
                std::to_string(i) + "}\n";
    return body;
}

void expect_total(api::SimNode& node, std::int64_t signals) {
    node.rest();
    std::int64_t total = 0;
    for (std::uint64_t id = 1; id <= 10; ++id) total += node.count(id, "view");
    EXPECT_EQ(total, signals);
}

TEST(ImportLines, StopAtTheFirstChunkThatAFullDiskRefuses) {
    api::SimNode node({.shards = 2});
    ASSERT_TRUE(node.open().ok());
    const std::string body = body_of(2000);
    // Space comes back in the middle: chunks after the refused one would be taken.
    node.disk().set_capacity(node.disk().used_bytes() + 20'000);
    const Sent first = send(node, body, 500, body.size() / 2);
    ASSERT_FALSE(first.result.ok()) << "the disk never filled";
    EXPECT_EQ(first.result.error().code(), ErrorCode::kDiskFull);
    EXPECT_NE(first.result.error().to_string().find("line="), std::string::npos);
    EXPECT_LT(first.counts.accepted, 2010u);
    node.disk().set_capacity(~0ULL);
    const Sent second = send(node, body);
    ASSERT_TRUE(second.result.ok()) << second.result.error().to_string();
    EXPECT_EQ(second.counts.accepted + second.counts.skipped, 2010u);
    EXPECT_GE(second.counts.skipped, first.counts.accepted);
    expect_total(node, 2000);
}

TEST(ImportLines, ARejectedLineIsHandedBackAndTheRestKept) {
    api::SimNode node;
    ASSERT_TRUE(node.open().ok());
    std::string body = body_of(20);
    body +=
        "{\"entity_id\":1,\"signal\":\"veiw\"}\n{not "
        "json\n{\"entity_id\":99,\"signal\":\"view\"}\n";
    const Sent sent = send(node, body);
    ASSERT_TRUE(sent.result.ok()) << sent.result.error().to_string();
    EXPECT_EQ(sent.counts.rejected, 3u);
    ASSERT_EQ(sent.rejected.size(), 3u);
    // What cannot be parsed comes first: the others are known when the chunk is answered.
    EXPECT_EQ(sent.rejected[0].find("{not json: "), 0u) << sent.rejected[0];
    EXPECT_NE(sent.rejected[1].find("veiw"), std::string::npos) << sent.rejected[1];
    EXPECT_NE(sent.rejected[2].find("\"entity_id\":99"), std::string::npos) << sent.rejected[2];
    expect_total(node, 20);
}

TEST(ImportLines, RefuseOtherLinesUnderTheSameId) {
    api::SimNode node({.shards = 2});
    ASSERT_TRUE(node.open().ok());
    const std::string body = body_of(100);
    ASSERT_TRUE(send(node, body).result.ok());
    std::string other = body_of(120);
    other[other.find("\"t\"") + 1] = 'u';
    for (const std::string& wrong : {other, body.substr(0, body.size() / 2)}) {
        const Sent sent = send(node, wrong, 300);
        ASSERT_FALSE(sent.result.ok());
        EXPECT_EQ(sent.result.error().code(), ErrorCode::kIdempotencyMismatch);
        EXPECT_EQ(sent.result.error().reason(), "import_differs");
        EXPECT_EQ(sent.counts.accepted, 0u);
    }
    expect_total(node, 100);
    const Sent more = send(node, body_of(120), 300);
    ASSERT_TRUE(more.result.ok()) << more.result.error().to_string();
    EXPECT_EQ(more.counts.accepted, 20u);
    EXPECT_EQ(more.counts.skipped, 110u);
    expect_total(node, 120);
}

TEST(ImportLines, TellEveryRejectedLineASecondTime) {
    api::SimNode node({.shards = 2});
    ASSERT_TRUE(node.open().ok());
    std::string body = R"({"entity_id":7,"signal":"view"})"
                       "\n" +
                       body_of(20);
    body += "{\"entity_id\":1,\"signal\":\"veiw\"}\n{not json\n";
    for (int run = 0; run < 2; ++run) {
        const Sent sent = send(node, body, 10'000);
        ASSERT_TRUE(sent.result.ok()) << sent.result.error().to_string();
        EXPECT_EQ(sent.counts.rejected, 3u) << run;
        EXPECT_EQ(sent.rejected.size(), 3u) << run;
        EXPECT_EQ(sent.counts.accepted + sent.counts.skipped, 30u) << run;
    }
    expect_total(node, 20);
}

std::set<EntityId> with_vectors(api::SimNode& node) {
    const std::string near =
        "profile near version 1 { candidates ann(default, vector); score similarity(default); }";
    const auto made = node.wait([&](api::Database::Done done) {
        node->put_profile(near, false, [done = std::move(done)](auto reply) mutable {
            done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
        });
    });
    EXPECT_TRUE(made.ok()) << made.error().to_string();
    api::FeedCall call;
    call.profile = "near";
    call.vector = {1, 1, 1, 1};
    const auto reply = node->feed(call);
    EXPECT_TRUE(reply.ok()) << reply.error().to_string();
    std::set<EntityId> out;
    for (const auto& each : reply->items) out.insert(each.entity.id);
    return out;
}

TEST(ImportLines, AnItemAndItsVectorAreWrittenTogetherOrNotAtAll) {
    api::SimNode node({.shards = 2});
    ASSERT_TRUE(node.open().ok());
    std::string body = R"({"entity_id":1,"metadata":{"title":"good"},"values":[1,2,3,4]}
{"entity_id":2,"metadata":{"title":"short"},"values":[1,2,3]}
{"entity_id":3,"metadata":{"title":"good"}}
{"entity_id":3,"values":[1,2,3,4]}
{"entity_id":4,"metadata":{"title":"good"}}
{"entity_id":4,"metadata":{"titel":"x"},"values":[1,2,3,4]}
{"entity_id":2,"signal":"view"}
)";
    const Sent sent = send(node, body, 10'000);
    ASSERT_TRUE(sent.result.ok()) << sent.result.error().to_string();
    EXPECT_EQ(sent.counts.lines, 7U);
    EXPECT_EQ(sent.counts.accepted, 4U);
    ASSERT_EQ(sent.rejected.size(), 3U);
    EXPECT_NE(sent.rejected[0].find("has 4 dimensions"), std::string::npos);
    EXPECT_NE(sent.rejected[0].find("line=2"), std::string::npos) << sent.rejected[0];
    EXPECT_NE(sent.rejected[1].find("titel"), std::string::npos) << sent.rejected[1];
    EXPECT_NE(sent.rejected[1].find("line=6"), std::string::npos) << sent.rejected[1];
    EXPECT_NE(sent.rejected[2].find("line=7"), std::string::npos) << "no item has the id 2";
    for (const std::size_t piece : {std::size_t{70}, std::size_t{7}}) {
        const Sent again = send(node, body, piece);
        ASSERT_TRUE(again.result.ok()) << again.result.error().to_string();
        EXPECT_EQ(again.counts.lines, 7U);
        EXPECT_EQ(again.counts.accepted, 0U);
        EXPECT_EQ(again.rejected.size(), 3U) << "and the shard has seen the last line";
    }
    node.rest();
    EXPECT_EQ(with_vectors(node), (std::set<EntityId>{EntityId(1), EntityId(3)}));
}

}  // namespace import_lines_test
}  // namespace tidal::http
