#include "signal/internal/pair_uniques.h"

#include <algorithm>
#include <cassert>

#include "base/codec.h"
#include "base/hash.h"
#include "signal/internal/time_cells.h"

namespace tidal::signal {

namespace {

constexpr std::uint8_t kUniquesVersion = 1;
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

}  // namespace

PairUniques::PairUniques(const Options& options, storage::ShardStore& store)
    : options_(options),
      store_(store),
      prefix_(uniques_prefix(options.kind, options.origin)),
      heap_(store, prefix_ + "b/",
            static_cast<std::uint8_t>(0x80 | static_cast<unsigned>(options.kind))),
      users_(heap_, options.bytes_max) {}

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
    root.u64(users_.refused());
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
    users_.set_refused(in.u64());
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
    return {heap_.block_bytes(), bytes, users_.refused()};
}

Result<void> PairUniques::add(Slot slot, SignalTypeId type, std::uint64_t user, UnixMillis at_ms) {
    if (type.value() >= signals_.size() || signals_[type.value()].slice_ms == 0) return {};
    sweep();
    Signal& signal = signals_[type.value()];
    const UnixMillis at = clamp_time(at_ms);
    signal.newest = std::max(at, signal.newest.value_or(at));
    const std::int64_t behind = signal.newest_slice() - floor_div(at, signal.slice_ms);
    if (behind >= kSlicesKept) return {};
    const BlockHandle before = signal.directory.get(slot);
    BlockHandle block = before;
    if (block != 0 && !users_.advance(block, signal.newest_slice())) block = 0;
    const auto added =
        users_.add(&block, user, signal.newest_slice(), static_cast<unsigned>(behind));
    if (block != before) TIDAL_TRY(signal.directory.set(slot, block));
    return added;
}

bool PairUniques::advance(Place place, BlockHandle block) {
    if (users_.advance(block, signals_[place.signal].newest_slice())) return true;
    clear(place);
    return false;
}

void PairUniques::clear(Place place) {
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
    for (std::size_t id = 0; id < signals_.size(); ++id) {
        const BlockHandle block = signals_[id].directory.get(slot);
        if (block == 0) continue;
        users_.forget(block);
        clear({slot, id});
    }
}

Result<double> PairUniques::estimate(Slot slot, SignalTypeId type, UnixMillis now) {
    if (type.value() >= signals_.size() || signals_[type.value()].slice_ms == 0) return 0.0;
    const Signal& signal = signals_[type.value()];
    const BlockHandle block = signal.directory.get(slot);
    if (block == 0) return 0.0;
    return users_.estimate(block, floor_div(clamp_time(now), signal.slice_ms));
}

Result<std::uint64_t> PairUniques::content_hash(Slot slot) {
    Encoder content;
    for (std::size_t id = 0; id < signals_.size(); ++id) {
        const Signal& signal = signals_[id];
        const BlockHandle block = signal.directory.get(slot);
        if (block == 0 || !signal.newest) continue;
        Encoder pair;
        users_.encode(block, signal.newest_slice(), &pair);
        if (pair.size() == 0) continue;
        content.u16(static_cast<std::uint16_t>(id));
        content.u8(static_cast<std::uint8_t>(users_.form_of(block)));
        content.i64(signal.newest_slice());
        content.bytes(pair.view());
    }
    return content.size() == 0 ? 0 : hash64(content.view());
}

}  // namespace tidal::signal
