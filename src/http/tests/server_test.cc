// Requests and replies over a real socket: order, limits, time-outs, what is refused.

#include "server_fixture.h"

namespace tidal::http {
namespace server_test {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
    start();
    RawClient c = client();
    for (int i = 0; i < 3; ++i) {
        const RawReply reply = c.ask(get("/hello"));
        EXPECT_EQ(reply.status, 200);
        EXPECT_EQ(reply.body, "hello");
        EXPECT_EQ(reply.headers.at("Content-Type"), "text/plain; charset=utf-8");
        EXPECT_THAT(reply.headers.at("X-Request-Id"), MatchesRegex("[0-9a-f]{16}"));
        EXPECT_THAT(reply.headers.at("Date"), HasSubstr(" GMT"));
        EXPECT_EQ(reply.headers.count("Connection"), 0u);
    }
    EXPECT_EQ(c.ask(post("/echo", "{\"a\":1}")).body, "{\"a\":1}");
    EXPECT_EQ(c.ask(get("/hello", "Connection: close\r\n")).headers.at("Connection"), "close");
    EXPECT_TRUE(c.is_closed());
}

TEST_F(ServerTest, SpeaksHttp10) {
    start();
    RawClient c = client();
    c.send("GET /hello HTTP/1.0\r\n\r\n");
    EXPECT_THAT(c.read_all(),
                testing::AllOf(HasSubstr("HTTP/1.0 200 OK"), HasSubstr("\r\n\r\nhello")));
}

TEST_F(ServerTest, CarriesIdsThrough) {
    start();
    RawClient c = client();
    const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const RawReply reply =
        c.ask(get("/hello", "X-Request-Id: mine-1\r\ntraceparent: " + trace + "\r\n"));
    EXPECT_EQ(reply.headers.at("X-Request-Id"), "mine-1");
    EXPECT_EQ(reply.headers.at("traceparent"), trace);
    const RawReply bad = c.ask(get("/hello", "X-Request-Id: a b\r\ntraceparent: x\r\n"));
    EXPECT_THAT(bad.headers.at("X-Request-Id"), MatchesRegex("[0-9a-f]{16}"));
    EXPECT_EQ(bad.headers.count("traceparent"), 0u);
}

TEST_F(ServerTest, PipelinedRepliesKeepTheirOrder) {
    start();
    RawClient c = client();
    c.send(get("/later/1") + get("/later/2") + get("/hello"));
    auto first = later_.take();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->id, "1");
    EXPECT_EQ(later_.size(), 0u) << "the second request waits for the first one's answer";
    std::thread other([&] { first->responder->send(Response::text("one")); });
    auto second = later_.take();
    ASSERT_TRUE(second);
    second->responder->send(Response::text("two"));
    other.join();
    EXPECT_EQ(c.read_reply().body, "one");
    EXPECT_EQ(c.read_reply().body, "two");
    EXPECT_EQ(c.read_reply().body, "hello");
}

TEST_F(ServerTest, TakesAThousandPipelinedRequests) {
    start();
    RawClient c = client();
    std::string all;
    for (int i = 0; i < 1000; ++i) all += post("/echo", std::to_string(i));
    std::thread sender([&] { c.send(all); });
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(c.read_reply().body, std::to_string(i));
    sender.join();
}

TEST_F(ServerTest, HalfARequestHarmsNobody) {
    start();
    {
        RawClient c = client();
        c.send(
            "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
            "application/json\r\nContent-Le");
    }
    {
        RawClient c = client();
        c.send(
            "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Content-Length: 100\r\n\r\nhalf");
        c.shut_sending();
        EXPECT_EQ(c.read_all(), "");
    }
    EXPECT_EQ(client().ask(get("/hello")).status, 200);
}

