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
        out->silent_.erase(silent(&read));
        read.taste = std::move(*taste);
        read.hour = read.taste.newest_hour();
        if (read.taste.erased() == HybridTime()) out->silent_.insert(silent(&read));
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
    if (place != nullptr) return *place;
    if (unused_.empty()) {
        place = std::make_unique<User>();
    } else {
        place = std::move(unused_.back());
        unused_.pop_back();
    }
    place->id = user;
    taste_bytes_ += place->taste.bytes();
    silent_.insert(silent(place.get()));
    return *place;
}

Tastes::Silent Tastes::silent(User* user) {
    return {user->hour, hash64(taste_row_key(user->id)), user};
}

void Tastes::set_hour(User* user) {
    const TasteHour hour = user->taste.newest_hour();
    if (hour == user->hour) return;
    const bool replaceable = silent_.erase(silent(user)) != 0;
    user->hour = hour;
    if (replaceable) silent_.insert(silent(user));
}

/// Two for one, so that a budget that was lowered comes down, a little with each who comes.
bool Tastes::make_room(UnixMillis at_ms) {
    bool room = stats().bytes < options_.bytes_max;
    for (int gone = 0; gone < 2 && stats().bytes >= options_.bytes_max; ++gone) {
        if (silent_.empty() || hour_of_taste(at_ms) < silent_.begin()->hour) return room;
        forget(silent_.begin()->user);
        room = true;
    }
    return room;
}

void Tastes::forget(User* user) {
    silent_.erase(silent(user));
    if (backlog_.settle(&user->mark)) write(*user);
    store_.erase(taste_row_key(user->id));
    taste_bytes_ -= user->taste.bytes();
    const auto place = users_.find(user->id);
    unused_.push_back(std::move(place->second));
    users_.erase(place);
    *user = User();
    ++forgotten_;
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
    const bool is_known = found != users_.end();
    if (!is_known) {
        if (event.taken_back) return {};
        if (!make_room(event.at_ms)) {
            ++refused_;
            return {};
        }
    }
    User& place = is_known ? *found->second : place_of(user);
    bool is_new = false;
    change(&place, [&](Taste* taste) { is_new = taste->apply(event); });
    // Nearly always the hour is the one that is known.
    if (event.taken_back || hour_of_taste(event.at_ms) > place.hour) set_hour(&place);
    if (!is_new) return {};
    return place.taste.liked_before(event.item, kPairs);
}

void Tastes::erase_user(const EntityId& user, HybridTime stamp) {
    User& place = place_of(user);
    silent_.erase(silent(&place));
    change(&place, [&](Taste* taste) { taste->erase(stamp); });
    set_hour(&place);
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
    constexpr std::uint64_t kPlaceBytes = 128;
    return {users_.size(), taste_bytes_ + kPlaceBytes * users_.size(), refused_, forgotten_};
}

}  // namespace tidal::audience
