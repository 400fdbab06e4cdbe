// audience/user_states.h: what users did with the items of one shard, as bitmaps.
// Why rows lie as they do: docs/decisions/0034-user-states.md. Format:
// docs/formats/audience_rows.md.
#pragma once

#include <functional>
#include <memory>
#include <roaring/roaring.hh>
#include <utility>
#include <vector>

#include "audience/internal/compact_id.h"
#include "audience/internal/hold_row.h"
#include "audience/internal/unwritten_holds.h"
#include "audience/state_names.h"
#include "storage/shard_store.h"

namespace tidal::audience {

/// What holds a state once it is set.
enum class Hold : std::uint8_t {
    kForGood,      ///< Only clear() ends it.
    kUntilUndone,  ///< A signal with a key: take_back() ends it, unless others hold the state too.
};

/// For each (user, state) the slots of the items the state holds of. A state holds while the
/// greatest stamp that set it is not below the greatest that cleared it, and something still holds
/// it. Rows are the truth; bitmaps equal a rebuild from rows. New rows follow memory at the latest
/// with a checkpoint, which write_rows() prepares. Every change is a function of the state and its
/// arguments. Errors are the store's. Threads: one at a time.
class UserStates {
public:
    struct Options {
        std::uint64_t bytes_max = 1ULL << 30;  ///< As stats().bytes counts.
    };
    static Result<std::unique_ptr<UserStates>> open(const Options& options,
                                                    storage::ShardStore& store,
                                                    const schema::Schema& schema);
    /// What is there stays.
    void set_bytes_max(std::uint64_t bytes_max) { options_.bytes_max = bytes_max; }
    void set_schema(const schema::Schema& schema) { names_ = StateNames(schema); }
    const StateNames& names() const { return names_; }

    /// False = the budget is spent and a hard negative is among `states` and not there yet: then
    /// set() would not keep it. To be asked before.
    bool admits(const EntityId& user, std::span<const StateId> states, Slot slot) const;
    /// Whether set() would keep it.
    bool has_room(const EntityId& user, StateId state, Slot slot) const {
        return !full() || holds(user, state, slot);
    }
    /// @param stamp  Of the record. At or above the budget a new state is not kept, but counted.
    Result<void> set(const EntityId& user, StateId state, Slot slot, HybridTime stamp, Hold hold);
    Result<void> clear(const EntityId& user, StateId state, Slot slot, HybridTime stamp);
    /// @param stamp  Of the signal that set it with kUntilUndone, and is taken back once.
    Result<void> take_back(const EntityId& user, StateId state, Slot slot, HybridTime stamp);
    /// Everything of an item.
    Result<void> drop_item(Slot slot);
    /// Everything of a user. @return whether there was anything.
    bool erase_user(const EntityId& user);

    /// nullptr = none. Valid until the next change.
    const Roaring* find(const EntityId& user, StateId state) const;
    bool holds(const EntityId& user, StateId state, Slot slot) const {
        const Roaring* const slots = find(user, state);
        return slots != nullptr && slots->contains(slot.value());
    }
    /// Since when the newest that set it holds it; 0 = it does not hold.
    Result<HybridTime> since(const EntityId& user, StateId state, Slot slot);

    /// Puts into the store what is not there yet, some `most` rows of it (those of an item go
    /// together), about 1 us each. @return whether nothing is left; until then new rows go to the
    /// store at once, so that it comes to an end.
    bool write_rows(std::size_t most);
    void prepare_checkpoint() { write_rows(unwritten_.size()); }

