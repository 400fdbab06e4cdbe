#include "cluster/peer_packet.h"

#include <algorithm>

#include "base/codec.h"
#include "cluster/internal/hex.h"

namespace tidal::cluster {
namespace {

constexpr std::uint8_t kLayout = 1;
enum class Kind : std::uint8_t {
    kHello = 1,
    kWelcome,
    kRefusal,
    kData,
    kPing,
    kPong,
    kUnknown,
    kJoinRequest,
    kJoinAnswer,
};

void begin(Kind kind, Encoder* out) {
    out->u32(kPacketMagic);
    out->u8(kLayout);
    out->u8(static_cast<std::uint8_t>(kind));
    out->u16(0);
}

std::string get_id(Decoder* in) {
    return internal::to_hex(in->raw(internal::kIdBytes));
}

std::string get_text(Decoder* in, std::size_t size_max) {
    const std::string_view text = in->bytes();
    if (text.size() > size_max) in->fail();
    return in->failed() ? std::string() : std::string(text);
}

void put(const Introduction& from, Encoder* out) {
    out->raw(internal::id_bytes(from.identity.cluster_id));
    out->u32(from.identity.node.value());
    out->raw(internal::id_bytes(from.identity.instance_id));
    out->u16(from.identity.region.value());
    out->u64(from.boot.value());
    out->u16(from.version_min);
    out->u16(from.version_max);
    out->u64(from.features);
    out->bytes(from.http_address);
}

Introduction get_introduction(Decoder* in) {
    Introduction from;
    from.identity.cluster_id = get_id(in);
    from.identity.node = NodeId(in->u32());
    from.identity.instance_id = get_id(in);
    from.identity.region = RegionId(in->u16());
    from.boot = BootId(in->u64());
    from.version_min = in->u16();
    from.version_max = in->u16();
    from.features = in->u64();
    from.http_address = get_text(in, kAddressBytesMax);
    if (from.identity.node == kNoNode || from.version_min > from.version_max) in->fail();
    return from;
}

void put(const Route& route, Encoder* out) {
    out->u32(route.from.value());
    out->u64(route.from_boot.value());
    out->u64(route.to_boot.value());
}

Route get_route(Decoder* in) {
    Route route;
    route.from = NodeId(in->u32());
    route.from_boot = BootId(in->u64());
    route.to_boot = BootId(in->u64());
    if (route.from == kNoNode) in->fail();
    return route;
}

/// All but the bytes themselves.
void put_header(const Part& part, Encoder* out) {
    out->u8(static_cast<std::uint8_t>(part.channel));
    out->varint(part.pieces);
    if (part.pieces > 1) {
        out->varint(part.message);
        out->varint(part.piece);
        out->varint(part.total_bytes);
    }
    out->varint(part.bytes.size());
}

void put(const Part& part, Encoder* out) {
    put_header(part, out);
    out->raw(part.bytes);
}

/// How long the pieces of a message are follows from its length alone.
bool pieces_fit(const Part& part) {
    if (part.total_bytes > kPeerMessageBytesMax || part.piece >= part.pieces) return false;
    if (part.pieces != (part.total_bytes + kPartBytesMax - 1) / kPartBytesMax) return false;
    const bool last = part.piece + 1 == part.pieces;
    const std::size_t before = std::size_t{part.pieces - 1} * kPartBytesMax;
    return part.bytes.size() == (last ? part.total_bytes - before : kPartBytesMax);
}

Part get_part(Decoder* in) {
    Part part;
    const std::uint8_t channel = in->u8();
    if (channel >= kChannelCount) in->fail();
    part.channel = static_cast<Channel>(channel);
    part.pieces = static_cast<std::uint32_t>(in->varint());
    if (part.pieces == 1) {
        part.bytes = in->bytes();
        part.total_bytes = part.bytes.size();
        if (part.total_bytes > kPartBytesMax) in->fail();
        return part;
    }
    part.message = in->varint();
    part.piece = static_cast<std::uint32_t>(in->varint());
    part.total_bytes = in->varint();
    part.bytes = in->bytes();
    if (!pieces_fit(part)) in->fail();
    return part;
}

struct Writer {
    Encoder* out;

