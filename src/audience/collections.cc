#include "audience/collections.h"

#include <algorithm>
#include <vector>

#include "audience/internal/member_row.h"
#include "base/codec.h"
#include "base/hash.h"

namespace tidal::audience {
namespace {

/// A member with its bit, its place in the map and what the map keeps free.
constexpr std::uint64_t kMemberBytes = 64;
constexpr std::uint64_t kCollectionBytes = 512;

}  // namespace

Result<std::unique_ptr<Collections>> Collections::open(const Options& options,
                                                       storage::ShardStore& store) {
    std::unique_ptr<Collections> out(new Collections(options, store));
    Result<void> read;
    TIDAL_TRY(store.scan(kMemberPrefix, [&](std::string_view key, std::string_view value) {
        const auto at = decode_member_key(key);
        auto row = at.ok() ? decode_member(value) : Result<MemberRow>(Error(at.error()));
        if (!row.ok()) {
            read = row.take_error();
            return false;
        }
        Collection& in = out->collections_[at->collection];
        in.slots.add(at->slot.value());
        in.members[at->slot.value()] = {row->position, row->added};
        ++out->members_;
        return true;
    }));
    TIDAL_TRY(std::move(read));
    return out;
}

const Collections::Collection* Collections::find(CollectionId collection) const {
    const auto found = collections_.find(collection);
    return found == collections_.end() ? nullptr : &found->second;
}

std::vector<CollectionId> Collections::ids() const {
    std::vector<CollectionId> out;
    for (const auto& [id, collection] : collections_) out.push_back(id);
    std::ranges::sort(out);
    return out;
}

bool Collections::has_room(CollectionId collection, Slot slot) const {
    if (stats().bytes < options_.bytes_max) return true;
    const Collection* const in = find(collection);
    return in != nullptr && in->slots.contains(slot.value());
}

bool Collections::put(CollectionId collection, Slot slot, double position, HybridTime stamp) {
    Collection& in = collections_[collection];
    const auto [at, is_new] = in.members.try_emplace(slot.value(), Member{0, stamp});
    at->second.position = position + 0.0;  // One zero, not two.
    in.slots.add(slot.value());
    members_ += is_new ? 1 : 0;
    store_.put(encode_member_key({slot, collection}),
               encode_member({at->second.position, at->second.added}));
    return is_new;
}

void Collections::forget(CollectionId collection, Slot slot) {
    const auto in = collections_.find(collection);
    in->second.slots.remove(slot.value());
    in->second.members.erase(slot.value());
    --members_;
    if (in->second.members.empty()) collections_.erase(in);
}

bool Collections::remove(CollectionId collection, Slot slot) {
    const Collection* const in = find(collection);
    if (in == nullptr || !in->slots.contains(slot.value())) return false;
    store_.erase(encode_member_key({slot, collection}));
    forget(collection, slot);
    return true;
}

std::uint64_t Collections::drop(CollectionId collection, std::size_t most) {
    const Collection* const in = find(collection);
    if (in == nullptr) return 0;
    const std::uint64_t before = in->members.size();
    std::vector<std::uint32_t> out;
    for (const std::uint32_t slot : in->slots) {
        if (out.size() == most) break;
        out.push_back(slot);
    }
    for (const std::uint32_t slot : out) remove(collection, Slot(slot));
    return before - out.size();
}

Result<void> Collections::drop_item(Slot slot) {
    std::vector<CollectionId> of;
    Result<void> read;
    TIDAL_TRY(store_.scan(member_prefix(slot), [&](std::string_view key, std::string_view) {
        const auto at = decode_member_key(key);
        if (at.ok())
            of.push_back(at->collection);
        else
            read = Error(at.error());
        return read.ok();
    }));
    TIDAL_TRY(std::move(read));
    for (const CollectionId collection : of) remove(collection, slot);
    return {};
}

Collections::Stats Collections::stats() const {
    return {collections_.size(), members_,
            collections_.size() * kCollectionBytes + members_ * kMemberBytes};
}

/// A sum, so that it needs no order.
std::uint64_t Collections::content_hash(const std::function<const EntityId&(Slot)>& item_of) const {
    std::uint64_t sum = members_;
    for (const auto& [id, in] : collections_)
        for (const auto& [slot, member] : in.members) {
            const EntityId& item = item_of(Slot(slot));
            Encoder one;
            one.u64(id.value());
            one.u8(item.is_text() ? 1 : 0);
            one.bytes(item.to_string());
            one.f64(member.position);
            one.u64(member.added.bits());
            sum += hash64(one.view());
        }
    return sum;
}

}  // namespace tidal::audience
