// Sessions, and what they were shown, as rows.
#include <algorithm>

#include "audience/session.h"
#include "base/codec.h"
#include "record/id_codec.h"
#include "record/session_codec.h"

namespace tidal::audience {
namespace {

/// Version 1 does not say how many signals hold a liked item: one.
constexpr std::uint8_t kSessionRowVersion = 2, kShownRowVersion = 1;

EntityId decode_session_id(Decoder* in) {
    auto id = record::decode_optional_id(in);
    if (!id) in->fail();
    return std::move(id).value_or(EntityId());
}

void decode_counts(Decoder* in, Session* out) {
    const std::size_t count = in->count(2);
    for (std::size_t i = 0; i < count && !in->failed(); ++i) {
        const std::uint64_t signal = in->varint();
        if (signal > UINT16_MAX) return in->fail();
        out->counts.emplace_back(SignalTypeId(static_cast<std::uint16_t>(signal)), in->varint());
        if (out->counts.back().second == 0) in->fail();
        if (i > 0 && out->counts[i - 1].first >= out->counts[i].first) in->fail();
    }
}

void decode_likes(std::uint8_t version, Decoder* in, Session* out) {
    const std::size_t count = in->count(3);
    if (count > Session::kLikesMax) return in->fail();
    for (std::size_t i = 0; i < count && !in->failed(); ++i) {
        SessionLike& like = out->likes.emplace_back();
        like.item = decode_session_id(in);
        like.at_ms = in->svarint();
        if (version == 1) continue;
        like.signals = in->varint();
        if (like.signals == 0) in->fail();
        like.first = HybridTime::from_bits(in->u64());
    }
}

std::string encode_as(std::uint8_t version, const Session& session) {
    Encoder out;
    out.u8(version);
    record::encode_optional_id(session.user, &out);
    out.bytes(session.agent);
    record::encode_limits(session.limits, &out);
    out.u64(session.opened.bits());
    out.svarint(session.expires_ms);
    out.u8(static_cast<std::uint8_t>(session.end));
    out.svarint(session.ended_ms);
    out.varint(session.last_sequence);
    out.varint(session.units);
    out.svarint(session.filled_ms);
    out.svarint(session.reward);
    out.varint(session.counts.size());
    for (const auto& [signal, count] : session.counts) {
        out.varint(signal.value());
        out.varint(count);
    }
    record::encode_annotations(session.annotations, &out);
    out.varint(session.likes.size());
    for (const SessionLike& like : session.likes) {
        record::encode_optional_id(like.item, &out);
        out.svarint(like.at_ms);
        if (version == 1) continue;
        out.varint(like.signals);
        out.u64(like.first.bits());
    }
    return out.take();
}

}  // namespace

std::string encode_session(const Session& session) {
    return encode_as(kSessionRowVersion, session);
}

Result<Session> decode_session(std::string_view bytes) {
    Decoder in(bytes);
    const std::uint8_t version = in.u8();
    if (version != 1 && version != kSessionRowVersion)
        return Error(ErrorCode::kCorruption, "session: unknown version");
    Session out;
    out.user = decode_session_id(&in);
    out.agent = in.bytes();
    out.limits = record::decode_limits(&in);
    out.opened = HybridTime::from_bits(in.u64());
    out.expires_ms = in.svarint();
    const std::uint8_t end = in.u8();
    if (end > static_cast<std::uint8_t>(SessionEnd::kExpired)) in.fail();
    out.end = static_cast<SessionEnd>(end);
    out.ended_ms = in.svarint();
    out.last_sequence = in.varint();
    out.units = in.varint();
    out.filled_ms = in.svarint();
    out.reward = in.svarint();
    decode_counts(&in, &out);
    out.annotations = record::decode_annotations(&in);
    decode_likes(version, &in, &out);
    TIDAL_TRY(in.finish("session"));
    if (!record::wrong_with(out.limits).empty() || !record::wrong_with(out.annotations).empty() ||
        encode_as(version, out) != bytes)
        return Error(ErrorCode::kCorruption, "session: not as it is written");
    return out;
}

std::string encode_shown(const std::vector<EntityId>& shown) {
    Encoder out;
    out.u8(kShownRowVersion);
    out.varint(shown.size());
    for (const EntityId& id : shown) record::encode_optional_id(id, &out);
    return out.take();
}

Result<std::vector<EntityId>> decode_shown(std::string_view bytes) {
    Decoder in(bytes);
    if (in.u8() != kShownRowVersion) in.fail();
    std::vector<EntityId> out;
    const std::size_t count = in.count(2);
    if (count > record::kShownMax) in.fail();
    for (std::size_t i = 0; i < count && !in.failed(); ++i) out.push_back(decode_session_id(&in));
    TIDAL_TRY(in.finish("what a session was shown"));
    if (encode_shown(out) != bytes)
        return Error(ErrorCode::kCorruption, "what a session was shown: not as it is written");
    return out;
}

}  // namespace tidal::audience