    /// Fetches what set() reads, one after the other, some signals later each. What is met on the
    /// way is good until the next change.
    class Met {
        friend class UserStates;
        const Roaring* slots = nullptr;
        const void* container = nullptr;
        std::uint8_t type = 0;  ///< Of it, as the bitmap has it.
    };
    struct Bits;
    using User = std::vector<Bits>;
    TIDAL_PREFETCHES void prefetch_user(const EntityId& user) const { users_.prefetch(user); }
    TIDAL_PREFETCHES void prefetch_item(Slot slot) const { unwritten_.prefetch(slot); }
    /// @return  nullptr = nothing is known.
    TIDAL_PREFETCHES const User* prefetch_states(const EntityId& user) const {
        const auto found = users_.find(user);
        if (found == users_.end()) return nullptr;
        for (const Bits& bits : found->second) __builtin_prefetch(&bits);
        return &found->second;
    }
    TIDAL_PREFETCHES Met prefetch_keys(const User* user, StateId state) const {
        Met met;
        if (user == nullptr) return met;
        const auto bits = std::ranges::find(*user, state, &Bits::state);
        if (bits == user->end()) return met;
        met.slots = &bits->held;
        const auto& containers = bits->held.roaring.high_low_container;
        __builtin_prefetch(containers.keys);
        __builtin_prefetch(containers.containers);
        __builtin_prefetch(containers.typecodes);
        return met;
    }
    TIDAL_PREFETCHES void prefetch_container(Slot slot, Met* met) const {
        if (met->slots == nullptr) return;
        const auto& containers = met->slots->roaring.high_low_container;
        const auto key = static_cast<std::uint16_t>(slot.value() >> 16);
        for (std::int32_t i = 0; i < containers.size; ++i) {
            if (containers.keys[i] != key) continue;
            met->container = containers.containers[i];
            met->type = containers.typecodes[i];
            __builtin_prefetch(met->container, 1);
        }
    }
    TIDAL_PREFETCHES void prefetch_slots(Slot slot, const Met& met) const {
        if (met.container == nullptr) return;
        if (met.type == BITSET_CONTAINER_TYPE_CODE) {
            const auto* const bits = static_cast<const bitset_container_t*>(met.container);
            __builtin_prefetch(bits->array + (slot.value() & 0xffff) / 64, 1);
        } else if (met.type == ARRAY_CONTAINER_TYPE_CODE) {
            const auto* const list = static_cast<const array_container_t*>(met.container);
            __builtin_prefetch(list->array + list->cardinality / 2, 1);
        }
    }

    struct Stats {
        std::uint64_t users = 0, rows = 0;
        std::uint64_t bytes = 0;    ///< Estimated from the two.
        std::uint64_t refused = 0;  ///< States not kept for want of memory, since the start.
    };
    Stats stats() const;
    /// Over all rows, which it writes, without slots and the order they came in.
    /// @param item_of  The item of a slot.
    Result<std::uint64_t> content_hash(const std::function<const EntityId&(Slot)>& item_of);

    /// One state of one user, in one line of the cache. A slot is in at most one of `held` and
    /// `cleared`.
    struct alignas(64) Bits {
        StateId state;
        Roaring held;
        /// What few users have of few states.
        struct Rare {
            Roaring undoable;  ///< Of those held, those that only signals with keys hold.
            Roaring cleared;   ///< Has a row that only says it was cleared.
        };
        std::unique_ptr<Rare> rare;  ///< nullptr = both are empty.

        Rare& make_rare() {
            if (rare == nullptr) rare = std::make_unique<Rare>();
            return *rare;
        }
        bool is_undoable(std::uint32_t slot) const {
            return rare != nullptr && rare->undoable.contains(slot);
        }
        bool is_cleared(std::uint32_t slot) const {
            return rare != nullptr && rare->cleared.contains(slot);
        }
        bool empty() const {
            return held.isEmpty() && (rare == nullptr || rare->cleared.isEmpty());
        }
    };

private:
    UserStates(const Options& options, storage::ShardStore& store, const schema::Schema& schema)
        : options_(options), store_(store), names_(schema) {}
    Result<void> load();
    /// A row that open() read: of the user with this number there.
    struct Loaded {
        std::uint32_t user = 0;
        std::uint32_t slot = 0;
        StateId state;
        bool in_force = false, undoable = false;
    };
    static void fill(std::span<const Loaded> rows, User* user);
    Bits* find_bits(const EntityId& user, StateId state);
    Bits& bits_of(const EntityId& user, StateId state);
    bool full() const { return stats().bytes >= options_.bytes_max; }
    Result<HoldRow> read(const StateKey& key);
    /// Of a row that was not there. @param bits  Of its user and state; nullptr = none are there.
    void add(const StateKey& key, Bits* bits, HybridTime stamp, bool undoable);
    void write_item(Slot slot);
    /// Row and bits; one without stamps is erased.
    void write(const StateKey& key, const HoldRow& row);
    void note(const StateKey& key, const HoldRow& row);
    void forget(const StateKey& key);

    Options options_;
    storage::ShardStore& store_;
    StateNames names_;
    CompactIdMap<User> users_;
    UnwrittenHolds unwritten_;
    bool writing_ = false;  ///< write_rows() has begun and something is left.
    std::uint64_t rows_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace tidal::audience
