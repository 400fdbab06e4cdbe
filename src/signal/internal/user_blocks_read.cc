#include <algorithm>
#include <vector>

#include "signal/hyperloglog.h"
#include "signal/internal/user_blocks.h"

namespace tidal::signal {

namespace {

/// Reading needs no mark of change.
UserList read_list(const SlabHeap& heap, BlockHandle block) {
    return {const_cast<std::byte*>(heap.read(block)), heap.capacity(block)};
}

void encode_list(const UserList& list, std::int64_t steps, Encoder* out) {
    std::vector<std::pair<std::uint64_t, std::uint16_t>> users;
    for (std::size_t i = 0; i < list.size(); ++i)
        if (const auto mask = UserList::shifted(list.mask(i), steps); mask != 0)
            users.emplace_back(list.user(i), mask);
    std::sort(users.begin(), users.end());
    for (const auto& [user, mask] : users) {
        out->u64(user);
        out->u16(mask);
    }
}

}  // namespace

double UserBlocks::estimate(BlockHandle block, std::int64_t slice_of_now) const {
    // Slice i counts when it lies in [slice of now - 8, slice of now].
    const UserHead& head = head_of(block);
    const std::int64_t first = head.newest_slice - slice_of_now;
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

void UserBlocks::encode(BlockHandle block, std::int64_t newest_slice, Encoder* out) const {
    const UserHead& head = head_of(block);
    const std::int64_t steps = newest_slice - head.newest_slice;
    if (head.form == UserForm::kList) return encode_list(read_list(heap_, block), steps, out);
    const auto& sketches = static_cast<const UserSketches&>(head);
    for (std::int64_t i = 0; i < kSlicesKept; ++i) {
        if (sketches.slices[i] == 0 || i + steps >= kSlicesKept) continue;
        Registers registers{};
        merge_sketch(heap_.read(sketches.slices[i]), &registers);
        out->u8(static_cast<std::uint8_t>(i + steps));
        out->raw({reinterpret_cast<const char*>(registers.data()), registers.size()});
    }
}

}  // namespace tidal::signal
