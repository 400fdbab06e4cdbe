#include "audience/internal/hold_row.h"

#include <algorithm>
#include <cassert>

#include "base/big_endian.h"
#include "record/record.h"

namespace tidal::audience {
namespace {

constexpr std::uint8_t kHoldRowVersion = 1;
constexpr std::uint8_t kSet = 1, kCleared = 2, kSignals = 4;
constexpr std::size_t kIdTextBytesMax = 255;

Error malformed(std::string_view what) {
    return Error(ErrorCode::kCorruption, "row of an audience: " + std::string(what));
}

}  // namespace

std::string encode_hold(const HoldRow& row) {
    assert(row.in_force() ? row.set >= row.cleared : row.cleared != HybridTime());
    const bool cleared = row.cleared != HybridTime();
    Encoder out;
    out.u8(kHoldRowVersion);
    out.u8(static_cast<std::uint8_t>((row.in_force() ? kSet : 0) | (cleared ? kCleared : 0) |
                                     (row.signals != 0 ? kSignals : 0)));
    if (row.in_force()) out.u64(row.set.bits());
    if (cleared) out.u64(row.cleared.bits());
    if (row.signals != 0) {
        out.varint(row.signals);
        out.u64(row.first.bits());
    }
    return out.take();
}

Result<HoldRow> decode_hold(std::string_view bytes) {
    Decoder in(bytes);
    const std::uint8_t version = in.u8();
    if (!in.failed() && version != kHoldRowVersion)
        return Error(ErrorCode::kIncompatible, "row of an audience of another version")
            .with("version", version);
    const std::uint8_t flags = in.u8();
    HoldRow row;
    if ((flags & kSet) != 0) row.set = HybridTime::from_bits(in.u64());
    if ((flags & kCleared) != 0) row.cleared = HybridTime::from_bits(in.u64());
    if ((flags & kSignals) != 0) {
        row.signals = in.varint();
        row.first = HybridTime::from_bits(in.u64());
    }
    TIDAL_TRY(in.finish("row of an audience"));
    const bool named = ((flags & kSet) != 0) == row.in_force() &&
                       ((flags & kCleared) != 0) == (row.cleared != HybridTime()) &&
                       ((flags & kSignals) != 0) == (row.signals != 0);
    if (!named || flags > (kSet | kCleared | kSignals) || flags == 0)
        return malformed("flags that do not fit");
    if (row.in_force() ? row.set < std::max(row.cleared, row.first) : row.signals != 0)
        return malformed("a state that is not in force is held");
    if (encode_hold(row) != bytes) return malformed("not as it is written");
    return row;
}

void append_id(const EntityId& id, std::string* key) {
    if (id.is_text()) {
        key->push_back('s');
        key->append(id.text());
        return;
    }
    key->push_back('n');
    append_big_endian(id.number(), 8, key);
}

Result<EntityId> read_id(std::string_view bytes) {
    if (bytes.size() == 9 && bytes[0] == 'n') return EntityId(read_big_endian(bytes.substr(1)));
    if (bytes.size() >= 2 && bytes.size() <= 1 + kIdTextBytesMax && bytes[0] == 's')
        return EntityId(std::string(bytes.substr(1)));
    return malformed("bad id in a key");
}

std::string user_prefix(std::string_view prefix, const EntityId& user) {
    std::string id, key(prefix);
    append_id(user, &id);
    append_big_endian(id.size(), 2, &key);
    return key + id;
}

std::string encode_relation_key(const RelationKey& key) {
    std::string out = user_prefix(kRelationPrefix, key.user);
    out.push_back(static_cast<char>(key.kind));
    append_id(key.creator, &out);
    return out;
}

Result<RelationKey> decode_relation_key(std::string_view key) {
    if (!key.starts_with(kRelationPrefix) || key.size() < kRelationPrefix.size() + 2)
        return malformed("bad key of a relationship");
    key.remove_prefix(kRelationPrefix.size());
    const std::size_t bytes = read_big_endian(key.substr(0, 2));
    if (key.size() < 2 + bytes + 1) return malformed("bad key of a relationship");
    RelationKey out;
    TIDAL_ASSIGN(out.user, read_id(key.substr(2, bytes)));
    out.kind = static_cast<std::uint8_t>(key[2 + bytes]);
    if (out.kind >= record::kRelationshipKindCount ||
        record::is_of_items(static_cast<record::RelationshipKind>(out.kind)))
        return malformed("a relationship of a kind nobody knows");
    TIDAL_ASSIGN(out.creator, read_id(key.substr(2 + bytes + 1)));
    return out;
}

std::string slot_prefix(Slot slot) {
    std::string key(kStatePrefix);
    append_big_endian(slot.value(), 4, &key);
    return key;
}

std::string encode_state_key(const StateKey& key) {
    std::string out = slot_prefix(key.slot);
    append_big_endian(key.state.value(), 2, &out);
    append_id(key.user, &out);
    return out;
}

Result<StateKey> decode_state_key(std::string_view key) {
    if (!key.starts_with(kStatePrefix) || key.size() < kStatePrefix.size() + 6)
        return malformed("bad key of a state");
    key.remove_prefix(kStatePrefix.size());
    StateKey out;
    out.slot = Slot(static_cast<std::uint32_t>(read_big_endian(key.substr(0, 4))));
    out.state = StateId(static_cast<std::uint16_t>(read_big_endian(key.substr(4, 2))));
    TIDAL_ASSIGN(out.user, read_id(key.substr(6)));
    return out;
}

}  // namespace tidal::audience
