// HMAC by the plain functions of SHA-256: those of OpenSSL 3 look their algorithm up by name and
// make objects for every token, which takes longer than the rest of a page's merging.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "query/cursor.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <span>

#include "base/base64url.h"
#include "base/codec.h"

namespace tidal::query {
namespace {

constexpr std::size_t kTokenBytesMax = 16 * 1024;
/// Version, form, four fixed numbers, and two varints.
constexpr std::size_t kHeadBytesMax = 2 + 4 * 8 + 2 * 10;

Error bad_cursor(std::string_view why) {
    return Error(ErrorCode::kInvalidArgument, std::string(why))
        .with_field("cursor")
        .with_hint("send the next_cursor of the page before, unchanged, or none")
        .with_reason("invalid_cursor");
}

using Block = std::array<unsigned char, SHA256_CBLOCK>;
using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

SHA256_CTX begun(std::span<const unsigned char> head) {
    SHA256_CTX state;
    SHA256_Init(&state);
    SHA256_Update(&state, head.data(), head.size());
    return state;
}

/// @param state  A copy, to go on with.
Digest finished(SHA256_CTX state, std::string_view bytes) {
    Digest out;
    SHA256_Update(&state, bytes.data(), bytes.size());
    SHA256_Final(out.data(), &state);
    return out;
}

/// The first block of each hash of RFC 2104; a long key counts by its own hash.
Block padded(std::string_view key, unsigned char pad) {
    Block out{};
    if (key.size() > out.size()) {
        const Digest digest = finished(begun({}), key);
        std::ranges::copy(digest, out.begin());
    } else {
        std::ranges::copy(key, out.begin());
    }
    for (unsigned char& byte : out) byte ^= pad;
    return out;
}

/// How a cursor says where its page ended.
enum class Form : std::uint8_t { kAfter, kHashes, kHandle, kAfterText, kGroups };

void encode_id(const EntityId& id, Encoder* out) {
    out->u8(id.is_text() ? 1 : 0);
    if (id.is_text()) {
        out->bytes(id.text());
    } else {
        out->varint(id.number());
    }
}

EntityId decode_id(Decoder* in) {
    const std::uint8_t text = in->u8();
    if (text > 1) in->fail();
    if (text == 1) return EntityId(std::string(in->bytes()));
    return EntityId(in->varint());
}

void encode_hash(const ShortHash& hash, Encoder* out) {
    char bytes[kShortHashBytes];
    std::memcpy(bytes, &hash, kShortHashBytes);
    out->raw({bytes, kShortHashBytes});
}

ShortHash decode_hash(Decoder* in) {
    const ShortHash low = in->u32();
    return low | ShortHash{in->u8()} << 32;
}

void encode_hashes(const std::vector<ShortHash>& hashes, Encoder* out) {
    out->varint(hashes.size());
    for (const ShortHash& hash : hashes) encode_hash(hash, out);
}

void decode_hashes(Decoder* in, std::vector<ShortHash>* hashes) {
    const std::size_t count = in->count(kShortHashBytes);
    if (count > kShownMax) return in->fail();
    hashes->reserve(count);
    for (std::size_t i = 0; i < count; ++i) hashes->push_back(decode_hash(in));
}

void encode_groups(const ShownGroups& groups, Encoder* out) {
    out->varint(groups.size());
    for (const auto& [hash, count] : groups) {
        encode_hash(hash, out);
        out->varint(count);
    }
}

void decode_groups(Decoder* in, ShownGroups* groups) {
    const std::size_t size = in->count(kShortHashBytes + 1);
    if (size == 0 || size > kShownMax) return in->fail();
    groups->reserve(size);
    for (std::size_t i = 0; i < size && !in->failed(); ++i) {
        const ShortHash hash = decode_hash(in);
        const std::uint64_t count = in->varint();
        const bool rises = groups->empty() || groups->back().first < hash;
        if (!rises || count == 0 || count > kShownMax) return in->fail();
        groups->emplace_back(hash, static_cast<std::uint32_t>(count));
    }
}

void encode_head(const Cursor& cursor, Form form, Encoder* out) {
    out->u8(kCursorVersion);
    out->u8(static_cast<std::uint8_t>(form));
    out->u64(cursor.query.high);
    out->u64(cursor.query.low);
    out->i64(cursor.now_ms);
    out->u64(cursor.seed);
    out->varint(cursor.shown);
}

Form decode_head(Decoder* in, Cursor* out) {
    const std::uint8_t form = in->u8();
    if (form > static_cast<std::uint8_t>(Form::kGroups)) in->fail();
    out->query.high = in->u64();
    out->query.low = in->u64();
    out->now_ms = in->i64();
    out->seed = in->u64();
    out->shown = in->varint();
    return static_cast<Form>(form);
}

}  // namespace

/// Both hashes of RFC 2104 behind their first blocks, which are the same for all cursors.
struct CursorKey::State {
    SHA256_CTX inner, outer;
};

CursorKey::CursorKey(std::string_view secret)
    : state_(new State{begun(padded(secret, 0x36)), begun(padded(secret, 0x5c))}) {
    assert(secret.size() >= kCursorMacBytes && "a short key can be guessed");
}
CursorKey::~CursorKey() = default;

std::array<char, kCursorMacBytes> CursorKey::sign(std::string_view bytes) const {
    const Digest inner = finished(state_->inner, bytes);
    const Digest outer =
        finished(state_->outer, {reinterpret_cast<const char*>(inner.data()), inner.size()});
    std::array<char, kCursorMacBytes> out;
    std::memcpy(out.data(), outer.data(), out.size());
    return out;
}

CursorCodec::CursorCodec(std::shared_ptr<const CursorKey> key, ShownStore* store,
                         std::uint64_t clock_ms)
    : key_(std::move(key)), store_(store), clock_ms_(clock_ms) {}
CursorCodec::CursorCodec(std::string_view secret, ShownStore* store, std::uint64_t clock_ms)
    : CursorCodec(std::make_shared<const CursorKey>(secret), store, clock_ms) {}

std::string CursorCodec::encode(const Cursor& cursor) const {
    assert(cursor.shown_hashes.size() <= kShownMax);
    const std::size_t listed = cursor.shown_hashes.size() + cursor.shown_groups.size();
    const bool long_list = store_ != nullptr && listed > kShownInToken;
    std::string room;
    room.reserve(kHeadBytesMax + kCursorMacBytes +
                 (long_list ? 0 : listed * (kShortHashBytes + 2)));
    Encoder out(std::move(room));
    if (cursor.after) {
        encode_head(cursor, cursor.after->text.empty() ? Form::kAfter : Form::kAfterText, &out);
        out.f64(cursor.after->score);
        encode_id(cursor.after->id, &out);
        if (!cursor.after->text.empty()) out.bytes(cursor.after->text);
    } else if (!long_list) {
        encode_head(cursor, cursor.shown_groups.empty() ? Form::kHashes : Form::kGroups, &out);
        encode_hashes(cursor.shown_hashes, &out);
        if (!cursor.shown_groups.empty()) encode_groups(cursor.shown_groups, &out);
    } else {
        encode_head(cursor, Form::kHandle, &out);
        out.u64(store_->put({cursor.shown_hashes, cursor.shown_groups}, clock_ms_));
    }
    std::string bytes = out.take();
    const auto signature = key_->sign(bytes);
    bytes.append(signature.data(), signature.size());
    return base64url_encode(bytes);
}

Result<void> CursorCodec::look_up(std::uint64_t handle, Cursor* cursor) const {
    auto kept = store_ == nullptr ? std::nullopt : store_->get(handle, clock_ms_);
    if (!kept)
        return Error(ErrorCode::kGone, "what this cursor has shown is no longer kept")
            .with_field("cursor")
            .with_reason("cursor_gone")
            .with_hint(
                "start again from the first page; past 1000 entities the node that answered the "
                "page before keeps them, for 10 minutes and until it is started again");
    cursor->shown_hashes = std::move(kept->hashes);
    cursor->shown_groups = std::move(kept->groups);
    return {};
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
    const auto signature = key_->sign(body);
    if (CRYPTO_memcmp(signature.data(), all.data() + body.size(), kCursorMacBytes) != 0)
        return bad_cursor("the cursor is damaged or was made by another server");
    Decoder in(body.substr(1));
    Cursor out;
    std::optional<std::uint64_t> handle;
    const Form form = decode_head(&in, &out);
    switch (form) {
        case Form::kAfter:
        case Form::kAfterText:
            out.after.emplace();
            out.after->score = in.f64();
            out.after->id = decode_id(&in);
            if (form == Form::kAfterText) out.after->text = std::string(in.bytes());
            break;
        case Form::kHashes:
        case Form::kGroups:
            decode_hashes(&in, &out.shown_hashes);
            if (form == Form::kGroups) decode_groups(&in, &out.shown_groups);
            break;
        case Form::kHandle:
            handle = in.u64();
            break;
    }
    if (!in.finish("cursor").ok() || (out.after && !std::isfinite(out.after->score)))
        return bad_cursor("the cursor is damaged");
    if (handle) TIDAL_TRY(look_up(*handle, &out));
    return out;
}

}  // namespace tidal::query