    void operator()(const Hello& hello) const {
        begin(Kind::kHello, out);
        put(hello.from, out);
        out->u32(hello.to.value());
        out->u64(hello.nonce);
    }
    void operator()(const Welcome& welcome) const {
        begin(Kind::kWelcome, out);
        put(welcome.from, out);
        out->u16(welcome.version);
        out->u64(welcome.to_boot.value());
        out->u64(welcome.nonce);
    }
    void operator()(const Refusal& refusal) const {
        begin(Kind::kRefusal, out);
        out->u8(static_cast<std::uint8_t>(refusal.code));
        out->u64(refusal.nonce);
        out->bytes(std::string_view(refusal.text).substr(0, kRefusalBytesMax));
    }
    void operator()(const Data& data) const {
        begin(Kind::kData, out);
        put(data.route, out);
        for (const Part& part : data.parts) put(part, out);
    }
    void operator()(const Ping& ping) const {
        begin(ping.answer ? Kind::kPong : Kind::kPing, out);
        put(ping.route, out);
        out->u64(ping.number);
    }
    void operator()(const Unknown& unknown) const {
        begin(Kind::kUnknown, out);
        out->u64(unknown.to_boot.value());
    }
    void operator()(const Join& join) const {
        begin(join.answer ? Kind::kJoinAnswer : Kind::kJoinRequest, out);
        out->bytes(join.bytes);
    }
};

Packet read_body(Kind kind, Decoder* in) {
    switch (kind) {
        case Kind::kHello: {
            Hello hello;
            hello.from = get_introduction(in);
            hello.to = NodeId(in->u32());
            hello.nonce = in->u64();
            return hello;
        }
        case Kind::kWelcome: {
            Welcome welcome;
            welcome.from = get_introduction(in);
            welcome.version = in->u16();
            welcome.to_boot = BootId(in->u64());
            welcome.nonce = in->u64();
            return welcome;
        }
        case Kind::kRefusal: {
            Refusal refusal;
            const std::uint8_t code = in->u8();
            if (code < 1 || code > static_cast<std::uint8_t>(RefusalCode::kNotAdmitted)) in->fail();
            refusal.code = static_cast<RefusalCode>(code);
            refusal.nonce = in->u64();
            refusal.text = get_text(in, kRefusalBytesMax);
            return refusal;
        }
        case Kind::kData: {
            Data data;
            data.route = get_route(in);
            while (!in->failed() && in->remaining() > 0) data.parts.push_back(get_part(in));
            return data;
        }
        case Kind::kPing:
        case Kind::kPong: {
            Ping ping;
            ping.answer = kind == Kind::kPong;
            ping.route = get_route(in);
            ping.number = in->u64();
            return ping;
        }
        case Kind::kUnknown:
            return Unknown{BootId(in->u64())};
        case Kind::kJoinRequest:
        case Kind::kJoinAnswer:
            return Join{kind == Kind::kJoinAnswer, get_text(in, kJoinBytesMax)};
    }
    in->fail();
    return Unknown{};
}

}  // namespace

std::string encode_packet(const Packet& packet) {
    Encoder out;
    std::visit(Writer{&out}, packet);
    return out.take();
}

Result<Packet> decode_packet(std::string_view bytes) {
    Decoder in(bytes);
    const bool ours = in.u32() == kPacketMagic;
    const std::uint8_t layout = in.u8();
    const std::uint8_t kind = in.u8();
    const std::uint16_t reserved = in.u16();
    if (in.failed() || !ours)
        return Error(ErrorCode::kCorruption, "not a packet of a tidalDB node");
    if (layout != kLayout)
        return Error(ErrorCode::kIncompatible, "packet of another version")
            .with("packet_has", layout)
            .with("this_program_reads", kLayout);
    if (reserved != 0 || kind < 1 || kind > static_cast<std::uint8_t>(Kind::kJoinAnswer))
        return Error(ErrorCode::kCorruption, "packet with an unknown kind").with("kind", kind);
    Packet packet = read_body(static_cast<Kind>(kind), &in);
    TIDAL_TRY(in.finish("packet"));
    return packet;
}

std::string begin_data(const Route& route) {
    Encoder out;
    begin(Kind::kData, &out);
    put(route, &out);
    return out.take();
}

void append_part(const Part& part, std::string* packet) {
    Encoder header;  // so short that it needs no memory of its own
    put_header(part, &header);
    packet->append(header.view());
    packet->append(part.bytes);
}

}  // namespace tidal::cluster
