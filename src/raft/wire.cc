#include "raft/wire.h"

#include <algorithm>
#include <cassert>

#include "base/crc32c.h"

namespace tidal::raft {
namespace {

// Packet header: magic u32, version u8, three zeros, count u32, CRC-32C u32 of all else.
constexpr std::size_t kChecksumOffset = 12;
constexpr std::size_t kHeaderBytes = 16;
/// A few bytes that say how many entries follow them must not ask for much memory.
constexpr std::size_t kEntriesReserved = 4096;

// --- fields -----------------------------------------------------------------------------------

template <typename Number>
void put(Encoder* out, Number number) {
    out->varint(number.value());
}

/// A term or an index.
std::uint64_t bounded(Decoder* in) {
    const std::uint64_t number = in->varint();
    if (number >= kWireNumberEnd) in->fail();
    return in->failed() ? 0 : number;
}
Term get_term(Decoder* in) {
    return Term(bounded(in));
}
LogIndex get_index(Decoder* in) {
    return LogIndex(bounded(in));
}

bool has(Decoder* in, std::uint8_t flags, std::uint8_t flag, std::uint8_t all) {
    if ((flags & ~all) != 0) in->fail();  // of a later version: not to be guessed
    return (flags & flag) != 0;
}

// --- bodies -----------------------------------------------------------------------------------

constexpr std::uint8_t kPre = 1, kTransfer = 2, kGranted = 2;

void encode(const VoteRequest& v, Encoder* out) {
    out->u8(static_cast<std::uint8_t>((v.pre ? kPre : 0) | (v.transfer ? kTransfer : 0)));
    put(out, v.campaign_term);
    put(out, v.last_index);
    put(out, v.last_term);
}
void decode(Decoder* in, VoteRequest* v) {
    const std::uint8_t flags = in->u8();
    v->pre = has(in, flags, kPre, kPre | kTransfer);
    v->transfer = has(in, flags, kTransfer, kPre | kTransfer);
    v->campaign_term = get_term(in);
    v->last_index = get_index(in);
    v->last_term = get_term(in);
}

void encode(const VoteReply& v, Encoder* out) {
    out->u8(static_cast<std::uint8_t>((v.pre ? kPre : 0) | (v.granted ? kGranted : 0)));
    put(out, v.campaign_term);
}
void decode(Decoder* in, VoteReply* v) {
    const std::uint8_t flags = in->u8();
    v->pre = has(in, flags, kPre, kPre | kGranted);
    v->granted = has(in, flags, kGranted, kPre | kGranted);
    v->campaign_term = get_term(in);
}

void encode(const Append& a, Encoder* out) {
    put(out, a.prev_index);
    put(out, a.prev_term);
    put(out, a.commit);
    out->varint(a.entries.size());
    LogIndex index = a.prev_index;
    Term term = a.prev_term;
    for (const Entry& entry : a.entries) {
        index = index.next();
        assert(entry.index == index && entry.term >= term);
        out->varint(entry.term.value() - term.value());
        out->u8(static_cast<std::uint8_t>(entry.kind));
        out->bytes(entry.bytes());
        term = entry.term;
    }
}
void decode(Decoder* in, Append* a) {
    a->prev_index = get_index(in);
    a->prev_term = get_term(in);
    a->commit = get_index(in);
    const std::size_t count = in->count(3);
    a->entries.reserve(std::min(count, kEntriesReserved));
    LogIndex index = a->prev_index;
    Term term = a->prev_term;
    for (std::size_t i = 0; i < count && !in->failed(); ++i) {
        index = index.next();
        term = Term(term.value() + bounded(in));
        const std::uint8_t kind = in->u8();
        const std::string_view bytes = in->bytes();
        if (kind > static_cast<std::uint8_t>(EntryKind::kConfiguration) ||
            term.value() >= kWireNumberEnd)
            in->fail();
        if (in->failed()) return;
        a->entries.push_back({term, index, static_cast<EntryKind>(kind),
                              bytes.empty() ? nullptr : make_payload(std::string(bytes))});
    }
}

constexpr std::uint8_t kRejected = 1;

void encode(const AppendReply& a, Encoder* out) {
    out->u8(a.rejected ? kRejected : 0);
    put(out, a.match);
    put(out, a.received);
    put(out, a.hint_index);
    put(out, a.hint_term);
}
void decode(Decoder* in, AppendReply* a) {
    a->rejected = has(in, in->u8(), kRejected, kRejected);
    a->match = get_index(in);
    a->received = get_index(in);
    a->hint_index = get_index(in);
    a->hint_term = get_term(in);
}

void encode(const Heartbeat& h, Encoder* out) {
    out->varint(h.round);
    put(out, h.commit);
}
void decode(Decoder* in, Heartbeat* h) {
    h->round = bounded(in);
    h->commit = get_index(in);
}

void encode(const HeartbeatReply& h, Encoder* out) {
    out->varint(h.round);
    put(out, h.match);
    put(out, h.received);
}
void decode(Decoder* in, HeartbeatReply* h) {
    h->round = bounded(in);
    h->match = get_index(in);
    h->received = get_index(in);
}

void encode(const ReadRequest& r, Encoder* out) {
    out->u64(r.run);
    out->varint(r.number);
}
void decode(Decoder* in, ReadRequest* r) {
    r->run = in->u64();
    r->number = bounded(in);
}

void encode(const ReadReply& r, Encoder* out) {
    out->u64(r.run);
    out->varint(r.number);
    put(out, r.index);
}
void decode(Decoder* in, ReadReply* r) {
    r->run = in->u64();
    r->number = bounded(in);
    r->index = get_index(in);
}

void encode(const TimeoutNow&, Encoder*) {}
void decode(Decoder*, TimeoutNow*) {}

void encode(const SnapshotChunk& c, Encoder* out) {
    assert(c.data && c.data->size() == c.size);
    out->u64(c.meta.id);
    put(out, c.meta.index);
    put(out, c.meta.term);
    out->varint(c.meta.bytes);
    out->bytes(encode_configuration(c.meta.configuration));
    out->varint(c.offset);
    out->bytes(*c.data);
}
void decode(Decoder* in, SnapshotChunk* c) {
    c->meta.id = in->u64();
    c->meta.index = get_index(in);
    c->meta.term = get_term(in);
    c->meta.bytes = bounded(in);
    auto configuration = decode_configuration(in->bytes());
    c->offset = bounded(in);
    c->data = make_payload(std::string(in->bytes()));
    c->size = c->data->size();
    if (!configuration.ok()) return in->fail();
    c->meta.configuration = std::move(*configuration);
}

constexpr std::uint8_t kResend = 1;

void encode(const SnapshotReply& s, Encoder* out) {
    out->u8(s.resend ? kResend : 0);
    out->u64(s.id);
    out->varint(s.durable);
    out->varint(s.received);
}
void decode(Decoder* in, SnapshotReply* s) {
    s->resend = has(in, in->u8(), kResend, kResend);
    s->id = in->u64();
    s->durable = bounded(in);
    s->received = bounded(in);
}

template <std::size_t kKind = 0>
Body decode_body(Decoder* in, std::uint8_t kind) {
    if constexpr (kKind == std::variant_size_v<Body>) {
        in->fail();
        return TimeoutNow{};
    } else {
        if (kind != kKind) return decode_body<kKind + 1>(in, kind);
        std::variant_alternative_t<kKind, Body> body;
        decode(in, &body);
        return body;
    }
}

}  // namespace

// --- messages ---------------------------------------------------------------------------------

void encode_message(const Message& message, Encoder* out) {
    out->u8(static_cast<std::uint8_t>(message.body.index()));
    put(out, message.from);
    put(out, message.to);
    put(out, message.term);
    std::visit([&](const auto& body) { encode(body, out); }, message.body);
}

Message decode_message(Decoder* in) {
    Message message;
    const std::uint8_t kind = in->u8();
    message.from = PeerId(in->varint());
    message.to = PeerId(in->varint());
    message.term = get_term(in);
    message.body = decode_body(in, kind);
    return message;
}

// --- packets ----------------------------------------------------------------------------------

PacketWriter::PacketWriter() {
    begin(0);
}

/// With room for so many bytes.
void PacketWriter::begin(std::size_t bytes) {
    std::string room;
    room.reserve(bytes);
    body_ = Encoder(std::move(room));
    body_.u32(kPacketMagic);
    body_.u8(kWireVersion);
    body_.raw(std::string_view("\0\0\0", 3));
    body_.u64(0);  // count and checksum
}

bool PacketWriter::add(const GroupKey& group, const Message& message, std::size_t bytes_max) {
    // Above what a message takes: the parts that message_bytes() does not count are short.
    const std::size_t size = body_.size() + message_bytes(message) + 32;
    if (count_ > 0 && size > bytes_max) return false;
    if (count_ == 0) begin(size);
    body_.u16(group.shard.value());
    body_.u32(group.incarnation.value());
    encode_message(message, &body_);
    ++count_;
    return true;
}

std::string PacketWriter::take() {
    std::string packet = body_.take();
    std::memcpy(packet.data() + 8, &count_, sizeof(count_));
    const std::uint32_t crc =
        crc32c_extend(crc32c(std::string_view(packet).substr(0, kChecksumOffset)),
                      std::string_view(packet).substr(kHeaderBytes));
    std::memcpy(packet.data() + kChecksumOffset, &crc, sizeof(crc));
    count_ = 0;
    begin(0);
    return packet;
}

Result<std::vector<GroupMessage>> decode_packet(std::string_view packet) {
    const auto bad = [](std::string_view what) {
        return Error(ErrorCode::kCorruption, "a packet of the groups: " + std::string(what));
    };
    if (packet.size() > kPacketBytesMax)
        return Error(ErrorCode::kTooLarge, "a packet of the groups is too large")
            .with("bytes", packet.size())
            .with("max", kPacketBytesMax);
    Decoder in(packet);
    if (in.u32() != kPacketMagic) return bad("wrong magic");
    const std::uint8_t version = in.u8();
    const std::string_view spare = in.raw(3);
    const std::uint32_t count = in.u32();
    const std::uint32_t crc = in.u32();
    if (in.failed()) return bad("shorter than its header");
    if (crc != crc32c_extend(crc32c(packet.substr(0, kChecksumOffset)), in.rest()))
        return bad("wrong checksum");
    if (version != kWireVersion || spare != std::string_view("\0\0\0", 3))
        return Error(ErrorCode::kIncompatible, "a packet of the groups of another version")
            .with("version", version)
            .with("known", kWireVersion);
    std::vector<GroupMessage> messages;
    for (std::uint32_t i = 0; i < count && !in.failed(); ++i) {
        const ShardId shard(in.u16());
        const Incarnation incarnation(in.u32());
        Message message = decode_message(&in);
        if (!in.failed()) messages.push_back({{shard, incarnation}, std::move(message)});
    }
    TIDAL_TRY(in.finish("a packet of the groups"));
    if (messages.empty()) return bad("no message");
    return messages;
}

}  // namespace tidal::raft
