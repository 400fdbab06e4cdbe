// Packed bodies in both directions: what is accepted, what is refused, and bombs.
#include "http/content_coding.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "server_fixture.h"

namespace tidal::http {
namespace content_coding_test {

using ::testing::HasSubstr;

constexpr Coding kPacked[] = {Coding::kGzip, Coding::kZstd};

std::string packed(Coding coding, std::string_view text) {
    return Encoder::create(coding)->encode(text, Encoder::Flush::kEnd);
}
Headers with(const std::string& name, const std::string& value) {
    Headers headers;
    headers.add(name, value);
    return headers;
}

RC_GTEST_PROP(ContentCoding, WhatIsPackedUnpacks, ()) {
    const auto pieces =
        *rc::gen::container<std::vector<std::string>>(rc::gen::string<std::string>());
    const auto cut = *rc::gen::inRange<std::size_t>(1, 50);
    const auto room = *rc::gen::inRange<std::size_t>(1, 50);
    for (const Coding coding : kPacked) {
        const auto encoder = Encoder::create(coding);
        std::string text, bytes;
        for (const std::string& piece : pieces) {
            text += piece;
            bytes += encoder->encode(piece, Encoder::Flush::kPiece);
            // Whatever was packed so far can be read so far.
            const auto reader = Decoder::create(coding);
            reader->feed(bytes);
            std::string seen;
            for (auto part = reader->next(4096); !part->empty(); part = reader->next(4096))
                seen += *part;
            RC_ASSERT(seen == text);
        }
        bytes += encoder->encode({}, Encoder::Flush::kEnd);
        const auto decoder = Decoder::create(coding);
        std::string out;
        for (std::size_t at = 0; at < bytes.size(); at += cut) {
            RC_ASSERT(!decoder->at_end());
            decoder->feed(bytes.substr(at, cut));
            for (auto part = decoder->next(room); !part->empty(); part = decoder->next(room)) {
                RC_ASSERT(part->size() <= room);
                out += *part;
            }
        }
        RC_ASSERT(decoder->at_end());
        RC_ASSERT(out == text);
    }
}

RC_GTEST_PROP(ContentCoding, NonsenseIsAnError, (std::string bytes)) {
    for (const Coding coding : kPacked) {
        const auto out = unpack(coding, bytes, 1000);
        if (!out.ok())
            RC_ASSERT(out.error().reason() == "malformed_content" ||
                      out.error().code() == ErrorCode::kTooLarge);
    }
}

TEST(ContentCodingBody, BrokenOffOrFollowedByMoreIsAnError) {
    for (const Coding coding : kPacked) {
        const std::string whole = packed(coding, "hello, world");
        EXPECT_EQ(*unpack(coding, whole, 100), "hello, world");
        EXPECT_EQ(*unpack(coding, whole + whole, 100), "hello, worldhello, world");
        for (std::size_t size = 0; size < whole.size(); ++size)
            EXPECT_EQ(unpack(coding, whole.substr(0, size), 100).error().reason(),
                      "malformed_content")
                << coding_name(coding) << " " << size;
        EXPECT_FALSE(unpack(coding, whole + "more", 100).ok());
        EXPECT_EQ(unpack(coding, whole, 11).error().code(), ErrorCode::kTooLarge);
        EXPECT_TRUE(unpack(coding, whole, 12).ok());
    }
}

TEST(ContentCodingHeaders, RequestsNameOneKnownCoding) {
    EXPECT_EQ(*content_coding({}), Coding::kIdentity);
    EXPECT_EQ(*content_coding(with("Content-Encoding", "identity")), Coding::kIdentity);
    EXPECT_EQ(*content_coding(with("content-encoding", "GZIP")), Coding::kGzip);
    EXPECT_EQ(*content_coding(with("Content-Encoding", "x-gzip")), Coding::kGzip);
    EXPECT_EQ(*content_coding(with("Content-Encoding", "zstd")), Coding::kZstd);
    for (const char* other : {"br", "deflate", "gzip, zstd", "gzip,gzip"})
        EXPECT_EQ(content_coding(with("Content-Encoding", other)).error().code(),
                  ErrorCode::kUnsupportedMedia)
            << other;
    Headers twice = with("Content-Encoding", "gzip");
    twice.add("Content-Encoding", "gzip");
    EXPECT_FALSE(content_coding(twice).ok());
}

TEST(ContentCodingHeaders, RepliesArePackedByTheBestThatIsAccepted) {
    const auto best = [](const std::string& accept) {
        return accepted_coding(with("Accept-Encoding", accept));
    };
    EXPECT_EQ(accepted_coding({}), Coding::kIdentity);
    EXPECT_EQ(best(""), Coding::kIdentity);
    EXPECT_EQ(best("gzip"), Coding::kGzip);
    EXPECT_EQ(best("gzip, deflate, br, zstd"), Coding::kZstd);
    EXPECT_EQ(best("gzip;q=1.0, zstd;q=0.5"), Coding::kGzip);
    EXPECT_EQ(best("gzip;q=0, zstd;q=0"), Coding::kIdentity);
    EXPECT_EQ(best("*"), Coding::kZstd);
    EXPECT_EQ(best("*;q=0.5, zstd;q=0"), Coding::kGzip);
    EXPECT_EQ(best("identity, gzip;q=0.5"), Coding::kIdentity);
    EXPECT_EQ(best("gzip;q=nonsense"), Coding::kIdentity);
    EXPECT_EQ(best("br"), Coding::kIdentity);
}

TEST(ContentCodingHeaders, APackedReplyHasAnETagOfItsOwn) {
    Response response = Response::json(std::string(5000, 'x'));
    response.headers.push_back({"ETag", "\"42\""});
    pack(Coding::kGzip, &response);
    EXPECT_EQ(response.headers[0].value, "\"42-gzip\"");
    std::string buffer;
    EXPECT_EQ(unpacked_etag("\"42-gzip\"", &buffer), "\"42\"");
    EXPECT_EQ(unpacked_etag("\"42\"", &buffer), "\"42\"");
    EXPECT_EQ(unpacked_etag("", &buffer), "");
}

class CodingServerTest : public ServerTest {
protected:
    CodingServerTest() {
        router_.add(Method::kGet, "/large", [](Request, Responder r) {
            r.send(Response::text(std::string(100'000, 'x')));
        });
        router_.add(Method::kGet, "/lines", [](Request, Responder r) {
            Response head;
            head.content_type = "application/x-ndjson";
            ResponseWriter writer = r.stream(std::move(head));
            for (int i = 0; i < 3; ++i) writer.write("line " + std::to_string(i) + "\n");
            writer.finish();
        });
    }
    static std::string encoded(Coding coding) {
        return "Content-Encoding: " + std::string(coding_name(coding)) + "\r\n";
    }
    static std::string accepts(Coding coding) {
        return "Accept-Encoding: " + std::string(coding_name(coding)) + "\r\n";
    }
};

TEST_F(CodingServerTest, PackedBodiesReachHandlersUnpacked) {
    start();
    RawClient c = client();
    for (const Coding coding : kPacked) {
        EXPECT_EQ(c.ask(post("/echo", packed(coding, "hello"), encoded(coding))).body, "hello");
        EXPECT_EQ(c.ask(post("/echo", "", encoded(coding))).body, "");
        const RawReply broken = c.ask(post("/echo", "hello", encoded(coding)));
        EXPECT_EQ(broken.status, 400);
        EXPECT_THAT(broken.body, HasSubstr("malformed_content"));
    }
    EXPECT_EQ(c.ask(get("/hello")).body, "hello") << "the connection is kept";
}

TEST_F(CodingServerTest, UnknownCodingsAre415) {
    start();
    RawClient c = client();
    for (const char* path : {"/echo", "/stream"}) {
        const RawReply reply = c.ask(post(path, "x", "Content-Encoding: br\r\n"));
        EXPECT_EQ(reply.status, 415);
        EXPECT_EQ(reply.headers.at("Accept-Encoding"), "gzip, zstd");
        EXPECT_THAT(reply.body, HasSubstr("unknown_encoding"));
        EXPECT_THAT(reply.body, HasSubstr("gzip or zstd"));
    }
}

TEST_F(CodingServerTest, ABombIs413) {
    options_.limits.body_bytes_max = 1 << 20;
    start();
    RawClient c = client();
    for (const Coding coding : kPacked) {
        const std::string bomb = packed(coding, std::string(64 << 20, '\0'));
        ASSERT_LT(bomb.size(), 1u << 20);
        EXPECT_EQ(c.ask(post("/echo", bomb, encoded(coding))).status, 413);
    }
    EXPECT_EQ(c.ask(get("/hello")).body, "hello");
}

TEST_F(CodingServerTest, StreamsAreUnpackedPieceByPiece) {
    start();
    for (const Coding coding : kPacked) {
        RawClient c = client();
        const std::string text(1 << 20, 'y');
        c.send(post("/stream", packed(coding, text), encoded(coding)));
        auto stream = streams_.take();
        ASSERT_TRUE(stream);
        std::size_t bytes = 0;
        while (bytes < text.size()) {
            auto piece = stream->sink->chunks.take();
            ASSERT_TRUE(piece);
            EXPECT_LE(piece->bytes.size(), 64u * 1024);
            EXPECT_EQ(stream->sink->chunks.size(), 0u) << "not before it is asked for";
            bytes += piece->bytes.size();
            (*piece->next)();
        }
        EXPECT_TRUE(stream->sink->ended.take());
        stream->responder->send(Response::text("done"));
        EXPECT_EQ(c.read_reply().body, "done");
    }
}

TEST_F(CodingServerTest, AStreamThatBreaksOffSaysSo) {
    start();
    for (const Coding coding : kPacked) {
        RawClient c = client();
        const std::string bytes = packed(coding, "hello, world");
        c.send(post("/stream", bytes.substr(0, bytes.size() - 2), encoded(coding)));
        auto stream = streams_.take();
        ASSERT_TRUE(stream);
        if (auto piece = stream->sink->chunks.take()) (*piece->next)();
        EXPECT_EQ(stream->sink->errors.take(), ErrorCode::kInvalidArgument);
    }
}

TEST_F(CodingServerTest, LargeRepliesArePackedWhereAsked) {
    start();
    RawClient c = client();
    const std::string text(100'000, 'x');
    EXPECT_EQ(c.ask(get("/large")).body, text);
    for (const Coding coding : kPacked) {
        const RawReply large = c.ask(get("/large", accepts(coding)));
        EXPECT_EQ(large.headers.at("Content-Encoding"), coding_name(coding));
        EXPECT_EQ(large.headers.at("Vary"), "Accept-Encoding");
        EXPECT_LT(large.body.size(), 2000u);
        EXPECT_EQ(*unpack(coding, large.body, 1 << 20), text);
        EXPECT_EQ(c.ask(get("/hello", accepts(coding))).body, "hello") << "not worth it";
    }
}

TEST_F(CodingServerTest, StreamedRepliesArePacked) {
    start();
    RawClient c = client();
    for (const Coding coding : kPacked) {
        const RawReply reply = c.ask(get("/lines", accepts(coding)));
        EXPECT_EQ(reply.headers.at("Content-Encoding"), coding_name(coding));
        EXPECT_EQ(*unpack(coding, reply.body, 1 << 20), "line 0\nline 1\nline 2\n");
    }
    EXPECT_EQ(c.ask(get("/lines")).body, "line 0\nline 1\nline 2\n");
}

}  // namespace content_coding_test
}  // namespace tidal::http
