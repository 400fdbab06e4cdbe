#include "audience/tastes.h"

#include "audience/internal/hold_row.h"

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
        out->row_bytes_ += value.size();
        out->rows_.emplace(std::move(*user), value);
        return true;
    }));
    TIDAL_TRY(std::move(outcome));
    return out;
}

Result<std::optional<Taste>> Tastes::find(const EntityId& user) const {
    const auto found = rows_.find(user);
    if (found == rows_.end()) return std::optional<Taste>();
    TIDAL_ASSIGN(Taste taste, decode_taste(found->second));
    return std::optional<Taste>(std::move(taste));
}

Result<HybridTime> Tastes::erased(const EntityId& user) const {
    const auto found = rows_.find(user);
    if (found == rows_.end()) return HybridTime();
    return decode_erased(found->second);
}

void Tastes::write(const EntityId& user, const Taste& taste) {
    std::string& row = rows_[user];
    row_bytes_ -= row.size();
    row = encode_taste(taste);
    row_bytes_ += row.size();
    store_.put(taste_row_key(user), row);
}

Result<Tastes::LikedBefore> Tastes::apply(const EntityId& user, const TasteEvent& event) {
    TIDAL_ASSIGN(auto taste, find(user));
    if (!taste) {
        if (event.taken_back) return LikedBefore();
        if (stats().bytes >= options_.bytes_max) {
            ++refused_;
            return LikedBefore();
        }
        taste.emplace();
    }
    const bool is_new = taste->apply(event);
    write(user, *taste);
    return is_new ? LikedBefore(taste->liked_before(event.item, kPairs)) : LikedBefore();
}

void Tastes::erase_user(const EntityId& user, HybridTime stamp) {
    Taste gone;
    gone.erased = stamp;
    write(user, gone);
}

Tastes::Stats Tastes::stats() const {
    constexpr std::uint64_t kPlaceBytes = 96;
    return {rows_.size(), row_bytes_ + kPlaceBytes * rows_.size(), refused_};
}

}  // namespace tidal::audience
