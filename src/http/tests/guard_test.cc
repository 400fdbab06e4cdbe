// Which addresses are loopback, and which requests a web page could have sent.

#include "http/internal/guard.h"

#include <gtest/gtest.h>

namespace tidal::http {
namespace guard_test {

TEST(LoopbackAuthority, NamesThisMachineOnly) {
    for (const char* good : {"localhost", "LOCALHOST:9500", "127.0.0.1", "127.0.0.1:80",
                             "127.8.9.1", "[::1]", "[::1]:9500"})
        EXPECT_TRUE(is_loopback_authority(good)) << good;
    for (const char* bad : {"", "example.com", "localhost.example.com", "127.0.0.1.example.com",
                            "127.0.0.1:80:80", "127.0.0.1:x", "128.0.0.1", "10.0.0.1", "[::2]",
                            "[::1", "::1", "127.1", "localhost:", "0.0.0.0", "evil@localhost"})
        EXPECT_FALSE(is_loopback_authority(bad)) << bad;
}

TEST(ListenAddress, IsAddressAndPort) {
    const auto v4 = parse_listen_address("127.0.0.1:9500");
    ASSERT_TRUE(v4);
    EXPECT_EQ(v4->port, 9500);
    EXPECT_TRUE(v4->is_loopback);
    EXPECT_EQ(parse_listen_address("localhost:0")->host, "127.0.0.1");
    EXPECT_TRUE(parse_listen_address("[::1]:1")->is_loopback);
    EXPECT_TRUE(parse_listen_address("[::1]:1")->is_ipv6);
    EXPECT_FALSE(parse_listen_address("0.0.0.0:1")->is_loopback);
    EXPECT_FALSE(parse_listen_address("[::]:1")->is_loopback);
    for (const char* bad :
         {"", "9500", ":9500", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
          "example.com:80", "::1:80", "[127.0.0.1]:80", "127.0.0.1:9500 "}) {
        const auto address = parse_listen_address(bad);
        ASSERT_FALSE(address) << bad;
        EXPECT_FALSE(address.error().hint().empty());
    }
}

struct Case {
    const char* name;
    Method method;
    const char* host;
    const char* origin;
    const char* type;
    bool has_body;
    int status;  ///< 0 = let through.
};

class Guard : public ::testing::TestWithParam<Case> {};

TEST_P(Guard, LetsProgramsIn) {
    const Case& c = GetParam();
    Request request;
    request.method = c.method;
    request.headers.add("Host", c.host);
    if (*c.origin != 0) request.headers.add("Origin", c.origin);
    if (*c.type != 0) request.headers.add("Content-Type", c.type);
    const auto refused = check_loopback_guard(request, c.has_body);
    EXPECT_EQ(refused ? error_info(refused->code()).http_status : 0, c.status);
}

INSTANTIATE_TEST_SUITE_P(
    Loopback, Guard,
    ::testing::Values(
        Case{"Get", Method::kGet, "localhost:9500", "", "", false, 0},
        Case{"Json", Method::kPost, "127.0.0.1:9500", "", "application/json; charset=utf-8", true,
             0},
        Case{"OwnPage", Method::kPost, "localhost:9500", "http://localhost:9500",
             "application/json", true, 0},
        Case{"NoBody", Method::kPost, "localhost", "", "", false, 0},
        Case{"Delete", Method::kDelete, "localhost", "", "", false, 0},
        Case{"Ndjson", Method::kPost, "localhost", "", "application/x-ndjson", true, 0},
        Case{"Rebound", Method::kGet, "evil.example:9500", "", "", false, 403},
        Case{"ForeignPage", Method::kGet, "localhost:9500", "https://evil.example", "", false, 403},
        Case{"OtherPort", Method::kPost, "localhost:9500", "http://localhost:3000",
             "application/json", true, 403},
        Case{"NullOrigin", Method::kGet, "localhost:9500", "null", "", false, 403},
        Case{"Text", Method::kPost, "localhost", "", "text/plain", true, 415},
        Case{"Form", Method::kPost, "localhost", "", "application/x-www-form-urlencoded", true,
             415},
        Case{"EmptyForm", Method::kPost, "localhost", "", "application/x-www-form-urlencoded",
             false, 415},
        Case{"Multipart", Method::kPut, "localhost", "", "Multipart/Form-Data; boundary=x", true,
             415},
        Case{"Untyped", Method::kPatch, "localhost", "", "", true, 415}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(RequestId, IsShortAndPlain) {
    EXPECT_TRUE(is_request_id("7f3a-42_x.y:z/+="));
    EXPECT_TRUE(is_request_id(std::string(128, 'a')));
    for (const std::string& bad :
         {std::string(), std::string(129, 'a'), std::string("a b"), std::string("a\"b")})
        EXPECT_FALSE(is_request_id(bad));
}

TEST(Traceparent, IsVersion00) {
    EXPECT_TRUE(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    EXPECT_FALSE(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"));
    EXPECT_FALSE(is_traceparent("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"));
}

}  // namespace guard_test
}  // namespace tidal::http
