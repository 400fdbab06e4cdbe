// Several writes of one connection under way at once: order, bounds, and what breaks off.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "server_fixture.h"

namespace tidal::http {
namespace server_pipeline_test {

using ::testing::HasSubstr;

class PipelineTest : public ServerTest {
protected:
    PipelineTest() {
        router_.add_overlapping(Method::kPost, "/write/{id}", [this](Request request, Responder r) {
            later_.put({request.parameters.text("id"), std::make_shared<Responder>(std::move(r))});
        });
        router_.add_overlapping(Method::kPost, "/quick", [](Request request, Responder r) {
            r.send(Response::text(std::move(request.body)));
        });
        router_.add_stream(Method::kPost, "/count", [](Request, Responder r) {
            return std::make_shared<CountingSink>(std::move(r));
        });
    }

    /// Answers the number of its bytes at the end.
    class CountingSink final : public BodySink {
    public:
        explicit CountingSink(Responder responder) : responder_(std::move(responder)) {}
        void on_chunk(std::string bytes, ReadNext next) override {
            bytes_ += bytes.size();
            next();
        }
        void on_end() override { responder_.send(Response::text(std::to_string(bytes_))); }
        void on_error(const Error& error) override { responder_.fail(error); }

    private:
        Responder responder_;
        std::size_t bytes_ = 0;
    };

