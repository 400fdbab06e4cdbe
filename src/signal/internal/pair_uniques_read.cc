#include <algorithm>

#include "base/codec.h"
#include "base/hash.h"
#include "signal/internal/pair_uniques.h"
#include "signal/internal/time_cells.h"

namespace tidal::signal {

namespace {

/// Reading needs no mark of change.
UserList read_list(const SlabHeap& heap, BlockHandle block) {
    return {const_cast<std::byte*>(heap.read(block)), heap.capacity(block)};
}

}  // namespace

Result<double> PairUniques::estimate(Slot slot, SignalTypeId type, UnixMillis now) {
    if (type.value() >= signals_.size() || signals_[type.value()].slice_ms == 0) return 0.0;
    const Signal& signal = signals_[type.value()];
    const BlockHandle block = signal.directory.get(slot);
    if (block == 0) return 0.0;
    // Slice i counts when it lies in [slice(now) - 8, slice(now)].
    const auto& head = *reinterpret_cast<const UserHead*>(heap_.read(block));
    const std::int64_t first = head.newest_slice - floor_div(clamp_time(now), signal.slice_ms);
    const auto counts = [&](std::int64_t i) { return i >= first && i <= first + 8; };
    if (head.form == UserForm::kList) {
        std::uint16_t window = 0;
        for (int i = 0; i < kSlicesKept; ++i)
            if (counts(i)) window = static_cast<std::uint16_t>(window | 1U << i);
        const UserList list = read_list(heap_, block);
        std::size_t users = 0;
        for (std::size_t i = 0; i < list.size(); ++i) users += (list.mask(i) & window) != 0;
        return static_cast<double>(users);
    }
    Registers registers{};
    const auto& sketches = static_cast<const UserSketches&>(head);
    for (int i = 0; i < kSlicesKept; ++i)
        if (counts(i) && sketches.slices[i] != 0)
            merge_sketch(heap_.read(sketches.slices[i]), &registers);
    return estimate_users(registers);
}

Result<std::uint64_t> PairUniques::content_hash(Slot slot) {
    Encoder content;
    for (std::size_t id = 0; id < signals_.size(); ++id) {
        const Signal& signal = signals_[id];
        const BlockHandle block = signal.directory.get(slot);
        if (block == 0 || !signal.newest) continue;
        const auto& head = *reinterpret_cast<const UserHead*>(heap_.read(block));
        const std::int64_t steps = signal.newest_slice() - head.newest_slice;
        Encoder pair;
        if (head.form == UserForm::kList) {
            const UserList list = read_list(heap_, block);
            std::vector<std::pair<std::uint64_t, std::uint16_t>> users;
            for (std::size_t i = 0; i < list.size(); ++i)
                if (const auto mask = UserList::shifted(list.mask(i), steps); mask != 0)
                    users.emplace_back(list.user(i), mask);
            std::sort(users.begin(), users.end());
            for (const auto& [user, mask] : users) {
                pair.u64(user);
                pair.u16(mask);
            }
        } else {
            const auto& sketches = static_cast<const UserSketches&>(head);
            for (std::int64_t i = 0; i < kSlicesKept; ++i) {
                if (sketches.slices[i] == 0 || i + steps >= kSlicesKept) continue;
                Registers registers{};
                merge_sketch(heap_.read(sketches.slices[i]), &registers);
                pair.u8(static_cast<std::uint8_t>(i + steps));
                pair.raw({reinterpret_cast<const char*>(registers.data()), registers.size()});
            }
        }
        if (pair.size() == 0) continue;
        content.u16(static_cast<std::uint16_t>(id));
        content.u8(static_cast<std::uint8_t>(head.form));
        content.i64(signal.newest_slice());
        content.bytes(pair.view());
    }
    return content.size() == 0 ? 0 : hash64(content.view());
}

}  // namespace tidal::signal
