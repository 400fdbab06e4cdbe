#include "audience/relationships.h"

#include <algorithm>

#include "base/hash.h"

namespace tidal::audience {
namespace {

constexpr auto kFriendsKind = static_cast<std::uint8_t>(record::RelationshipKind::kFriends);

}  // namespace

Result<std::unique_ptr<Relationships>> Relationships::open(storage::ShardStore& store) {
    std::unique_ptr<Relationships> out(new Relationships(store));
    Result<void> outcome;
    TIDAL_TRY(store.scan(kRelationPrefix, [&](std::string_view key, std::string_view value) {
        auto at = decode_relation_key(key);
        auto row = at.ok() ? decode_hold(value) : Result<HoldRow>(at.take_error());
        if (!row.ok()) {
            outcome = row.take_error();
            return false;
        }
        out->note(*at, *row);
        ++out->rows_;
        return true;
    }));
    TIDAL_TRY(std::move(outcome));
    return out;
}

const Relationships::Since& Relationships::of(const EntityId& user,
                                              record::RelationshipKind kind) const {
    static const Since kNone;
    const auto found = users_.find(user);
    return found == users_.end() ? kNone : found->second[static_cast<std::size_t>(kind)];
}

bool Relationships::admits(const record::RelationshipBody& body) const {
    const Since& since = of(body.user, body.kind);
    return body.ends || since.size() < kEachMax || since.contains(body.target);
}

void Relationships::note(const RelationKey& key, const HoldRow& row) {
    if (key.kind == kFriendsKind) named_by_[key.creator].insert(key.user);
    if (row.in_force()) {
        users_[key.user][key.kind][key.creator] = row.set;
        return;
    }
    const auto found = users_.find(key.user);
    if (found == users_.end()) return;
    found->second[key.kind].erase(key.creator);
    if (std::ranges::all_of(found->second, &Since::empty)) users_.erase(found);
}

Result<void> Relationships::apply(const record::RelationshipBody& body, HybridTime stamp) {
    const RelationKey key{body.user, static_cast<std::uint8_t>(body.kind), body.target};
    const std::string row_key = encode_relation_key(key);
    TIDAL_ASSIGN(const auto bytes, store_.get(row_key));
    HoldRow row;
    if (bytes) {
        TIDAL_ASSIGN(row, decode_hold(*bytes));
    } else {
        ++rows_;
    }
    HybridTime& greatest = body.ends ? row.cleared : row.set;
    greatest = std::max(greatest, stamp);
    if (row.set < row.cleared) row.set = HybridTime();
    store_.put(row_key, encode_hold(row));
    note(key, row);
    return {};
}

Result<void> Relationships::erase_user(const EntityId& user) {
    std::vector<std::string> keys;
    TIDAL_TRY(store_.scan(user_prefix(kRelationPrefix, user),
                          [&](std::string_view key, std::string_view) {
                              keys.emplace_back(key);
                              return true;
                          }));
    for (const std::string& key : keys) {
        store_.erase(key);
        TIDAL_ASSIGN(const RelationKey at, decode_relation_key(key));
        if (at.kind != kFriendsKind) continue;
        const auto named = named_by_.find(at.creator);
        named->second.erase(user);
        if (named->second.empty()) named_by_.erase(named);
    }
    rows_ -= keys.size();
    users_.erase(user);
    return {};
}

Result<void> Relationships::erase_friend(const EntityId& user) {
    const auto named = named_by_.find(user);
    if (named == named_by_.end()) return {};
    for (const EntityId& by : named->second) {
        const RelationKey key{by, kFriendsKind, user};
        store_.erase(encode_relation_key(key));
        --rows_;
        const auto found = users_.find(by);
        if (found == users_.end()) continue;
        found->second[kFriendsKind].erase(user);
        if (std::ranges::all_of(found->second, &Since::empty)) users_.erase(found);
    }
    named_by_.erase(named);
    return {};
}

Result<std::uint64_t> Relationships::content_hash() {
    std::uint64_t hash = 0;
    TIDAL_TRY(store_.scan(kRelationPrefix, [&](std::string_view key, std::string_view value) {
        Encoder row;
        row.u64(hash);
        row.bytes(key);
        row.bytes(value);
        hash = hash64(row.view());
        return true;
    }));
    return hash;
}

}  // namespace tidal::audience