TEST_F(ServerTest, LateHeaderAndBodyAre408) {
    options_.limits.header_timeout_ms = options_.limits.body_timeout_ms = 100;
    start();
    RawClient header = client();
    EXPECT_EQ(header.ask("GET /hello HT").status, 408);
    EXPECT_TRUE(header.is_closed());
    RawClient body = client();
    const RawReply reply = body.ask(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 100\r\n\r\nhalf");
    EXPECT_EQ(reply.status, 408);
    EXPECT_THAT(reply.body, HasSubstr("\"code\":\"timeout\""));
    EXPECT_TRUE(body.is_closed());
}

TEST_F(ServerTest, DripFedHeaderIs408) {
    options_.limits.header_timeout_ms = 200;
    start();
    RawClient c = client();
    // The deadline is for the whole header: each byte does not renew it.
    std::thread drip([&] {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        while (std::chrono::steady_clock::now() < until && c.send("G", 20))
            std::this_thread::yield();
    });
    const int status = c.read_reply().status;
    EXPECT_TRUE(status == 408 || status == 431 || status == 400) << status;
    c.shut_sending();
    drip.join();
}

TEST_F(ServerTest, IdleConnectionsAreClosedSilently) {
    options_.limits.idle_timeout_ms = 100;
    start();
    RawClient c = client();
    EXPECT_EQ(c.ask(get("/hello")).status, 200);
    EXPECT_EQ(c.read_all(), "");
}

TEST_F(ServerTest, TooLargeIsSaidBeforeTheBodyIsSent) {
    options_.limits.body_bytes_max = 1000;
    start();
    RawClient expects = client();
    const RawReply refused = expects.ask(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Expect: 100-continue\r\nContent-Length: 100000000\r\n\r\n");
    EXPECT_EQ(refused.status, 413);
    EXPECT_EQ(refused.headers.at("Connection"), "close");

    RawClient floods = client();
    std::thread sender([&] { floods.send(post("/echo", std::string(8 << 20, 'x'))); });
    const RawReply reply = floods.read_reply();
    EXPECT_EQ(reply.status, 413);
    EXPECT_THAT(reply.body, HasSubstr("\"bytes_max\":1000"));
    sender.join();

    RawClient chunked = client();
    EXPECT_EQ(chunked.ask(post_chunked("/echo") + chunk(std::string(1001, 'x'))).status, 413);

    RawClient fits = client();
    EXPECT_EQ(fits.ask(post("/echo", std::string(1000, 'x'))).status, 200);
    EXPECT_EQ(fits.ask(post_chunked("/echo") + chunk("abc") + chunk("def") + "0\r\n\r\n").body,
              "abcdef");
    EXPECT_EQ(fits.ask(post("/echo", std::string(1001, 'x'))).status, 413);
    EXPECT_EQ(fits.ask(get("/hello")).status, 200)
        << "a small body is dropped, the connection kept";
}

TEST_F(ServerTest, LargeBodyWithinTheLimitPasses) {
    start();
    RawClient c = client();
    const std::string body(12 << 20, 'y');
    std::thread sender([&] { c.send(post("/echo", body)); });
    const RawReply reply = c.read_reply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.body == body);
    sender.join();
}

TEST_F(ServerTest, HeaderTooLargeIs431AndNonsense400) {
    start();
    RawClient large = client();
    EXPECT_EQ(large.ask(get("/hello", "X: " + std::string(20'000, 'x') + "\r\n")).status, 431);
    EXPECT_TRUE(large.is_closed());
    RawClient nonsense = client();
    const RawReply reply = nonsense.ask("HELLO\r\n\r\n");
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.headers.at("Content-Type"), "application/problem+json");
    EXPECT_THAT(reply.body, HasSubstr("\"code\":\"malformed_request\""));
    EXPECT_TRUE(nonsense.is_closed());
    RawClient tls = client();
    EXPECT_EQ(
        tls.ask(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15)).status,
        400);
    RawClient bad_chunk = client();
    EXPECT_EQ(bad_chunk.ask(post_chunked("/echo") + "xyz\r\nabc\r\n").status, 400);
}

TEST_F(ServerTest, ExpectContinueIsAnsweredFirst) {
    start();
    RawClient c = client();
    const std::string head =
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    EXPECT_EQ(c.ask(head).status, 100);
    EXPECT_EQ(c.ask("12345").body, "12345");
    EXPECT_EQ(c.ask(get("/hello")).status, 200);
}

TEST_F(ServerTest, HeadOptionsAndWrongMethods) {
    start();
    RawClient c = client();
    c.send("HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const RawReply head = c.read_reply(true);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.headers.at("Content-Length"), "5");
    const RawReply options = c.ask("OPTIONS /echo HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(options.status, 204);
    EXPECT_EQ(options.headers.at("Allow"), "POST, OPTIONS");
    EXPECT_EQ(options.headers.count("Content-Length"), 0u);
    EXPECT_EQ(c.ask(post("/hello", "{}")).status, 405);
    EXPECT_EQ(c.ask(get("/nowhere")).status, 404);
    EXPECT_EQ(c.ask(get("/hello")).status, 200);
}

TEST_F(ServerTest, ADroppedRequestIs500) {
    router_.add(Method::kGet, "/drop", [](Request, Responder) {});
    start();
    const RawReply reply = client().ask(get("/drop"));
    EXPECT_EQ(reply.status, 500);
    EXPECT_THAT(reply.body, HasSubstr("\"code\":\"internal\""));
}

TEST_F(ServerTest, WebPagesOfOthersAreRefused) {
    start();
    RawClient c = client();
    EXPECT_EQ(c.ask("GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 403);
    EXPECT_EQ(c.ask(get("/hello", "Origin: https://evil.example\r\n")).status, 403);
    EXPECT_EQ(c.ask("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
                    "Content-Length: 2\r\n\r\n{}")
                  .status,
              415);
    EXPECT_EQ(c.ask("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}").status,
              415);
    EXPECT_EQ(c.ask(get("/hello")).status, 200);
}

TEST_F(ServerTest, AuthenticationTurnsTheGuardOff) {
    options_.authenticated = true;
    start();
    RawClient c = client();
    EXPECT_EQ(c.ask("GET /hello HTTP/1.1\r\nHost: db.example\r\n\r\n").status, 200);
    EXPECT_EQ(
        c.ask("POST /echo HTTP/1.1\r\nHost: db.example\r\nContent-Length: 2\r\n\r\n{}").status,
        200);
}

TEST_F(ServerTest, ServesManyConnectionsAtOnce) {
    options_.io_threads = 3;
    start();
    std::vector<RawClient> clients;
    for (int i = 0; i < 300; ++i) clients.push_back(client());
    for (int round = 0; round < 3; ++round) {
        for (RawClient& c : clients) c.send(get("/hello"));
        for (RawClient& c : clients) ASSERT_EQ(c.read_reply().status, 200);
    }
    EXPECT_THAT(metrics_.text(), HasSubstr("tidal_http_connections_count 300"));
}

TEST_F(ServerTest, RefusesConnectionsAboveTheMaximum) {
    options_.limits.connections_max = 2;
    start();
    RawClient a = client();
    RawClient b = client();
    EXPECT_EQ(a.ask(get("/hello")).status, 200);
    EXPECT_EQ(b.ask(get("/hello")).status, 200);
    EXPECT_EQ(client().read_reply().status, 503);
    a.close();
    // Its place is free once the server has seen it go.
    int status = 0;
    for (int i = 0; i < 1000 && status != 200; ++i) status = client().ask(get("/hello")).status;
    EXPECT_EQ(status, 200);
}

TEST_F(ServerTest, SaysWhyItCannotListen) {
    start();
    ServerOptions second = options_;
    const auto refused = [&](const std::string& listen) {
        second.listen = listen;
        auto server = Server::start(second, *runtime_, router_);
        return server ? ErrorCode::kInternal : server.error().code();
    };
    EXPECT_EQ(refused(server_->address()), ErrorCode::kConflict);
    EXPECT_EQ(refused("0.0.0.0:0"), ErrorCode::kInvalidArgument);
    EXPECT_EQ(refused("192.0.2.1:0"), ErrorCode::kInvalidArgument);
    EXPECT_EQ(refused("nowhere"), ErrorCode::kInvalidArgument);
    second.insecure = true;
    EXPECT_EQ(refused("192.0.2.1:0"), ErrorCode::kInvalidArgument) << "no interface has it";
    second.listen = "0.0.0.0:0";
    auto open = Server::start(second, *runtime_, router_);
    ASSERT_TRUE(open) << open.error().to_string();
    EXPECT_EQ(RawClient((*open)->port()).ask(get("/hello")).status, 200);
}

}  // namespace server_test
}  // namespace tidal::http
