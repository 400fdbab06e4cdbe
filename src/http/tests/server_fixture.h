// A server on a free port with routes of a test's own.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "http/http_server.h"
#include "http/problem.h"
#include "http/router.h"
#include "raw_client.h"
#include "runtime/real_runtime.h"

namespace tidal::http {

/// A value handed from one thread to another.
template <typename T>
class Box {
public:
    void put(T value) {
        const std::lock_guard lock(mutex_);
        values_.push_back(std::move(value));
        changed_.notify_all();
    }
    /// The next one; nullopt after ten seconds without.
    std::optional<T> take() {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, std::chrono::seconds(10), [&] { return !values_.empty(); }))
            return std::nullopt;
        T value = std::move(values_.front());
        values_.erase(values_.begin());
        return value;
    }
    std::size_t size() {
        const std::lock_guard lock(mutex_);
        return values_.size();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<T> values_;
};

/// A sink that tells everything and asks for nothing by itself.
struct RecordingSink final : BodySink {
    void on_chunk(std::string bytes, ReadNext next) override {
        chunks.put({std::move(bytes), std::make_shared<ReadNext>(std::move(next))});
    }
    void on_end() override { ended.put(true); }
    void on_error(const Error& error) override { errors.put(error.code()); }

    struct Chunk {
        std::string bytes;
        std::shared_ptr<ReadNext> next;
    };
    Box<Chunk> chunks;
    Box<bool> ended;
    Box<ErrorCode> errors;
};

class ServerTest : public ::testing::Test {
protected:
    ServerTest() {
        auto runtime = runtime::make_real_runtime({});
        EXPECT_TRUE(runtime);
        runtime_ = std::move(*runtime);
        options_.listen = "127.0.0.1:0";
        router_.add(Method::kGet, "/hello",
                    [](Request, Responder r) { r.send(Response::text("hello")); });
        router_.add(Method::kPost, "/echo", [](Request request, Responder r) {
            r.send(Response::text(std::move(request.body)));
        });
        // Held until the test answers.
        router_.add(Method::kGet, "/later/{id}", [this](Request request, Responder r) {
            later_.put({request.parameters.text("id"), std::make_shared<Responder>(std::move(r))});
        });
        router_.add_stream(Method::kPost, "/stream", [this](Request, Responder r) {
            auto sink = std::make_shared<RecordingSink>();
            streams_.put({sink, std::make_shared<Responder>(std::move(r))});
            return sink;
        });
    }
    ~ServerTest() override {
        if (server_) server_->stop(0);
    }

    void start() {
        auto server = Server::start(options_, *runtime_, router_, Logger(), &metrics_);
        ASSERT_TRUE(server) << server.error().to_string();
        server_ = std::move(*server);
    }
    RawClient client() { return RawClient(server_->port()); }
    static std::string get(const std::string& path, const std::string& headers = "") {
        return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
    }
    static std::string post(const std::string& path, const std::string& body,
                            const std::string& headers = "") {
        return "POST " + path +
               " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + headers +
               "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    static std::string post_chunked(const std::string& path) {
        return "POST " + path +
               " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
               "Transfer-Encoding: chunked\r\n\r\n";
    }
    static std::string chunk(const std::string& bytes) {
        char size[20];
        std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
        return size + bytes + "\r\n";
    }

    struct Later {
        std::string id;
        std::shared_ptr<Responder> responder;
    };
    struct Stream {
        std::shared_ptr<RecordingSink> sink;
        std::shared_ptr<Responder> responder;
    };

    std::unique_ptr<runtime::Runtime> runtime_;
    Metrics metrics_;
    ServerOptions options_;
    Router router_;
    Box<Later> later_;
    Box<Stream> streams_;
    std::unique_ptr<Server> server_;
};

}  // namespace tidal::http