    static std::string write(int id, const std::string& body = "{}",
                             const std::string& headers = "") {
        return post("/write/" + std::to_string(id), body, headers);
    }
    /// The next `count` held requests, in the order they were handed over.
    std::vector<Later> take(int count) {
        std::vector<Later> taken;
        for (int i = 0; i < count; ++i) {
            auto later = later_.take();
            EXPECT_TRUE(later) << "request " << i << " was not handed over";
            if (later) taken.push_back(std::move(*later));
        }
        return taken;
    }
    static void answer(const Later& later) { later.responder->send(Response::text(later.id)); }
    /// Closed by the server when it has been idle for the limit: a clock that needs no sleep.
    void wait_for_idle_close() {
        RawClient idle = client();
        EXPECT_EQ(idle.read_all(), "");
    }
};

TEST_F(PipelineTest, WritesAreHandedOverTogetherAndAnsweredInOrder) {
    start();
    RawClient c = client();
    c.send(write(1) + write(2) + write(3));
    const auto writes = take(3);
    ASSERT_EQ(writes.size(), 3u);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(writes[i].id, std::to_string(i + 1));
    std::thread other([&] {
        answer(writes[2]);
        answer(writes[0]);
    });
    EXPECT_EQ(c.read_reply().body, "1");
    other.join();
    answer(writes[1]);
    EXPECT_EQ(c.read_reply().body, "2");
    EXPECT_EQ(c.read_reply().body, "3");
}

TEST_F(PipelineTest, WhatFollowsAWriteSeesIt) {
    start();
    RawClient c = client();
    c.send(write(1) + write(2) + get("/later/3") + write(4));
    const auto writes = take(2);
    ASSERT_EQ(writes.size(), 2u);
    answer(writes[1]);
    EXPECT_EQ(later_.size(), 0u) << "a read waits for every write before it";
    answer(writes[0]);
    const auto read = take(1);
    ASSERT_EQ(read.size(), 1u);
    EXPECT_EQ(read[0].id, "3");
    EXPECT_EQ(later_.size(), 0u) << "a write waits for the read before it";
    answer(read[0]);
    const auto last = take(1);
    ASSERT_EQ(last.size(), 1u);
    answer(last[0]);
    for (const char* body : {"1", "2", "3", "4"}) EXPECT_EQ(c.read_reply().body, body);
}

TEST_F(PipelineTest, NoMoreThanSixtyFourAtOnce) {
    start();
    RawClient c = client();
    std::string all;
    for (int i = 0; i < 100; ++i) all += write(i);
    c.send(all);
    const auto first = take(64);
    ASSERT_EQ(first.size(), 64u);
    EXPECT_EQ(later_.size(), 0u);
    for (const Later& later : first) answer(later);
    for (const Later& later : take(36)) answer(later);
    for (int i = 0; i < 100; ++i) ASSERT_EQ(c.read_reply().body, std::to_string(i));
}

TEST_F(PipelineTest, BodiesTogetherAreBounded) {
    start();
    RawClient c = client();
    const std::string body(60 * 1024, 'x');
    std::string all;
    for (int i = 0; i < 6; ++i) all += write(i, body);
    std::thread sender([&] { c.send(all); });
    const auto first = take(4);
    EXPECT_EQ(later_.size(), 0u) << "256 KiB of bodies are under way";
    for (const Later& later : first) answer(later);
    for (const Later& later : take(2)) answer(later);
    for (int i = 0; i < 6; ++i) ASSERT_EQ(c.read_reply().body, std::to_string(i));
    sender.join();
}

TEST_F(PipelineTest, LargeAndChunkedBodiesTakeTurnsAlone) {
    start();
    RawClient c = client();
    const std::string chunked =
        "POST /write/2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    std::thread sender(
        [&] { c.send(write(1) + chunked + write(3, std::string(70'000, 'x')) + write(4)); });
    for (const char* id : {"1", "2", "3", "4"}) {
        const auto one = take(1);
        ASSERT_EQ(one.size(), 1u);
        EXPECT_EQ(one[0].id, id);
        EXPECT_EQ(later_.size(), 0u);
        answer(one[0]);
        EXPECT_EQ(c.read_reply().body, id);
    }
    sender.join();
}

TEST_F(PipelineTest, AClientThatLeavesHarmsNobody) {
    start();
    std::vector<Later> writes;
    {
        RawClient c = client();
        c.send(write(1) + write(2) + write(3).substr(0, 60));
        writes = take(2);
    }
    for (const Later& later : writes) answer(later);
    EXPECT_EQ(client().ask(get("/hello")).status, 200);
}

TEST_F(PipelineTest, HalfARequestAtTheEndLeavesTheOthersAnswered) {
    start();
    for (const std::size_t cut : {std::size_t{20}, write(3, "{\"a\":1}").size() - 3}) {
        RawClient c = client();
        c.send(write(1) + write(2) + write(3, "{\"a\":1}").substr(0, cut));
        c.shut_sending();
        const auto writes = take(2);
        ASSERT_EQ(writes.size(), 2u);
        answer(writes[1]);
        answer(writes[0]);
        EXPECT_EQ(c.read_reply().body, "1");
        EXPECT_EQ(c.read_reply().body, "2");
        EXPECT_EQ(c.read_all(), "");
    }
}

TEST_F(PipelineTest, NonsenseIsAnsweredAfterWhatCameBefore) {
    options_.limits.header_timeout_ms = options_.limits.body_timeout_ms = 100;
    start();
    const std::pair<std::string, int> ends[] = {
        {"NONSENSE\r\n\r\n", 400},
        {get("/hello", "X: " + std::string(17'000, 'x') + "\r\n"), 431},
        {"GET /hello HT", 408},
        {write(3, "{\"a\":1}").substr(0, write(3, "{\"a\":1}").size() - 3), 408},
        {"POST /quick HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
         "Content-Length: 99999999\r\n\r\n",
         413}};
    for (const auto& [end, status] : ends) {
        RawClient c = client();
        c.send(write(1) + write(2) + end);
        const auto writes = take(2);
        ASSERT_EQ(writes.size(), 2u);
        answer(writes[1]);
        answer(writes[0]);
        EXPECT_EQ(c.read_reply().body, "1");
        EXPECT_EQ(c.read_reply().body, "2");
        const RawReply last = c.read_reply();
        EXPECT_EQ(last.status, status);
        EXPECT_EQ(last.headers.at("Connection"), "close");
        EXPECT_EQ(c.read_all(), "");
    }
}

TEST_F(PipelineTest, NothingBehindConnectionCloseIsBegun) {
    start();
    RawClient c = client();
    c.send(write(1) + write(2, "{}", "Connection: close\r\n") + write(3));
    const auto writes = take(2);
    ASSERT_EQ(writes.size(), 2u);
    answer(writes[1]);
    answer(writes[0]);
    EXPECT_EQ(c.read_reply().headers.count("Connection"), 0u);
    EXPECT_EQ(c.read_reply().headers.at("Connection"), "close");
    EXPECT_EQ(c.read_all(), "");
    EXPECT_EQ(later_.size(), 0u);
}

TEST_F(PipelineTest, ASlowReaderHoldsNoMoreThanItsTurns) {
    start();
    RawClient c = client();
    constexpr int kCount = 300;
    std::string all;
    for (int i = 0; i < kCount; ++i) all += write(i);
    std::thread sender([&] { c.send(all); });
    const std::string large(256 * 1024, 'x');
    int answered = 0;
    for (; answered < 64; ++answered)
        take(1)[0].responder->send(Response::text(std::to_string(answered) + large));
    // Whatever the socket took: what waits is bounded, so some are not handed over before we read.
    std::thread handler([&] {
        for (; answered < kCount; ++answered)
            take(1)[0].responder->send(Response::text(std::to_string(answered) + large));
    });
    for (int i = 0; i < kCount; ++i) ASSERT_EQ(c.read_reply().body, std::to_string(i) + large);
    handler.join();
    sender.join();
}

TEST_F(PipelineTest, WritesUnderWayAreNotIdleness) {
    options_.limits.idle_timeout_ms = 50;
    start();
    RawClient c = client();
    c.send(write(1) + write(2));
    const auto writes = take(2);
    ASSERT_EQ(writes.size(), 2u);
    answer(writes[0]);
    for (int i = 0; i < 3; ++i) wait_for_idle_close();
    answer(writes[1]);
    EXPECT_EQ(c.read_reply().body, "1");
    EXPECT_EQ(c.read_reply().body, "2");
    EXPECT_EQ(c.read_all(), "") << "idle from here on";
}

TEST_F(PipelineTest, StopLetsAllOfThemFinish) {
    start();
    RawClient c = client();
    c.send(write(1) + write(2) + get("/hello"));
    const auto writes = take(2);
    ASSERT_EQ(writes.size(), 2u);
    std::thread stopper([&] { server_->stop(10'000); });
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (client().connected() && std::chrono::steady_clock::now() < until)
        std::this_thread::yield();
    for (const Later& later : writes) answer(later);
    const RawReply first = c.read_reply();
    EXPECT_EQ(first.body, "1");
    EXPECT_EQ(first.headers.count("Connection"), 0u) << "another reply follows";
    const RawReply second = c.read_reply();
    EXPECT_EQ(second.body, "2");
    EXPECT_EQ(second.headers.at("Connection"), "close");
    EXPECT_EQ(c.read_all(), "");
    stopper.join();
}

TEST_F(PipelineTest, DroppedWritesAre500InTheirPlace) {
    start();
    RawClient c = client();
    c.send(write(1) + write(2) + write(3));
    auto writes = take(3);
    ASSERT_EQ(writes.size(), 3u);
    answer(writes[0]);
    writes[1].responder.reset();
    answer(writes[2]);
    EXPECT_EQ(c.read_reply().body, "1");
    EXPECT_EQ(c.read_reply().status, 500);
    EXPECT_EQ(c.read_reply().body, "3");
}

/// Writes, reads, streams and refusals, as one client might mix them; their replies.
struct Mixture {
    std::string bytes;
    std::vector<std::string> bodies;
    std::vector<std::size_t> ends;  ///< Where each request ends.
};

class MixtureTest : public PipelineTest {
protected:
    void add(Mixture* mixture, const std::string& bytes, std::string body) {
        mixture->bytes += bytes;
        mixture->bodies.push_back(std::move(body));
        mixture->ends.push_back(mixture->bytes.size());
    }
    Mixture mixture() {
        Mixture out;
        add(&out, post("/quick", "a"), "a");
        add(&out, post("/quick", "bb"), "bb");
        add(&out, get("/hello"), "hello");
        add(&out, post("/quick", "ccc"), "ccc");
        add(&out, post("/echo", "dddd"), "dddd");
        add(&out, post_chunked("/count") + chunk("12345") + chunk("678") + "0\r\n\r\n", "8");
        add(&out, post("/quick", ""), "");
        add(&out, post("/quick", "e"), "e");
        return out;
    }
};

TEST_F(MixtureTest, RepliesDoNotDependOnHowBytesAreCut) {
    start();
    const Mixture all = mixture();
    EXPECT_TRUE(rc::check([&] {
        const auto cuts =
            *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 120));
        RawClient c = client();
        std::size_t at = 0;
        for (const std::size_t size : cuts) {
            if (at == all.bytes.size()) break;
            const std::string piece = all.bytes.substr(at, size);
            RC_ASSERT(c.send(piece));
            at += piece.size();
        }
        if (at < all.bytes.size()) RC_ASSERT(c.send(all.bytes.substr(at)));
        for (const std::string& body : all.bodies) RC_ASSERT(c.read_reply().body == body);
    }));
}

TEST_F(MixtureTest, BrokenOffAnywhereAllWholeRequestsAreAnswered) {
    start();
    const Mixture all = mixture();
    for (std::size_t size = 0; size <= all.bytes.size(); ++size) {
        RawClient c = client();
        ASSERT_TRUE(c.send(all.bytes.substr(0, size)));
        c.shut_sending();
        std::size_t whole = 0;
        while (whole < all.ends.size() && all.ends[whole] <= size) ++whole;
        for (std::size_t i = 0; i < whole; ++i)
            ASSERT_EQ(c.read_reply().body, all.bodies[i]) << "cut at byte " << size;
        // Of a stream that broke off its sink says why; of any other half request, nothing.
        const RawReply half = c.read_reply();
        ASSERT_TRUE(half.status == 0 || half.status == 503) << half.status << ", cut at " << size;
        ASSERT_EQ(c.read_all(), "");
    }
}

}  // namespace server_pipeline_test
}  // namespace tidal::http
