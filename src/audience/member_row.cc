#include "audience/internal/member_row.h"

#include <cmath>

#include "base/big_endian.h"
#include "base/codec.h"

namespace tidal::audience {
namespace {

constexpr std::uint8_t kMemberRowVersion = 1;
constexpr std::size_t kKeyBytes = kMemberPrefix.size() + 4 + 8;

}  // namespace

std::string member_prefix(Slot slot) {
    std::string out(kMemberPrefix);
    append_big_endian(slot.value(), 4, &out);
    return out;
}

std::string encode_member_key(const MemberKey& key) {
    std::string out = member_prefix(key.slot);
    append_big_endian(key.collection.value(), 8, &out);
    return out;
}

Result<MemberKey> decode_member_key(std::string_view key) {
    if (!key.starts_with(kMemberPrefix) || key.size() != kKeyBytes)
        return Error(ErrorCode::kCorruption, "bad key of an item in a collection");
    key.remove_prefix(kMemberPrefix.size());
    return MemberKey{Slot(static_cast<std::uint32_t>(read_big_endian(key.substr(0, 4)))),
                     CollectionId(read_big_endian(key.substr(4)))};
}

std::string encode_member(const MemberRow& row) {
    Encoder out;
    out.u8(kMemberRowVersion);
    out.f64(row.position);
    out.u64(row.added.bits());
    return out.take();
}

Result<MemberRow> decode_member(std::string_view bytes) {
    Decoder in(bytes);
    if (in.u8() != kMemberRowVersion) in.fail();
    MemberRow out;
    out.position = in.f64();
    out.added = HybridTime::from_bits(in.u64());
    if (!std::isfinite(out.position)) in.fail();
    TIDAL_TRY(in.finish("an item in a collection"));
    return out;
}

}  // namespace tidal::audience
