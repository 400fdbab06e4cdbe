#include "audience/user_states.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <span>
#include <string>

#include "base/hash.h"

namespace tidal::audience {
namespace {

/// What a slot in a bitmap of its own container takes, and a user with a few states.
constexpr std::uint64_t kRowBytes = 64, kUserBytes = 256;

/// Relationships read these stamps and clear these states, so that the greatest counts.
bool keeps_newest_stamp(StateId state) {
    return state == kHidden || state == kSaved;
}

}  // namespace

Result<std::unique_ptr<UserStates>> UserStates::open(const Options& options,
                                                     storage::ShardStore& store,
                                                     const schema::Schema& schema) {
    std::unique_ptr<UserStates> states(new UserStates(options, store, schema));
    TIDAL_TRY(states->load());
    return states;
}

/// Rows lie by item and bitmaps by user: filled in the order of the rows every bit would be a few
/// misses of the cache, so the rows are put in order of users first.
Result<void> UserStates::load() {
    std::vector<Loaded> rows;
    std::vector<std::uint32_t> ends;  // How many rows each user has, then where they end.
    CompactIdMap<std::uint32_t> numbers;
    Result<void> outcome;
    TIDAL_TRY(store_.scan(kStatePrefix, [&](std::string_view key, std::string_view value) {
        auto at = decode_state_key(key);
        auto row = at.ok() ? decode_hold(value) : Result<HoldRow>(at.take_error());
        if (!row.ok()) {
            outcome = row.take_error();
            return false;
        }
        const auto [number, added] =
            numbers.try_emplace(at->user, static_cast<std::uint32_t>(ends.size()));
        if (added) ends.push_back(0);
        ++ends[number->second];
        rows.push_back(
            {number->second, at->slot.value(), at->state, row->in_force(), row->signals != 0});
        return true;
    }));
    TIDAL_TRY(std::move(outcome));
    rows_ = rows.size();
    std::exclusive_scan(ends.begin(), ends.end(), ends.begin(), 0U);
    std::vector<Loaded> by_user(rows.size());
    for (const Loaded& row : rows) by_user[ends[row.user]++] = row;
    users_.reserve(numbers.size());
    for (const auto& [user, number] : numbers) {
        const std::uint32_t begin = number == 0 ? 0 : ends[number - 1];
        fill(std::span(by_user).subspan(begin, ends[number] - begin), &users_[user.id()]);
    }
    return {};
}

/// @param rows  Of the user, by rising slot.
void UserStates::fill(std::span<const Loaded> rows, User* user) {
    std::vector<std::uint32_t> held, undoable, cleared;
    std::vector<StateId> done;
    for (const Loaded& first : rows) {
        if (std::ranges::find(done, first.state) != done.end()) continue;
        done.push_back(first.state);
        held.clear();
        undoable.clear();
        cleared.clear();
        for (const Loaded& row : rows) {
            if (row.state != first.state) continue;
            (row.in_force ? held : cleared).push_back(row.slot);
            if (row.undoable) undoable.push_back(row.slot);
        }
        Bits& bits = user->emplace_back();
        bits.state = first.state;
        bits.held = Roaring(held.size(), held.data());
        if (undoable.empty() && cleared.empty()) continue;
        bits.make_rare().undoable = Roaring(undoable.size(), undoable.data());
        bits.rare->cleared = Roaring(cleared.size(), cleared.data());
    }
}

UserStates::Bits* UserStates::find_bits(const EntityId& user, StateId state) {
    const auto found = users_.find(user);
    if (found == users_.end()) return nullptr;
    const auto bits = std::ranges::find(found->second, state, &Bits::state);
    return bits == found->second.end() ? nullptr : &*bits;
}

UserStates::Bits& UserStates::bits_of(const EntityId& user, StateId state) {
    User& states = users_[user];
    const auto bits = std::ranges::find(states, state, &Bits::state);
    if (bits != states.end()) return *bits;
    Bits& made = states.emplace_back();
    made.state = state;
    return made;
}

const Roaring* UserStates::find(const EntityId& user, StateId state) const {
    const auto found = users_.find(user);
    if (found == users_.end()) return nullptr;
    const auto bits = std::ranges::find(found->second, state, &Bits::state);
    return bits == found->second.end() ? nullptr : &bits->held;
}

UserStates::Stats UserStates::stats() const {
    return {users_.size(), rows_, rows_ * kRowBytes + users_.size() * kUserBytes, refused_};
}

Result<HoldRow> UserStates::read(const StateKey& key) {
    if (const auto row = unwritten_.find(key)) return *row;
    TIDAL_ASSIGN(const auto bytes, store_.get(encode_state_key(key)));
    if (!bytes)
        return Error(ErrorCode::kCorruption, "row of a user's state is missing")
            .with("user", key.user.to_string())
            .with("slot", key.slot.value());
    return decode_hold(*bytes);
}

void UserStates::note(const StateKey& key, const HoldRow& row) {
    const std::uint32_t slot = key.slot.value();
    Bits& bits = bits_of(key.user, key.state);
    if (!row.in_force()) {
        bits.held.remove(slot);
        bits.make_rare().undoable.remove(slot);
        bits.rare->cleared.add(slot);
        return;
    }
    bits.held.add(slot);
    if (row.signals != 0) bits.make_rare().undoable.add(slot);
    if (bits.rare == nullptr) return;
    bits.rare->cleared.remove(slot);
    if (row.signals == 0) bits.rare->undoable.remove(slot);
}

void UserStates::forget(const StateKey& key) {
    const auto user = users_.find(key.user);
    const auto bits = std::ranges::find(user->second, key.state, &Bits::state);
    bits->held.remove(key.slot.value());
    if (bits->rare != nullptr) {
        bits->rare->undoable.remove(key.slot.value());
        bits->rare->cleared.remove(key.slot.value());
    }
    if (!unwritten_.remove(key)) store_.erase(encode_state_key(key));
    --rows_;
    if (!bits->empty()) return;
    user->second.erase(bits);
    if (user->second.empty()) users_.erase(user);
}

void UserStates::add(const StateKey& key, Bits* bits, HybridTime stamp, bool undoable) {
    if (bits == nullptr) bits = &bits_of(key.user, key.state);
    bits->held.add(key.slot.value());
    if (undoable) bits->make_rare().undoable.add(key.slot.value());
    ++rows_;
    const std::size_t unwritten =
        unwritten_.add(key.slot, {CompactId(key.user), stamp, key.state, undoable});
    if (writing_ || unwritten >= UnwrittenHolds::kItemMax) write_item(key.slot);
}

void UserStates::write_item(Slot slot) {
    for (const UnwrittenHolds::Hold& hold : unwritten_.take(slot))
        store_.put(encode_state_key({slot, hold.state, hold.user.id()}), encode_hold(hold.row()));
}

bool UserStates::write_rows(std::size_t most) {
    const std::size_t left = unwritten_.size() - std::min(most, unwritten_.size());
    while (unwritten_.size() > left) write_item(unwritten_.next());
    writing_ = unwritten_.size() > 0;
    return !writing_;
}

void UserStates::write(const StateKey& key, const HoldRow& row) {
    unwritten_.remove(key);
    store_.put(encode_state_key(key), encode_hold(row));
    note(key, row);
}

bool UserStates::admits(const EntityId& user, std::span<const StateId> states, Slot slot) const {
    return !full() || std::ranges::find(states, kHidden) == states.end() ||
           holds(user, kHidden, slot);
}

Result<void> UserStates::set(const EntityId& user, StateId state, Slot slot, HybridTime stamp,
                             Hold hold) {
    const StateKey key{slot, state, user};
    const bool for_good = hold == Hold::kForGood;
    Bits* const bits = find_bits(user, state);
    const bool held = bits != nullptr && bits->held.contains(slot.value());
    const bool undoable = held && bits->is_undoable(slot.value());
    // Nothing to change: the usual case of a signal that comes again.
    if (held && !undoable && !keeps_newest_stamp(state)) return {};
    if (held) {
        TIDAL_ASSIGN(HoldRow row, read(key));
        if (stamp < row.cleared) return {};
        row.set = std::max(row.set, stamp);
        if (undoable) {
            row.signals = for_good ? 0 : row.signals + 1;
            row.first = for_good ? HybridTime() : std::min(row.first, stamp);
        }
        write(key, row);
        return {};
    }
    if (bits == nullptr || !bits->is_cleared(slot.value())) {
        // A hard negative that nobody asked admits() for came by the relay: it is kept whatever it
        // takes.
        if (full() && state != kHidden) {
            ++refused_;
            return {};
        }
        add(key, bits, stamp, !for_good);
        return {};
    }
    TIDAL_ASSIGN(const HoldRow before, read(key));
    if (stamp < before.cleared) return {};
    write(key, {.set = stamp,
                .cleared = before.cleared,
                .signals = for_good ? 0U : 1U,
                .first = for_good ? HybridTime() : stamp});
    return {};
}

Result<void> UserStates::clear(const EntityId& user, StateId state, Slot slot, HybridTime stamp) {
    const StateKey key{slot, state, user};
    const Bits* const bits = find_bits(user, state);
    const bool known =
        bits != nullptr && (bits->held.contains(slot.value()) || bits->is_cleared(slot.value()));
    HoldRow row;
    if (known) {
        TIDAL_ASSIGN(row, read(key));
    } else {
        if (full()) return {};  // Nothing holds, and nothing older arrives within a region.
        ++rows_;
    }
    row.cleared = std::max(row.cleared, stamp);
    // What was set later stays, and by which signals is not known one by one.
    row.signals = 0;
    row.first = HybridTime();
    if (row.set < row.cleared) row.set = HybridTime();
    write(key, row);
    return {};
}

Result<void> UserStates::take_back(const EntityId& user, StateId state, Slot slot,
                                   HybridTime stamp) {
    const Bits* const bits = find_bits(user, state);
    if (bits == nullptr || !bits->is_undoable(slot.value())) return {};
    const StateKey key{slot, state, user};
    TIDAL_ASSIGN(HoldRow row, read(key));
    if (stamp < row.cleared || stamp < row.first) return {};
    if (--row.signals == 0) {
        row.set = row.first = HybridTime();
        if (row.cleared == HybridTime()) {
            forget(key);
            return {};
        }
    }
    write(key, row);
    return {};
}

Result<void> UserStates::drop_item(Slot slot) {
    write_item(slot);  // Few; then all of them are found below.
    std::vector<StateKey> keys;
    Result<void> outcome;
    TIDAL_TRY(store_.scan(slot_prefix(slot), [&](std::string_view key, std::string_view) {
        auto at = decode_state_key(key);
        if (!at.ok()) {
            outcome = at.take_error();
            return false;
        }
        keys.push_back(std::move(*at));
        return true;
    }));
    TIDAL_TRY(std::move(outcome));
    for (const StateKey& key : keys) forget(key);
    return {};
}

bool UserStates::erase_user(const EntityId& user) {
    const auto found = users_.find(user);
    if (found == users_.end()) return false;
    for (const Bits& bits : found->second) {
        Roaring slots = bits.held;
        if (bits.rare != nullptr) slots |= bits.rare->cleared;
        for (const std::uint32_t slot : slots) {
            const StateKey key{Slot(slot), bits.state, user};
            if (!unwritten_.remove(key)) store_.erase(encode_state_key(key));
            --rows_;
        }
    }
    users_.erase(found);
    return true;
}

Result<HybridTime> UserStates::since(const EntityId& user, StateId state, Slot slot) {
    if (!holds(user, state, slot)) return HybridTime();
    TIDAL_ASSIGN(const HoldRow row, read({slot, state, user}));
    return row.set;
}

Result<std::uint64_t> UserStates::content_hash(
    const std::function<const EntityId&(Slot)>& item_of) {
    prepare_checkpoint();
    std::uint64_t sum = 0;
    Result<void> outcome;
    TIDAL_TRY(store_.scan(kStatePrefix, [&](std::string_view key, std::string_view value) {
        const auto at = decode_state_key(key);
        if (!at.ok()) {
            outcome = Error(at.error());
            return false;
        }
        Encoder row;
        std::string item;
        append_id(item_of(at->slot), &item);
        row.bytes(item);
        row.raw(key.substr(kStatePrefix.size() + 4));
        row.bytes(value);
        sum += hash64(row.view());  // A sum, so that the order of slots does not matter.
        return true;
    }));
    TIDAL_TRY(std::move(outcome));
    return sum;
}

}  // namespace tidal::audience
