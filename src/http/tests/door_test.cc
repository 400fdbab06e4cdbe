#include "http/door.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>

#include "http/openapi.h"
#include "raw_client.h"
#include "runtime/real_runtime.h"
#include "runtime/task.h"

namespace tidal::http {
namespace {

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

TEST(Door, ABulkThatCameWholeIsOneBatch) {
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
        ServerOptions listening;
        listening.listen = "127.0.0.1:0";
        auto server = Server::start(listening, **runtime, door);
        ASSERT_TRUE(server.ok()) << server.error().to_string();
        RawClient client((*server)->port());
        const std::string lines = "{\"entity_id\":1}\n{\"entity_id\":2}\n{\"entity_id\":3}";
        client.send(
            "POST /items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
            "Content-Length: " +
            std::to_string(lines.size()) + "\r\n\r\n" + lines);
        client.read_through("\r\n\r\n");
        // A batch is answered by a chunk: the last line, which has no end, is in it.
        const std::string answers = client.read_chunk();
        EXPECT_EQ(std::count(answers.begin(), answers.end(), '\n'), 3) << answers;
        EXPECT_EQ(client.read_chunk(), "{\"accepted\":3,\"rejected\":0}\n");
        (*server)->stop(0);
        door.stop();
    }
    ASSERT_TRUE(runtime::sync_wait(stopped(database->get())).ok());
}

}  // namespace
}  // namespace tidal::http
