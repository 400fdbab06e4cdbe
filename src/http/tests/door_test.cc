#include "http/door.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "http/openapi.h"
#include "raw_client.h"
#include "runtime/real_runtime.h"
#include "runtime/task.h"

namespace tidal::http {
namespace door_test {

std::vector<std::string> described_routes() {
    std::vector<std::string> names;
    const boost::json::value description = boost::json::parse(std::string(openapi_json()));
    for (const auto& [path, methods] : description.at("paths").as_object()) {
        for (const auto& [method, operation] : methods.as_object()) {
            std::string name(method);
            std::transform(name.begin(), name.end(), name.begin(),
                           [](unsigned char c) { return std::toupper(c); });
            names.push_back(name + " " + std::string(path));
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

runtime::Task<Result<void>> started(api::Database* database) {
    runtime::Completion<void> done;
    database->start(done.completer());
    Result<void> result = co_await done;
    co_return result;
}

runtime::Task<Result<void>> stopped(api::Database* database) {
    runtime::Completion<void> done;
    database->stop([completer = done.completer()]() mutable { completer({}); });
    Result<void> result = co_await done;
    co_return result;
}

TEST(Door, DescribesEveryRouteAndNoOther) {
    auto runtime = runtime::make_real_runtime({});
    ASSERT_TRUE(runtime.ok());
    api::DatabaseOptions options;
    options.ephemeral = true;
    auto database = api::Database::open(options, **runtime);
    ASSERT_TRUE(database.ok()) << database.error().to_string();
    ASSERT_TRUE(runtime::sync_wait(started(database->get())).ok());
    {
        Metrics metrics;
        Door door(**database, **runtime, metrics, {}, {"0"});
        EXPECT_EQ(door.route_names(), described_routes());
        door.stop();
    }
    ASSERT_TRUE(runtime::sync_wait(stopped(database->get())).ok());
}

/// A door over a database in memory, on a free port.
class BulkTest : public testing::Test {
protected:
    void SetUp() override {
        auto runtime = runtime::make_real_runtime({});
        ASSERT_TRUE(runtime.ok());
        runtime_ = std::move(*runtime);
        api::DatabaseOptions options;
        options.ephemeral = true;
        auto database = api::Database::open(options, *runtime_);
        ASSERT_TRUE(database.ok()) << database.error().to_string();
        database_ = std::move(*database);
        ASSERT_TRUE(runtime::sync_wait(started(database_.get())).ok());
        door_.emplace(*database_, *runtime_, metrics_, Logger(), DoorOptions{"0"});
        ServerOptions listening;
        listening.listen = "127.0.0.1:0";
        auto server = Server::start(listening, *runtime_, *door_);
        ASSERT_TRUE(server.ok()) << server.error().to_string();
        server_ = std::move(*server);
    }
    void TearDown() override {
        server_->stop(0);
        door_->stop();
        ASSERT_TRUE(runtime::sync_wait(stopped(database_.get())).ok());
    }
    static std::string head(const std::string& length, const std::string& path = "/items") {
        return "POST " + path +
               " HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
               "application/x-ndjson\r\n" +
               length + "\r\n\r\n";
    }
    static std::string post(const std::string& lines, const std::string& path = "/items") {
        return head("Content-Length: " + std::to_string(lines.size()), path) + lines;
    }
    /// Cuts the connection when the first of many lines are written, most of them yet to be.
    void cut_while_written(const std::string& path) {
        constexpr std::uint64_t kLines = 3'000;
        std::string lines;
        for (std::uint64_t id = 1; id <= kLines; ++id)
            lines += "{\"entity_id\":" + std::to_string(id) + "}\n";
        RawClient client(server_->port());
        ASSERT_TRUE(client.send(post(lines, path)));
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (database_->stats().items == 0 && std::chrono::steady_clock::now() < until)
            std::this_thread::yield();
        server_->stop(0);
        EXPECT_GT(database_->stats().items, 0U);
    }

    std::unique_ptr<runtime::Runtime> runtime_;
    std::unique_ptr<api::Database> database_;
    Metrics metrics_;
    std::optional<Door> door_;
    std::unique_ptr<Server> server_;
};

TEST_F(BulkTest, ThatCameWholeIsOneBatchAndOneReply) {
    RawClient client(server_->port());
    // The last line, which has no end, is of the batch.
    for (int again = 0; again < 2; ++again) {
        client.send(post("{\"entity_id\":1}\nno JSON\n{\"entity_id\":3}"));
        const RawReply reply = client.read_reply();
        EXPECT_EQ(reply.status, 200);
        EXPECT_TRUE(reply.headers.contains("Content-Length"));
        EXPECT_EQ(reply.headers.at("Content-Type"), "application/x-ndjson");
        EXPECT_EQ(std::count(reply.body.begin(), reply.body.end(), '\n'), 4) << reply.body;
        EXPECT_NE(reply.body.find("\"line\":2"), std::string::npos) << reply.body;
        EXPECT_TRUE(reply.body.ends_with("{\"accepted\":2,\"rejected\":1}\n")) << reply.body;
    }
}

TEST_F(BulkTest, WithoutALineIsAnsweredBySums) {
    RawClient client(server_->port());
    client.send(post(""));
    EXPECT_EQ(client.read_reply().body, "{\"accepted\":0,\"rejected\":0}\n");
}

TEST_F(BulkTest, ThatComesInPiecesIsAnsweredPieceByPiece) {
    RawClient client(server_->port());
    const std::string first = "{\"entity_id\":1}\n{\"enti", rest = "ty_id\":2}\n{\"entity_id\":3}";
    client.send(head("Content-Length: " + std::to_string(first.size() + rest.size())) + first);
    client.read_through("\r\n\r\n");
    std::string answers = client.read_chunk();
    EXPECT_EQ(std::count(answers.begin(), answers.end(), '\n'), 1) << answers;
    client.send(rest);
    answers = client.read_chunk();
    EXPECT_EQ(std::count(answers.begin(), answers.end(), '\n'), 3) << answers;
    EXPECT_TRUE(answers.ends_with("{\"accepted\":3,\"rejected\":0}\n")) << answers;
    EXPECT_EQ(client.read_chunk(), "");
}

TEST_F(BulkTest, BrokenOffIsAnsweredAsFarAsItCame) {
    RawClient client(server_->port());
    client.send(head("Content-Length: 1000") + "{\"entity_id\":1}\n");
    client.read_through("\r\n\r\n");
    EXPECT_NE(client.read_chunk(), "");
    client.shut_sending();
    const std::string end = client.read_chunk();
    EXPECT_TRUE(end.ends_with("{\"accepted\":1,\"rejected\":0}\n")) << end;
}

TEST_F(BulkTest, MayLoseItsConnectionWhileItIsWritten) {
    cut_while_written("/items");
}

/// The database, which is stopped right behind, ends what is under way with an error of its own.
TEST_F(BulkTest, AnImportMayLoseItsConnectionWhileItIsWritten) {
    cut_while_written("/import?id=cut");
}

}  // namespace door_test
}  // namespace tidal::http
