// Bytes to requests, whatever way they are cut, and what is refused.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "http/internal/request_parser.h"

namespace tidal::http {
namespace parser_test {

constexpr std::size_t kHeaderMax = 1024;

struct Parsed {
    Request request;
    std::string body;
    std::string rest;  ///< Of the bytes, after the request.
    bool done = false;
    std::uint16_t refused = 0;
};

/// Feeds `bytes` in pieces of the sizes given, the last one again and again.
Parsed parse(std::string_view bytes, const std::vector<std::size_t>& sizes) {
    Parsed out;
    RequestParser parser(kHeaderMax);
    std::string buffer;
    std::size_t fed = 0;
    std::size_t next = 0;
    bool has_head = false;
    while (!parser.done()) {
        if (fed == bytes.size() && buffer.empty()) break;
        auto step = parser.put(buffer);
        if (!step) {
            out.refused = parser.status();
            return out;
        }
        buffer.erase(0, step->consumed);
        out.body += parser.take_body();
        has_head = has_head || step->progress == RequestParser::Progress::kHead;
        if (step->progress != RequestParser::Progress::kNeedMore) continue;
        if (fed == bytes.size()) break;
        const std::size_t size =
            std::min(sizes[std::min(next++, sizes.size() - 1)], bytes.size() - fed);
        buffer += bytes.substr(fed, size);
        fed += size;
    }
    out.done = parser.done();
    if (has_head) out.request = std::move(parser.request());
    out.rest = buffer + std::string(bytes.substr(fed));
    return out;
}

constexpr std::string_view kChunked =
    "POST /signals?w=local HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n1;x=y\r\n,\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\nGET / HTTP/1.1\r\n";

RC_GTEST_PROP(RequestParser, DoesNotCareHowBytesAreCut, ()) {
    const auto sizes = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 40)));
    const Parsed parsed = parse(kChunked, sizes);
    RC_ASSERT(parsed.done);
    RC_ASSERT(parsed.body == "hello, world");
    RC_ASSERT(parsed.rest == "GET / HTTP/1.1\r\n");
    RC_ASSERT(parsed.request.method == Method::kPost);
    RC_ASSERT(*parsed.request.query.find("w") == "local");
    RC_ASSERT(!parsed.request.headers.find("Trailer"));
}

TEST(RequestParser, ReadsTargetsAndHeaders) {
    const Parsed parsed = parse(
        "DELETE http://any/items/a%2Fb%20c?x=1#f HTTP/1.1\r\nhost: h\r\nX-Thing:  spaced \r\n\r\n",
        {999});
    ASSERT_TRUE(parsed.done);
    EXPECT_EQ(parsed.request.method, Method::kDelete);
    EXPECT_EQ(parsed.request.raw_path, "/items/a%2Fb%20c");
    EXPECT_EQ(parsed.request.path, "/items/a/b c");
    EXPECT_EQ(*parsed.request.query.find("x"), "1");
    EXPECT_EQ(parsed.request.headers.find("X-THING"), "spaced");
    EXPECT_EQ(parse("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", {999}).request.path, "/");
    EXPECT_EQ(parse("BREW / HTTP/1.1\r\nHost: h\r\n\r\n", {999}).request.method, Method::kOther);
    EXPECT_TRUE(parse("GET / HTTP/1.0\r\n\r\n", {999}).done);
    const Parsed body = parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcdef", {7});
    EXPECT_EQ(body.body, "abc");
    EXPECT_EQ(body.rest, "def");
}

struct Refusal {
    const char* name;
    std::string bytes;
    std::uint16_t status;
};

class Refused : public ::testing::TestWithParam<Refusal> {};

TEST_P(Refused, WithItsStatus) {
    EXPECT_EQ(parse(GetParam().bytes, {9999}).refused, GetParam().status);
    EXPECT_EQ(parse(GetParam().bytes, {1}).refused, GetParam().status) << "byte by byte";
}

std::string get(const std::string& headers) {
    return "GET / HTTP/1.1\r\n" + headers + "\r\n";
}
std::string chunks(const std::string& body) {
    return "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body;
}

INSTANTIATE_TEST_SUITE_P(
    RequestParser, Refused,
    ::testing::Values(
        Refusal{"Garbage", "\x16\x03\x01\x02\r\n\r\n", 400},
        Refusal{"NoVersion", "GET /\r\n\r\n", 400},
        Refusal{"Http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        Refusal{"RelativeTarget", "GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        Refusal{"Connect", "CONNECT a:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        Refusal{"BadEscape", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        Refusal{"NotUtf8", "GET /%ff HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        Refusal{"QueryTwice", "GET /?a=1&a=2 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        Refusal{"NoHost", get(""), 400}, Refusal{"TwoHosts", get("Host: a\r\nHost: b\r\n"), 400},
        Refusal{"SpaceInName", get("Host: h\r\nX : y\r\n"), 400},
        Refusal{"BareNewline", get("Host: h\r\nX: a\nY: b\r\n"), 400},
        Refusal{"LengthAndChunked",
                get("Host: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400},
        Refusal{"ChunkedAndLength",
                get("Host: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400},
        Refusal{"TwoLengths", get("Host: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n"), 400},
        Refusal{"NegativeLength", get("Host: h\r\nContent-Length: -1\r\n"), 400},
        Refusal{"HugeLength", get("Host: h\r\nContent-Length: 99999999999999999999\r\n"), 400},
        Refusal{"Gzip", get("Host: h\r\nTransfer-Encoding: gzip\r\n"), 501},
        Refusal{"GzipChunked", get("Host: h\r\nTransfer-Encoding: gzip, chunked\r\n"), 501},
        Refusal{"ChunkedIn10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        Refusal{"ChunkSize", chunks("zzz\r\n"), 400},
        Refusal{"ChunkSizeHuge", chunks("fffffffffffffffff\r\n"), 400},
        Refusal{"ChunkEnd", chunks("3\r\nabcdef\r\n0\r\n\r\n"), 400},
        Refusal{"ChunkHeader", chunks("1;" + std::string(9000, 'x')), 400},
        Refusal{"Trailer", chunks("0\r\nA: " + std::string(9000, 'x')), 400},
        Refusal{"HeaderTooLarge", get("Host: h\r\nX: " + std::string(kHeaderMax, 'x') + "\r\n"),
                431},
        Refusal{"ManyHeaders",
                [] {
                    std::string headers = "Host: h\r\n";
                    for (int i = 0; i < 300; ++i) headers += "X: y\r\n";
                    return get(headers);
                }(),
                431},
        Refusal{"TargetTooLarge", "GET /" + std::string(kHeaderMax, 'x') + " HTTP/1.1\r\n\r\n",
                431},
        Refusal{"BothTogetherTooLarge",
                "GET /" + std::string(kHeaderMax / 2, 'x') +
                    " HTTP/1.1\r\nHost: h\r\nX: " + std::string(kHeaderMax / 2, 'x') + "\r\n\r\n",
                431},
        Refusal{"EndlessLine", std::string(5000, 'A'), 431}),
    [](const auto& param) { return std::string(param.param.name); });

}  // namespace parser_test
}  // namespace tidal::http
