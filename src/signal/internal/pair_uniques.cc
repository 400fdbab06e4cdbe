#include "signal/internal/pair_uniques.h"

#include <algorithm>
#include <cassert>

#include "base/codec.h"
#include "base/hash.h"
#include "signal/internal/time_cells.h"

namespace tidal::signal {

namespace {

constexpr std::uint8_t kUniquesVersion = 1;
constexpr std::size_t kFirstListUsers = 4;
constexpr std::size_t kFirstSketchBytes = 64;
/// Each add looks at so many directory entries, or so many pairs if they come first.
constexpr int kSweepEntries = 64;
constexpr int kSweepPairs = 2;

std::string uniques_prefix(EntityKind kind, RegionId origin) {
    std::string prefix = "u/";
    prefix += entity_kind_name(kind).front();
    prefix += '/';
    prefix.push_back(static_cast<char>(origin.value() >> 8));
    prefix.push_back(static_cast<char>(origin.value() & 0xff));
    prefix += '/';
    return prefix;
}

std::size_t larger_list(std::size_t users) {
    return std::min(users * 2, kExactUsersMax);
}
std::uint16_t bit_of(unsigned slice) {
    return static_cast<std::uint16_t>(1U << slice);
}

}  // namespace

PairUniques::PairUniques(const Options& options, storage::ShardStore& store)
    : options_(options),
      store_(store),
      prefix_(uniques_prefix(options.kind, options.origin)),
      heap_(store, prefix_ + "b/",
            static_cast<std::uint8_t>(0x80 | static_cast<unsigned>(options.kind))) {}

std::int64_t PairUniques::Signal::newest_slice() const {
    return floor_div(*newest, slice_ms);
}

void PairUniques::set_schema(const schema::Schema& schema) {
    for (std::size_t id = 0; id < schema.signals.size(); ++id) {
        const auto& unique = schema.signals[id].unique;
        const std::int64_t slice_ms = unique ? shape_of(unique->window).seconds * 1'000 / 8 : 0;
        if (id < signals_.size()) {
            signals_[id].slice_ms = slice_ms;
            continue;
        }
        std::string key = prefix_ + "d/";
        key.push_back(static_cast<char>(id >> 8));
        key.push_back(static_cast<char>(id & 0xff));
        signals_.push_back({slice_ms, std::nullopt, SlotDirectory(store_, std::move(key))});
    }
}

void PairUniques::prepare_checkpoint() {
    heap_.save();
    Encoder root;
    root.u8(kUniquesVersion);
    root.u64(refused_);
    root.u64(sweep_signal_);
    root.u64(sweep_slot_);
    root.varint(signals_.size());
    for (Signal& signal : signals_) {
        signal.directory.save();
        root.u8(signal.newest ? 1 : 0);
        root.svarint(signal.newest.value_or(0));
    }
    store_.put(prefix_ + "root", root.view());
}

Result<void> PairUniques::load(const schema::Schema& schema) {
    TIDAL_TRY(heap_.load());
    set_schema(schema);
    for (Signal& signal : signals_) TIDAL_TRY(signal.directory.load());
    TIDAL_ASSIGN(const auto root, store_.get(prefix_ + "root"));
    if (!root) return {};
    Decoder in(*root);
    const std::uint8_t version = in.u8();
    if (version != kUniquesVersion)
        return Error(ErrorCode::kIncompatible, "unique users of another version")
            .with("version", version);
    refused_ = in.u64();
    sweep_signal_ = in.u64();
    sweep_slot_ = in.u64();
    const std::size_t count = in.count(2);
    if (count > signals_.size())
        return Error(ErrorCode::kCorruption, "unique users of more signals than are declared");
    for (std::size_t id = 0; id < count; ++id) {
        const bool known = in.u8() != 0;
        const UnixMillis newest = in.svarint();
        if (known) signals_[id].newest = newest;
    }
    return in.finish("root of unique users");
}

UniqueTable::Stats PairUniques::stats() const {
    std::uint64_t bytes = heap_.page_bytes();
    for (const Signal& signal : signals_) bytes += signal.directory.page_bytes();
    return {heap_.block_bytes(), bytes, refused_};
}

bool PairUniques::has_room(std::size_t bytes) const {
    return heap_.block_bytes() + heap_.rounded(bytes) <= options_.bytes_max;
}

Result<void> PairUniques::add(Slot slot, SignalTypeId type, std::uint64_t user, UnixMillis at_ms) {
    if (type.value() >= signals_.size() || signals_[type.value()].slice_ms == 0) return {};
    sweep();
    Signal& signal = signals_[type.value()];
    const UnixMillis at = clamp_time(at_ms);
    signal.newest = std::max(at, signal.newest.value_or(at));
    const std::int64_t behind = signal.newest_slice() - floor_div(at, signal.slice_ms);
    if (behind >= kSlicesKept) return {};
    const auto slice = static_cast<unsigned>(behind);
    const Place place{slot, type.value()};
    const BlockHandle block = signal.directory.get(slot);
    if (block == 0 || !advance(place, block)) return add_to_new(place, user, slice);
    if (form_of(block) == UserForm::kSketches) return add_to_slice(block, user, slice);
    return add_to_list(place, block, user, slice);
}

Result<void> PairUniques::add_to_new(Place place, std::uint64_t user, unsigned slice) {
    const std::size_t bytes = UserList::bytes_for(kFirstListUsers);
    if (!has_room(bytes)) {
        ++refused_;
        return {};
    }
    TIDAL_ASSIGN(const BlockHandle block, heap_.allocate(bytes));
    UserList list = list_of(block);
    list.head() =
        UserHead{.form = UserForm::kList, .newest_slice = signals_[place.signal].newest_slice()};
    list.append(user, bit_of(slice));
    return signals_[place.signal].directory.set(place.slot, block);
}

Result<void> PairUniques::add_to_list(Place place, BlockHandle block, std::uint64_t user,
                                      unsigned slice) {
    UserList list = list_of(block);
    if (const std::size_t at = list.find(user); at != list.size()) {
        list.see(at, bit_of(slice));
        return {};
    }
    if (list.size() == kExactUsersMax) {
        TIDAL_ASSIGN(const auto sketches, to_sketches(place, block));
        if (sketches) return add_to_slice(*sketches, user, slice);
        ++refused_;
        return {};
    }
    if (list.size() == list.users_max()) {
        if (!has_room(UserList::bytes_for(larger_list(list.size())))) {
            ++refused_;
            return {};
        }
        TIDAL_ASSIGN(block, enlarge(place, block));
    }
    list_of(block).append(user, bit_of(slice));
    return {};
}

Result<BlockHandle> PairUniques::enlarge(Place place, BlockHandle block) {
    const std::size_t users = list_of(block).size();
    TIDAL_ASSIGN(const BlockHandle larger, heap_.allocate(UserList::bytes_for(larger_list(users))));
    const UserList from = list_of(block);
    UserList to = list_of(larger);
    to.head() = from.head();
    to.head().count = 0;
    for (std::size_t i = 0; i < users; ++i) to.append(from.user(i), from.mask(i));
    heap_.free(block);
    TIDAL_TRY(signals_[place.signal].directory.set(place.slot, larger));
    return larger;
}

Result<std::optional<BlockHandle>> PairUniques::to_sketches(Place place, BlockHandle block) {
    // Room for the most it can take, so that the conversion is whole or not at all.
    const std::size_t worst =
        heap_.rounded(sizeof(UserSketches)) + kSlicesKept * heap_.rounded(kDenseBytes);
    if (heap_.block_bytes() + worst > options_.bytes_max) return std::optional<BlockHandle>();
    TIDAL_ASSIGN(const BlockHandle sketches, heap_.allocate(sizeof(UserSketches)));
    auto* head = reinterpret_cast<UserSketches*>(heap_.write(sketches));
    *head = UserSketches{};
    head->form = UserForm::kSketches;
    head->newest_slice = list_of(block).head().newest_slice;
    for (std::size_t i = 0; i < list_of(block).size(); ++i) {
        const UserList list = list_of(block);
        for (unsigned slice = 0; slice < kSlicesKept; ++slice)
            if ((list.mask(i) & bit_of(slice)) != 0)
                TIDAL_TRY(add_to_slice(sketches, list.user(i), slice));
    }
    heap_.free(block);
    TIDAL_TRY(signals_[place.signal].directory.set(place.slot, sketches));
    return std::optional<BlockHandle>(sketches);
}

Result<void> PairUniques::add_to_slice(BlockHandle block, std::uint64_t user, unsigned slice) {
    auto* sketches = reinterpret_cast<UserSketches*>(heap_.write(block));
    BlockHandle sketch = sketches->slices[slice];
    if (sketch == 0) {
        if (!has_room(kFirstSketchBytes)) {
            ++refused_;
            return {};
        }
        TIDAL_ASSIGN(sketch, heap_.allocate(kFirstSketchBytes));
        start_sketch(heap_.write(sketch));
        sketches->slices[slice] = sketch;
    }
    while (add_to_sketch(heap_.write(sketch), heap_.capacity(sketch), user) == AddOutcome::kFull) {
        const std::size_t bytes = next_sketch_bytes(heap_.capacity(sketch));
        if (!has_room(bytes)) {
            ++refused_;
            return {};
        }
        TIDAL_ASSIGN(const BlockHandle larger, heap_.allocate(bytes));
        copy_sketch(heap_.read(sketch), heap_.write(larger), heap_.capacity(larger));
        heap_.free(sketch);
        sketches->slices[slice] = sketch = larger;
    }
    return {};
}

bool PairUniques::advance(Place place, BlockHandle block) {
    const std::int64_t newest = signals_[place.signal].newest_slice();
    // Nothing is forgotten within a slice: the page stays as the last checkpoint has it.
    if (head_of(block).newest_slice >= newest) return true;
    if (form_of(block) == UserForm::kList) {
        UserList list = list_of(block);
        list.advance(newest);
        if (list.size() != 0) return true;
    } else {
        advance_sketches(block, newest);
        const auto* head = reinterpret_cast<const UserSketches*>(heap_.read(block));
        if (std::any_of(head->slices, head->slices + kSlicesKept, [](auto s) { return s != 0; }))
            return true;
    }
    forget(place, block);
    return false;
}

void PairUniques::advance_sketches(BlockHandle block, std::int64_t newest_slice) {
    auto* head = reinterpret_cast<UserSketches*>(heap_.write(block));
    const std::int64_t steps = newest_slice - head->newest_slice;
    if (steps <= 0) return;
    for (std::int64_t i = kSlicesKept - 1; i >= 0; --i) {
        const BlockHandle sketch = head->slices[i];
        if (sketch != 0 && i + steps >= kSlicesKept) heap_.free(sketch);
    }
    for (std::int64_t i = kSlicesKept - 1; i >= 0; --i)
        head->slices[i] = i >= steps ? head->slices[i - steps] : 0;
    head->newest_slice = newest_slice;
}

void PairUniques::forget(Place place, BlockHandle block) {
    if (form_of(block) == UserForm::kSketches) {
        const auto* head = reinterpret_cast<const UserSketches*>(heap_.read(block));
        for (const BlockHandle sketch : head->slices)
            if (sketch != 0) heap_.free(sketch);
    }
    heap_.free(block);
    // Clearing an entry that exists needs no page.
    [[maybe_unused]] const bool cleared = signals_[place.signal].directory.set(place.slot, 0).ok();
    assert(cleared);
}

void PairUniques::sweep() {
    int pairs = 0;
    for (int looked = 0; looked < kSweepEntries && pairs < kSweepPairs; ++looked) {
        if (sweep_signal_ >= signals_.size()) {
            sweep_signal_ = 0;
            return;
        }
        Signal& signal = signals_[sweep_signal_];
        if (sweep_slot_ >= signal.directory.slot_end() || !signal.newest || signal.slice_ms == 0) {
            ++sweep_signal_;
            sweep_slot_ = 0;
            continue;
        }
        if (!signal.directory.has_page(sweep_slot_)) {
            sweep_slot_ =
                (sweep_slot_ / SlotDirectory::kSlotsPerPage + 1) * SlotDirectory::kSlotsPerPage;
            continue;
        }
        const Place place{Slot(static_cast<std::uint32_t>(sweep_slot_++)), sweep_signal_};
        const BlockHandle block = signal.directory.get(place.slot);
        if (block == 0) continue;
        ++pairs;
        advance(place, block);
    }
    // What the next add is going to look at lies anywhere in memory.
    if (sweep_signal_ >= signals_.size()) return;
    const SlotDirectory& directory = signals_[sweep_signal_].directory;
    for (unsigned ahead = 0; ahead < kSweepPairs; ++ahead) {
        const Slot slot(static_cast<std::uint32_t>(sweep_slot_) + ahead);
        if (const BlockHandle block = directory.get(slot); block != 0)
            __builtin_prefetch(heap_.read(block));
    }
}

void PairUniques::drop(Slot slot) {
    for (std::size_t id = 0; id < signals_.size(); ++id)
        if (const BlockHandle block = signals_[id].directory.get(slot); block != 0)
            forget({slot, id}, block);
}

}  // namespace tidal::signal
