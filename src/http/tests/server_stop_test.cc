// How a server ends: nothing new, what is under way finishes, the rest is cut at the deadline.

#include "server_fixture.h"

namespace tidal::http {
namespace server_stop_test {

using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

TEST_F(ServerTest, StopClosesIdleConnectionsAtOnce) {
    start();
    RawClient used = client();
    RawClient fresh = client();
    EXPECT_EQ(used.ask(get("/hello")).status, 200);
    const auto begin = Clock::now();
    server_->stop(10'000);
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(5));
    EXPECT_TRUE(used.is_closed());
    EXPECT_TRUE(fresh.is_closed());
    EXPECT_FALSE(client().connected());
    server_->stop(10'000);  // once is enough, twice does no harm
}

TEST_F(ServerTest, StopLetsARequestUnderWayFinish) {
    start();
    RawClient c = client();
    c.send(get("/later/1") + get("/hello"));
    auto later = later_.take();
    ASSERT_TRUE(later);
    std::thread stopper([&] { server_->stop(10'000); });
    // It has begun to stop when it takes no new connections.
    const auto until = Clock::now() + std::chrono::seconds(5);
    while (client().connected() && Clock::now() < until) std::this_thread::yield();
    later->responder->send(Response::text("finished"));
    const RawReply reply = c.read_reply();
    EXPECT_EQ(reply.body, "finished");
    EXPECT_EQ(reply.headers.at("Connection"), "close");
    EXPECT_TRUE(c.is_closed()) << "the next pipelined request is not begun";
    stopper.join();
}

TEST_F(ServerTest, StopCutsAtTheDeadline) {
    start();
    RawClient waits = client();
    waits.send(get("/later/1"));
    auto later = later_.take();
    ASSERT_TRUE(later);
    RawClient uploads = client();
    uploads.send(post_chunked("/stream") + chunk("x"));
    auto held = streams_.take();
    ASSERT_TRUE(held);
    auto piece = held->sink->chunks.take();
    ASSERT_TRUE(piece);
    RawClient reads = client();
    reads.send(post_chunked("/stream"));
    auto stream = streams_.take();
    ASSERT_TRUE(stream);
    ResponseWriter writer = stream->responder->stream({200, "text/plain", {}, ""});

    const auto begin = Clock::now();
    server_->stop(100);
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(5));
    EXPECT_TRUE(waits.is_closed());
    EXPECT_EQ(held->sink->errors.take(), ErrorCode::kUnavailable);
    EXPECT_EQ(stream->sink->errors.take(), ErrorCode::kUnavailable);

    // What handlers still hold goes nowhere, and says so.
    later->responder->send(Response::text("too late"));
    (*piece->next)();
    Box<bool> done;
    writer.write("too late", [&](bool ok) { done.put(ok); });
    EXPECT_EQ(done.take(), false);
    writer.finish();
    server_.reset();
    held->responder->send(Response::text("much too late"));
}

TEST_F(ServerTest, ThePortCanBeUsedAgain) {
    start();
    const std::string address = server_->address();
    RawClient c = client();
    EXPECT_EQ(c.ask(get("/hello")).status, 200);
    server_->stop(1000);
    options_.listen = address;
    start();
    EXPECT_EQ(server_->address(), address);
    EXPECT_EQ(client().ask(get("/hello")).status, 200);
}

TEST_F(ServerTest, StopMayComeBeforeTheThreadsHaveBegun) {
    options_.io_threads = 3;
    for (int i = 0; i < 50; ++i) {
        start();
        const RawClient c = client();
        server_->stop(i % 2 == 0 ? 0 : 1000);
        server_.reset();
    }
}

TEST_F(ServerTest, StopUnderLoadLosesNoReplyHalfway) {
    options_.io_threads = 2;
    start();
    std::vector<std::thread> threads;
    std::atomic<int> bad = 0;
    std::atomic<int> good = 0;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (;;) {
                RawClient c = client();
                if (!c.connected()) return;
                for (int i = 0; i < 5; ++i) {
                    const RawReply reply = c.ask(post("/echo", "0123456789"));
                    if (reply.status == 0) break;
                    if (reply.status != 200 || reply.body != "0123456789") ++bad;
                    ++good;
                    if (reply.headers.count("Connection") != 0) break;
                }
            }
        });
    while (good < 200) std::this_thread::yield();
    server_->stop(5000);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(bad, 0);
}

}  // namespace server_stop_test
}  // namespace tidal::http
