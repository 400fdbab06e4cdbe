#include "signal/internal/cohort_uniques.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "base/codec.h"
#include "base/hash.h"
#include "signal/internal/time_cells.h"

namespace tidal::signal {

namespace {

constexpr std::uint8_t kCohortUniquesVersion = 1;
constexpr std::string_view kCohortUniquesPrefix = "u/g/";
constexpr std::uint8_t kCohortUniquesOwner = 0x83;
constexpr std::size_t kFirstPairs = 2;
/// Each user looks at so many directory entries, or so many pairs if they come first.
constexpr int kSweepEntries = 64;
constexpr int kSweepPairs = 2;

std::string key_of(std::string_view name) {
    return std::string(kCohortUniquesPrefix) + std::string(name);
}

std::int64_t slice_of(UnixMillis at_ms, schema::Window window) {
    return floor_div(clamp_time(at_ms), shape_of(window).seconds * 1'000 / 8);
}

}  // namespace

CohortUniques::CohortUniques(const Options& options, storage::ShardStore& store)
    : store_(store),
      heap_(store, key_of("b/"), kCohortUniquesOwner),
      users_(heap_, options.bytes_max),
      directory_(store, key_of("d")) {}

void CohortUniques::prepare_checkpoint() {
    heap_.save();
    directory_.save();
    Encoder root;
    root.u8(kCohortUniquesVersion);
    root.u64(users_.refused());
    root.u64(sweep_slot_);
    root.u64(sweep_pair_);
    root.varint(newest_slices_.size());
    for (const auto& newest : newest_slices_) {
        root.u8(newest ? 1 : 0);
        root.svarint(newest.value_or(0));
    }
    store_.put(key_of("root"), root.view());
}

Result<void> CohortUniques::load() {
    TIDAL_TRY(heap_.load());
    TIDAL_TRY(directory_.load());
    TIDAL_ASSIGN(const auto root, store_.get(key_of("root")));
    if (!root) return {};
    Decoder in(*root);
    const std::uint8_t version = in.u8();
    if (version != kCohortUniquesVersion)
        return Error(ErrorCode::kIncompatible, "unique users of cohorts of another version")
            .with("version", version);
    users_.set_refused(in.u64());
    sweep_slot_ = in.u64();
    sweep_pair_ = in.u64();
    newest_slices_.resize(in.count(2));
    for (auto& newest : newest_slices_) {
        const bool known = in.u8() != 0;
        const std::int64_t slice = in.svarint();
        if (known) newest = slice;
    }
    return in.finish("root of unique users of cohorts");
}

UniqueTable::Stats CohortUniques::stats() const {
    return {heap_.block_bytes(), heap_.page_bytes() + directory_.page_bytes(), users_.refused()};
}

std::span<const CohortUniques::Pair> CohortUniques::pairs_in(BlockHandle block) const {
    if (block == 0) return {};
    const std::byte* const bytes = heap_.read(block);
    return {reinterpret_cast<const Pair*>(bytes + sizeof(Pairs)),
            reinterpret_cast<const Pairs*>(bytes)->count};
}

std::size_t CohortUniques::place_of(std::span<const Pair> pairs, Key key) {
    const auto found = std::ranges::lower_bound(pairs, key, {}, [](const Pair& pair) {
        return Key{pair.cohort, pair.signal};
    });
    return static_cast<std::size_t>(found - pairs.begin());
}

bool CohortUniques::is_at(std::span<const Pair> pairs, std::size_t at, Key key) {
    return at < pairs.size() && Key{pairs[at].cohort, pairs[at].signal} == key;
}

Result<void> CohortUniques::add(Slot slot, std::span<const CohortId> cohorts, SignalTypeId signal,
                                schema::Window window, std::uint64_t user, UnixMillis at_ms) {
    if (cohorts.empty()) return {};
    if (signal.value() >= newest_slices_.size()) newest_slices_.resize(signal.value() + 1);
    auto& newest = newest_slices_[signal.value()];
    const std::int64_t slice = slice_of(at_ms, window);
    newest = std::max(slice, newest.value_or(slice));
    const std::int64_t behind = *newest - slice;
    const bool counts = behind < kSlicesKept;
    for (const CohortId cohort : cohorts) {
        sweep();
        if (counts)
            TIDAL_TRY(add_one(slot, {cohort.value(), signal.value()},
                              {user, *newest, static_cast<unsigned>(behind)}));
    }
    return {};
}

Result<void> CohortUniques::add_one(Slot slot, Key key, const Seen& seen) {
    const std::span<const Pair> pairs = pairs_in(directory_.get(slot));
    const std::size_t at = place_of(pairs, key);
    if (is_at(pairs, at, key)) return add_to_pair(slot, at, seen);
    BlockHandle users = 0;
    TIDAL_TRY(users_.add(&users, seen.user, seen.newest_slice, seen.slice));
    if (users == 0) return {};
    TIDAL_ASSIGN(const bool done, insert(slot, at, key, users));
    if (done) return {};
    users_.forget(users);
    users_.count_refused();
    return {};
}

Result<void> CohortUniques::add_to_pair(Slot slot, std::size_t at, const Seen& seen) {
    const BlockHandle block = directory_.get(slot);
    const BlockHandle before = pairs_in(block)[at].users;
    BlockHandle users = users_.advance(before, seen.newest_slice) ? before : 0;
    const auto added = users_.add(&users, seen.user, seen.newest_slice, seen.slice);
    if (users == 0) {
        remove(slot, at);
    } else if (users != before) {
        changed_pairs(block)[at].users = users;
    }
    return added;
}

Result<bool> CohortUniques::insert(Slot slot, std::size_t at, Key key, BlockHandle users) {
    BlockHandle block = directory_.get(slot);
    const std::size_t count = pairs_in(block).size();
    if (count == kPairsMax) return false;
    if (block == 0 || bytes_for(count + 1) > heap_.capacity(block)) {
        const std::size_t more =
            block == 0 ? kFirstPairs : std::min(count + (count + 1) / 2, kPairsMax);
        if (!users_.has_room(bytes_for(more))) return false;
        TIDAL_ASSIGN(block, larger(block, more));
        TIDAL_TRY(directory_.set(slot, block));
    }
    Pair* const pairs = changed_pairs(block);
    std::memmove(pairs + at + 1, pairs + at, (count - at) * sizeof(Pair));
    pairs[at] = {key.cohort, key.signal, 0, users};
    reinterpret_cast<Pairs*>(heap_.write(block))->count = static_cast<std::uint32_t>(count + 1);
    return true;
}

Result<BlockHandle> CohortUniques::larger(BlockHandle block, std::size_t pairs) {
    TIDAL_ASSIGN(const BlockHandle out, heap_.allocate(bytes_for(pairs)));
    std::byte* const to = heap_.write(out);
    std::memset(to, 0, sizeof(Pairs));
    if (block == 0) return out;
    std::memcpy(to, heap_.read(block), bytes_for(pairs_in(block).size()));
    heap_.free(block);
    return out;
}

void CohortUniques::remove(Slot slot, std::size_t at) {
    const BlockHandle block = directory_.get(slot);
    const std::size_t count = pairs_in(block).size();
    if (count == 1) return forget_place(slot);
    Pair* const pairs = changed_pairs(block);
    std::memmove(pairs + at, pairs + at + 1, (count - at - 1) * sizeof(Pair));
    reinterpret_cast<Pairs*>(heap_.write(block))->count = static_cast<std::uint32_t>(count - 1);
}

void CohortUniques::forget_place(Slot slot) {
    heap_.free(directory_.get(slot));
    // Clearing an entry that exists needs no page.
    [[maybe_unused]] const bool cleared = directory_.set(slot, 0).ok();
    assert(cleared);
}

void CohortUniques::drop(Slot slot) {
    const BlockHandle block = directory_.get(slot);
    if (block == 0) return;
    for (const Pair& pair : pairs_in(block)) users_.forget(pair.users);
    forget_place(slot);
}

void CohortUniques::sweep() {
    int pairs = 0;
    for (int looked = 0; looked < kSweepEntries && pairs < kSweepPairs; ++looked) {
        if (sweep_slot_ >= directory_.slot_end()) {
            sweep_slot_ = sweep_pair_ = 0;
            return;
        }
        if (!directory_.has_page(sweep_slot_)) {
            sweep_slot_ =
                (sweep_slot_ / SlotDirectory::kSlotsPerPage + 1) * SlotDirectory::kSlotsPerPage;
            continue;
        }
        const Slot slot(static_cast<std::uint32_t>(sweep_slot_));
        const std::span<const Pair> all = pairs_in(directory_.get(slot));
        if (sweep_pair_ >= all.size()) {
            ++sweep_slot_;
            sweep_pair_ = 0;
            continue;
        }
        ++pairs;
        const Pair& pair = all[sweep_pair_];
        if (users_.advance(pair.users, *newest_slices_[pair.signal])) {
            ++sweep_pair_;
        } else {
            remove(slot, sweep_pair_);
        }
    }
}

double CohortUniques::estimate(Slot slot, CohortId cohort, SignalTypeId signal,
                               schema::Window window, UnixMillis now_ms) const {
    const std::span<const Pair> pairs = pairs_in(directory_.get(slot));
    const Key key{cohort.value(), signal.value()};
    const std::size_t at = place_of(pairs, key);
    if (!is_at(pairs, at, key)) return 0;
    return users_.estimate(pairs[at].users, slice_of(now_ms, window));
}

std::uint64_t CohortUniques::content_hash(Slot slot) const {
    Encoder content;
    for (const Pair& pair : pairs_in(directory_.get(slot))) {
        const std::int64_t newest = *newest_slices_[pair.signal];
        Encoder users;
        users_.encode(pair.users, newest, &users);
        if (users.size() == 0) continue;
        content.u32(pair.cohort);
        content.u16(pair.signal);
        content.u8(static_cast<std::uint8_t>(users_.form_of(pair.users)));
        content.i64(newest);
        content.bytes(users.view());
    }
    return content.size() == 0 ? 0 : hash64(content.view());
}

void CohortUniques::prefetch_pairs(Slot slot) const {
    if (const BlockHandle block = directory_.get(slot); block != 0)
        __builtin_prefetch(heap_.read(block), 1);
}

}  // namespace tidal::signal
