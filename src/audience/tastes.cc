#include "audience/tastes.h"

#include "audience/internal/hold_row.h"
#include "base/hash.h"

namespace tidal::audience {
namespace {

std::string taste_row_key(const EntityId& user) {
    std::string key(kTastePrefix);
    append_id(user, &key);
    return key;
}

}  // namespace

Result<std::unique_ptr<Tastes>> Tastes::open(const Options& options, storage::ShardStore& store) {
    std::unique_ptr<Tastes> out(new Tastes(options, store));
    Result<void> outcome;
    TIDAL_TRY(store.scan(kTastePrefix, [&](std::string_view key, std::string_view value) {
        auto user = read_id(key.substr(kTastePrefix.size()));
        auto taste = user.ok() ? decode_taste(value) : Result<Taste>(user.take_error());
        if (!taste.ok()) {
            outcome = taste.take_error();
            return false;
        }
        User& read = out->place_of(*user);
        out->taste_bytes_ += taste->bytes() - read.taste.bytes();
        read.taste = std::move(*taste);
        return true;
    }));
    TIDAL_TRY(std::move(outcome));
    return out;
}

const Taste* Tastes::find(const EntityId& user) const {
    const auto found = users_.find(user);
    return found == users_.end() ? nullptr : &found->second->taste;
}

Tastes::User& Tastes::place_of(const EntityId& user) {
    auto& place = users_.try_emplace(user).first->second;
    if (place == nullptr) {
        place = std::make_unique<User>();
        place->id = user;
        taste_bytes_ += place->taste.bytes();
    }
    return *place;
}

template <typename Change>
void Tastes::change(User* user, Change change) {
    if (backlog_.touch(user, &user->mark)) write(*user);
    taste_bytes_ -= user->taste.bytes();
    change(&user->taste);
    taste_bytes_ += user->taste.bytes();
}

Tastes::LikedBefore Tastes::apply(const EntityId& user, const TasteEvent& event) {
    const auto found = users_.find(user);
    if (found == users_.end()) {
        if (event.taken_back) return {};
        if (stats().bytes >= options_.bytes_max) {
            ++refused_;
            return {};
        }
    }
    User& place = found == users_.end() ? place_of(user) : *found->second;
    bool is_new = false;
    change(&place, [&](Taste* taste) { is_new = taste->apply(event); });
    if (!is_new) return {};
    return place.taste.liked_before(event.item, kPairs);
}

void Tastes::erase_user(const EntityId& user, HybridTime stamp) {
    change(&place_of(user), [&](Taste* taste) { taste->erase(stamp); });
}

std::size_t Tastes::write(const User& user) {
    const std::string row = encode_taste(user.taste);
    store_.put_frozen(taste_row_key(user.id), row);
    return row.size();
}

bool Tastes::write_frozen_rows(std::size_t cost_max) {
    return backlog_.write_frozen(
        cost_max, [&](User* user) { return backlog_.settle(&user->mark) ? write(*user) : 0; });
}

std::uint64_t Tastes::content_hash() const {
    std::uint64_t sum = 0;
    for (const auto& [id, user] : users_) {
        Encoder row;
        row.bytes(taste_row_key(user->id));
        row.raw(encode_taste(user->taste));
        sum += hash64(row.view());
    }
    return sum;
}

Tastes::Stats Tastes::stats() const {
    constexpr std::uint64_t kPlaceBytes = 96;
    return {users_.size(), taste_bytes_ + kPlaceBytes * users_.size(), refused_};
}

}  // namespace tidal::audience
