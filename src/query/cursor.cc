#include "query/cursor.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cassert>
#include <cmath>

#include "base/base64url.h"
#include "base/codec.h"

namespace tidal::query {
namespace {

constexpr std::size_t kTokenBytesMax = 1024;

Error bad_cursor(std::string_view why) {
    return Error(ErrorCode::kInvalidArgument, std::string(why))
        .with_field("cursor")
        .with_hint("send the next_cursor of the page before, unchanged, or none")
        .with_reason("invalid_cursor");
}

void encode_body(const Cursor& cursor, Encoder* out) {
    out->u64(cursor.query.high);
    out->u64(cursor.query.low);
    out->i64(cursor.now_ms);
    out->u64(cursor.seed);
    out->varint(cursor.shown);
    out->f64(cursor.score);
    out->u8(cursor.id.is_text() ? 1 : 0);
    if (cursor.id.is_text()) {
        out->bytes(cursor.id.text());
    } else {
        out->varint(cursor.id.number());
    }
}

Result<Cursor> decode_body(std::string_view body) {
    Decoder in(body);
    Cursor out;
    out.query.high = in.u64();
    out.query.low = in.u64();
    out.now_ms = in.i64();
    out.seed = in.u64();
    out.shown = in.varint();
    out.score = in.f64();
    const std::uint8_t text = in.u8();
    if (text == 1) {
        out.id = EntityId(std::string(in.bytes()));
    } else {
        out.id = EntityId(in.varint());
    }
    if (!in.finish("cursor").ok() || text > 1 || !std::isfinite(out.score))
        return bad_cursor("the cursor is damaged");
    return out;
}

}  // namespace

CursorCodec::CursorCodec(std::string key) : key_(std::move(key)) {
    assert(key_.size() >= kCursorMacBytes && "a short key can be guessed");
}

std::array<char, kCursorMacBytes> CursorCodec::mac(std::string_view bytes) const {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    const auto* done =
        HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
             reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest, &size);
    assert(done != nullptr && size >= kCursorMacBytes);
    static_cast<void>(done);
    std::array<char, kCursorMacBytes> out;
    std::memcpy(out.data(), digest, out.size());
    return out;
}

std::string CursorCodec::encode(const Cursor& cursor) const {
    Encoder out;
    out.u8(kCursorVersion);
    encode_body(cursor, &out);
    std::string bytes = out.take();
    const auto signature = mac(bytes);
    bytes.append(signature.data(), signature.size());
    return base64url_encode(bytes);
}

Result<Cursor> CursorCodec::decode(std::string_view token) const {
    if (token.size() > kTokenBytesMax) return bad_cursor("the cursor is too long");
    const auto bytes = base64url_decode(token);
    if (!bytes || bytes->size() <= kCursorMacBytes) return bad_cursor("this is not a cursor");
    // The version comes first: another version may sign in another way.
    if (static_cast<std::uint8_t>((*bytes)[0]) != kCursorVersion)
        return Error(ErrorCode::kUnsupported, "the cursor is of another version of the server")
            .with_field("cursor")
            .with("version", static_cast<std::uint8_t>((*bytes)[0]))
            .with_hint("start again from the first page")
            .with_reason("unsupported_cursor");
    const std::string_view all = *bytes;
    const auto body = all.substr(0, all.size() - kCursorMacBytes);
    const auto signature = mac(body);
    if (CRYPTO_memcmp(signature.data(), all.data() + body.size(), kCursorMacBytes) != 0)
        return bad_cursor("the cursor is damaged or was made by another server");
    return decode_body(body.substr(1));
}

}  // namespace tidal::query
