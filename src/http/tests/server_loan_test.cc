// The reply to a streamed body goes out from the thread that makes it, where that is all there is
// to do.

#include "server_fixture.h"

namespace tidal::http {
namespace server_loan_test {

class LoanTest : public ServerTest {
protected:
    LoanTest() {
        router_.add(Method::kGet, "/hold", [this](Request, Responder r) {
            held_.put(true);
            go_.take();  // keeps the server's one thread from everything else
            r.send(Response::text("held"));
        });
    }

    static std::string lines(const std::string& headers = "") {
        return "POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
               "application/x-ndjson\r\n" +
               headers + "Content-Length: 5\r\n\r\nline\n";
    }
    /// Sends a body; what answers it, once the server waits for nothing but that answer.
    std::shared_ptr<Responder> begin(RawClient& c, const std::string& headers = "") {
        c.send(lines(headers));
        auto stream = streams_.take();
        if (!stream) return nullptr;
        auto piece = stream->sink->chunks.take();
        if (!piece) return nullptr;
        (*piece->next)();
        EXPECT_TRUE(stream->sink->ended.take());
        RawClient other = client();
        EXPECT_EQ(other.ask(get("/hello")).status, 200);  // by the thread that has gone on to wait
        return stream->responder;
    }
    void hold_the_thread(RawClient& other) {
        other.send(get("/hold"));
        EXPECT_TRUE(held_.take());
    }

    Box<bool> held_, go_;
};

TEST_F(LoanTest, TheReplyDoesNotWaitForTheThreadOfTheConnection) {
    start();
    RawClient c = client(), other = client();
    for (int round = 0; round < 3; ++round) {
        const auto responder = begin(c, "X-Request-Id: mine\r\n");
        ASSERT_TRUE(responder);
        hold_the_thread(other);
        responder->send(Response::text("done"));
        const RawReply reply = c.read_reply();
        EXPECT_EQ(reply.status, 200);
        EXPECT_EQ(reply.body, "done");
        EXPECT_EQ(reply.headers.at("X-Request-Id"), "mine");
        EXPECT_EQ(reply.headers.count("Date"), 1u);
        EXPECT_EQ(reply.headers.count("Connection"), 0u);
        go_.put(true);
        EXPECT_EQ(other.read_reply().body, "held");
    }
    EXPECT_EQ(c.ask(get("/hello")).status, 200);
}

TEST_F(LoanTest, WhatTheSocketDoesNotTakeFollows) {
    start();
    RawClient c = client();
    const auto responder = begin(c);
    ASSERT_TRUE(responder);
    std::string large;
    for (int i = 0; large.size() < (32u << 20); ++i) large += std::to_string(i) + " ";
    responder->send(Response::text(large));
    EXPECT_TRUE(c.read_reply().body == large);
    EXPECT_EQ(c.ask(get("/hello")).status, 200);
}

TEST_F(LoanTest, AClientThatIsGoneHarmsNobody) {
    start();
    for (int round = 0; round < 3; ++round) {
        RawClient c = client();
        const auto responder = begin(c);
        ASSERT_TRUE(responder);
        c.close();
        responder->send(Response::text(std::string(1 << 20, 'x')));
        EXPECT_EQ(client().ask(get("/hello")).status, 200);
    }
}

TEST_F(LoanTest, SeveralStreamsAreAnsweredByTheirThread) {
    start();
    RawClient a = client(), b = client();
    const auto first = begin(a);
    const auto second = begin(b);
    ASSERT_TRUE(first && second);
    second->send(Response::text("second"));
    first->send(Response::text("first"));
    EXPECT_EQ(a.read_reply().body, "first");
    EXPECT_EQ(b.read_reply().body, "second");
    EXPECT_EQ(a.ask(get("/hello")).status, 200);
    EXPECT_EQ(b.ask(get("/hello")).status, 200);
}

TEST_F(LoanTest, AServerThatStopsTakesTheSocketBack) {
    start();
    RawClient c = client();
    const auto responder = begin(c);
    ASSERT_TRUE(responder);
    std::thread stopper([&] { server_->stop(10'000); });
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (client().connected() && std::chrono::steady_clock::now() < until)
        std::this_thread::yield();
    responder->send(Response::text("finished"));
    const RawReply reply = c.read_reply();
    EXPECT_EQ(reply.body, "finished");
    EXPECT_TRUE(c.is_closed());
    stopper.join();
}

TEST_F(LoanTest, AReplyAfterTheEndOfTheServerGoesNowhere) {
    start();
    RawClient c = client();
    const auto responder = begin(c);
    ASSERT_TRUE(responder);
    server_->stop(0);
    EXPECT_TRUE(c.is_closed());
    responder->send(Response::text("too late"));
}

}  // namespace server_loan_test
}  // namespace tidal::http
