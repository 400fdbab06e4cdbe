// Bodies that come and go piece by piece, in both directions at once.

#include <atomic>
#include <future>

#include "server_fixture.h"

namespace tidal::http {
namespace server_stream_test {

using ::testing::HasSubstr;

TEST_F(ServerTest, AStreamedBodyArrivesInOrder) {
    start();
    RawClient c = client();
    std::string sent;
    for (int i = 0; i < 20'000; ++i) sent += "{\"line\":" + std::to_string(i) + "}\n";
    std::thread sender([&] {
        c.send(post_chunked("/stream"));
        for (std::size_t at = 0; at < sent.size(); at += 10'007)
            c.send(chunk(sent.substr(at, 10'007)));
        c.send("0\r\n\r\n");
    });
    auto stream = streams_.take();
    ASSERT_TRUE(stream);
    std::string received;
    while (received.size() < sent.size()) {
        auto piece = stream->sink->chunks.take();
        ASSERT_TRUE(piece);
        EXPECT_LE(piece->bytes.size(), 64u * 1024);
        received += piece->bytes;
        (*piece->next)();
    }
    EXPECT_TRUE(stream->sink->ended.take());
    EXPECT_TRUE(received == sent);
    stream->responder->send(Response::text("done"));
    EXPECT_EQ(c.read_reply().body, "done");
    sender.join();
    EXPECT_EQ(c.ask(get("/hello")).status, 200);
}

TEST_F(ServerTest, AStreamedBodyIsNotReadFasterThanItIsTaken) {
    start();
    RawClient c = client();
    c.send(
        "POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
        "Content-Length: 1000000000\r\n\r\n");
    const std::string megabyte(1 << 20, 'x');
    std::size_t sent = 0;
    // Socket buffers take some; then the client has to wait, because the sink asks for no more.
    while (sent < (64u << 20)) {
        const std::size_t now = c.send_some(megabyte, 300);
        sent += now;
        if (now < megabyte.size()) break;
    }
    EXPECT_LT(sent, 64u << 20);
    auto stream = streams_.take();
    ASSERT_TRUE(stream);
    EXPECT_EQ(stream->sink->chunks.size(), 1u);
}

TEST_F(ServerTest, WhatHasComeOfAStreamedBodyIsOnePiece) {
    const auto held = std::make_shared<Box<bool>>(), go = std::make_shared<Box<bool>>();
    router_.add(Method::kGet, "/hold", [held, go](Request, Responder r) {
        held->put(true);
        go->take();  // keeps the server's one thread from reading
        r.send(Response::text("held"));
    });
    start();
    RawClient other = client(), c = client();
    other.send(get("/hold"));
    ASSERT_TRUE(held->take());
    std::string body;
    for (int i = 0; i < 1000; ++i) body += "{\"line\":" + std::to_string(i) + "}\n";
    ASSERT_GT(body.size(), 3u * 4096) << "more than is read with a head";
    ASSERT_TRUE(
        c.send("POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
               "Content-Length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body));
    go->put(true);
    auto stream = streams_.take();
    ASSERT_TRUE(stream);
    auto piece = stream->sink->chunks.take();
    ASSERT_TRUE(piece);
    EXPECT_EQ(piece->bytes.size(), body.size());
    EXPECT_TRUE(piece->bytes == body);
    EXPECT_TRUE(piece->next->is_last());
    (*piece->next)();
    EXPECT_TRUE(stream->sink->ended.take());
    stream->responder->send(Response::text("done"));
    EXPECT_EQ(c.read_reply().body, "done");
}

/// Takes whatever comes, at once.
struct HungrySink final : BodySink {
    explicit HungrySink(Responder r) : responder(std::move(r)) {}
    void on_chunk(std::string bytes, ReadNext next) override {
        const bool had_much = taken > kMuch;
        taken += bytes.size();
        if (!had_much && taken > kMuch) much.put(true);
        next();
    }
    void on_end() override {}
    void on_error(const Error& /*error*/) override {}

    static constexpr std::size_t kMuch = 1 << 20;
    Responder responder;
    std::size_t taken = 0;
    Box<bool> much;
};

TEST_F(ServerTest, ABodyThatNeverPausesLeavesOthersTheirTurn) {
    const auto sinks = std::make_shared<Box<std::shared_ptr<HungrySink>>>();
    router_.add_stream(Method::kPost, "/hungry", [sinks](Request, Responder r) {
        auto sink = std::make_shared<HungrySink>(std::move(r));
        sinks->put(sink);
        return sink;
    });
    start();
    RawClient other = client();
    std::atomic<bool> stop{false};
    std::thread sender([&] {
        RawClient c = client();
        c.send(
            "POST /hungry HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
            "Content-Length: 1000000000000\r\n\r\n");
        const std::string megabyte(1 << 20, 'x');
        while (!stop) c.send_some(megabyte, 300);
    });
    const auto sink = sinks->take();
    const bool flows = sink && (*sink)->much.take();
    EXPECT_TRUE(flows);
    for (int i = 0; i < 20 && flows; ++i) EXPECT_EQ(other.ask(get("/hello")).status, 200);
    stop = true;
    sender.join();
}

TEST_F(ServerTest, APieceDoesNotWaitForTheRestOfItsBody) {
    start();
    RawClient c = client();
    c.send(
        "POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
        "Content-Length: 12\r\n\r\nfirst\n");
    auto stream = streams_.take();
    ASSERT_TRUE(stream);
    auto piece = stream->sink->chunks.take();
    ASSERT_TRUE(piece) << "the client may want an answer before it sends more";
    EXPECT_EQ(piece->bytes, "first\n");
    EXPECT_FALSE(piece->next->is_last());
    c.send("secon\n");
    (*piece->next)();
    piece = stream->sink->chunks.take();
    ASSERT_TRUE(piece);
    EXPECT_EQ(piece->bytes, "secon\n");
    EXPECT_TRUE(piece->next->is_last());
    (*piece->next)();
    EXPECT_TRUE(stream->sink->ended.take());
    stream->responder->send(Response::text("done"));
    EXPECT_EQ(c.read_reply().body, "done");
}

TEST_F(ServerTest, WhatCameBeforeABadChunkReachesTheSink) {
    start();
    RawClient c = client();
    c.send(post_chunked("/stream") + chunk("good\n") + chunk("better\n") + "nonsense\r\n");
    auto stream = streams_.take();
    ASSERT_TRUE(stream);
    std::string received;
    while (received.size() < 12) {
        auto piece = stream->sink->chunks.take();
        ASSERT_TRUE(piece) << received;
        EXPECT_FALSE(piece->next->is_last());
        received += piece->bytes;
        (*piece->next)();
    }
    EXPECT_EQ(received, "good\nbetter\n");
    EXPECT_EQ(stream->sink->errors.take(), ErrorCode::kInvalidArgument);
    stream->responder->fail(Error(ErrorCode::kInvalidArgument, "cut short"));
    EXPECT_EQ(c.read_reply().status, 400);
    EXPECT_TRUE(c.is_closed());
}

TEST_F(ServerTest, AReplyMayStreamWhileTheRequestIsStillRead) {
    start();
    RawClient c = client();
    c.send(post_chunked("/stream"));
    auto stream = streams_.take();
    ASSERT_TRUE(stream);
    ResponseWriter writer = stream->responder->stream({200, "application/x-ndjson", {}, ""});
    EXPECT_THAT(c.read_through("\r\n\r\n"), HasSubstr("Transfer-Encoding: chunked"));
    for (int i = 0; i < 100; ++i) {
        const std::string line = std::to_string(i) + "\n";
        c.send(chunk(line));
        auto piece = stream->sink->chunks.take();
        ASSERT_TRUE(piece);
        EXPECT_EQ(piece->bytes, line);
        writer.write("ok " + line);
        EXPECT_EQ(c.read_chunk(), "ok " + line);
        (*piece->next)();
    }
    c.send("0\r\n\r\n");
    EXPECT_TRUE(stream->sink->ended.take());
    writer.write("{\"accepted\":100}\n");
    writer.finish();
    EXPECT_EQ(c.read_chunk(), "{\"accepted\":100}\n");
    EXPECT_EQ(c.read_chunk(), "");
    EXPECT_EQ(c.ask(get("/hello")).status, 200) << "the connection is kept";
}

TEST_F(ServerTest, ABadChunkReachesTheSink) {
    start();
    RawClient c = client();
    c.send(post_chunked("/stream") + chunk("good\n"));
    auto stream = streams_.take();
    ASSERT_TRUE(stream);
    auto piece = stream->sink->chunks.take();
    ASSERT_TRUE(piece);
    c.send("nonsense\r\n");
    (*piece->next)();
    EXPECT_EQ(stream->sink->errors.take(), ErrorCode::kInvalidArgument);
    stream->responder->fail(Error(ErrorCode::kInvalidArgument, "cut short"));
    EXPECT_EQ(c.read_reply().status, 400);
    EXPECT_TRUE(c.is_closed());
}

TEST_F(ServerTest, AClientThatGoesOrStallsReachesTheSink) {
    options_.limits.body_timeout_ms = 100;
    start();
    RawClient gone = client();
    gone.send(post_chunked("/stream"));
    auto stream = streams_.take();
    ASSERT_TRUE(stream);
    gone.close();
    EXPECT_EQ(stream->sink->errors.take(), ErrorCode::kUnavailable);

    RawClient stalls = client();
    stalls.send(post_chunked("/stream"));
    stream = streams_.take();
    ASSERT_TRUE(stream);
    EXPECT_EQ(stream->sink->errors.take(), ErrorCode::kTimeout);
    stream->responder->fail(Error(ErrorCode::kTimeout, "stalled"));
    EXPECT_EQ(stalls.read_reply().status, 504);
    EXPECT_TRUE(stalls.is_closed());
}

TEST_F(ServerTest, ASinkMayWantNoMore) {
    start();
    RawClient c = client();
    c.send(post_chunked("/stream") + chunk("first\n"));
    auto stream = streams_.take();
    ASSERT_TRUE(stream);
    stream->sink->chunks.take();  // dropped, and its ReadNext with it
    stream->responder->fail(Error(ErrorCode::kOverloaded, "no room"));
    const RawReply reply = c.read_reply();
    EXPECT_EQ(reply.status, 429);
    EXPECT_EQ(reply.headers.at("Retry-After"), "1");
    EXPECT_TRUE(c.is_closed());
}

TEST_F(ServerTest, AnAnswerBeforeTheBodyEndsTheConnectionInTime) {
    start();
    RawClient c = client();
    c.send(post_chunked("/stream"));
    auto stream = streams_.take();
    ASSERT_TRUE(stream);
    stream->responder->fail(Error(ErrorCode::kForbidden, "not for you"));
    EXPECT_EQ(c.read_reply().status, 403);
    EXPECT_TRUE(c.is_closed()) << "though the client sends nothing more";
}

TEST_F(ServerTest, ExpectContinueWorksForStreams) {
    start();
    RawClient c = client();
    const RawReply go = c.ask(
        "POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
        "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
    EXPECT_EQ(go.status, 100);
    c.send("0\r\n\r\n");
    auto stream = streams_.take();
    ASSERT_TRUE(stream);
    EXPECT_TRUE(stream->sink->ended.take());
    stream->responder->send(Response::text("empty"));
    EXPECT_EQ(c.read_reply().body, "empty");
}

TEST_F(ServerTest, AStreamedReplyWaitsForASlowReader) {
    start();
    RawClient c = client();
    c.send(get("/later/1"));
    auto later = later_.take();
    ASSERT_TRUE(later);
    ResponseWriter writer = later->responder->stream({200, "text/plain", {}, ""});
    const std::string piece(1 << 20, 'z');
    Box<bool> done;
    std::size_t written = 0;
    while (written < 64) {
        writer.write(piece, [&](bool ok) { done.put(ok); });
        ++written;
        // Socket buffers are full: the last one is not done until the client reads.
        const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
        while (done.size() < written && std::chrono::steady_clock::now() < until)
            std::this_thread::yield();
        if (done.size() < written) break;
    }
    EXPECT_LT(written, 64u);
    writer.finish();
    const RawReply reply = c.read_reply();
    EXPECT_EQ(reply.body.size(), written * piece.size());
    for (std::size_t i = 0; i < written; ++i) EXPECT_EQ(done.take(), true);
}

TEST_F(ServerTest, AClientThatDoesNotReadHoldsNobodyUp) {
    start();
    RawClient c = client();
    c.send(get("/later/1"));
    auto later = later_.take();
    ASSERT_TRUE(later);
    Box<bool> done;
    ResponseWriter writer = later->responder->stream({200, "text/plain", {}, ""});
    // So small that the socket takes a piece whole or not at all.
    const std::string piece(4096, 'z');
    std::size_t written = 0;
    do {
        writer.write(piece, [&](bool ok) { done.put(ok); });
        ++written;
        const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
        while (done.size() < written && std::chrono::steady_clock::now() < until)
            std::this_thread::yield();
    } while (done.size() == written && written < 100'000);
    EXPECT_LT(done.size(), written) << "its buffers are full";
    EXPECT_EQ(client().ask(get("/hello")).status, 200);
    c.close();
    for (std::size_t i = 0; i < written; ++i) EXPECT_TRUE(done.take());
}

TEST_F(ServerTest, ALargeReplyToALoneRequestWaitsForASlowReader) {
    start();
    RawClient c = client();
    c.send(get("/later/1"));
    auto later = later_.take();
    ASSERT_TRUE(later);
    const std::string large(32 << 20, 'z');  // More than the buffers of sockets take.
    later->responder->send(Response::text(large));
    EXPECT_EQ(client().ask(get("/hello")).body, "hello") << "others are served";
    c.send(get("/hello"));
    EXPECT_TRUE(c.read_reply().body == large);
    EXPECT_EQ(c.read_reply().body, "hello");
}

TEST_F(ServerTest, AWriterHearsThatTheClientIsGone) {
    start();
    std::optional<ResponseWriter> writer;
    {
        RawClient c = client();
        c.send(get("/later/1"));
        auto later = later_.take();
        ASSERT_TRUE(later);
        writer.emplace(later->responder->stream({200, "text/plain", {}, ""}));
        EXPECT_THAT(c.read_through("\r\n\r\n"), HasSubstr("200 OK"));
    }
    Box<bool> done;
    bool ok = true;
    for (int i = 0; i < 1000 && ok; ++i) {
        writer->write(std::string(1 << 16, 'z'), [&](bool sent) { done.put(sent); });
        ok = done.take().value_or(false);
    }
    EXPECT_FALSE(ok);
    writer->finish();
}

TEST_F(ServerTest, AnUnfinishedReplyIsCut) {
    start();
    RawClient c = client();
    c.send(get("/later/1"));
    auto later = later_.take();
    ASSERT_TRUE(later);
    {
        ResponseWriter writer = later->responder->stream({200, "text/plain", {}, ""});
        std::promise<bool> sent;  // bytes still queued are cut off with the connection
        writer.write("part", [&](bool alive) { sent.set_value(alive); });
        ASSERT_TRUE(sent.get_future().get());
    }
    const std::string all = c.read_all();
    // Nothing after the piece: the chunk of length 0 that ends a whole reply is missing.
    EXPECT_THAT(all, testing::EndsWith("\r\n\r\n4\r\npart\r\n"));
}

TEST_F(ServerTest, Http10ReadsAStreamToTheEndOfTheConnection) {
    start();
    RawClient c = client();
    c.send("GET /later/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    auto later = later_.take();
    ASSERT_TRUE(later);
    ResponseWriter writer = later->responder->stream({200, "text/plain", {}, ""});
    writer.write("all ");
    writer.write("");
    writer.write("of it");
    writer.finish();
    const std::string all = c.read_all();
    EXPECT_THAT(all, HasSubstr("Connection: close"));
    EXPECT_THAT(all, testing::EndsWith("\r\n\r\nall of it"));
}

}  // namespace server_stream_test
}  // namespace tidal::http
