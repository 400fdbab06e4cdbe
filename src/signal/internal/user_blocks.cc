#include "signal/internal/user_blocks.h"

#include <algorithm>

#include "signal/hyperloglog.h"

namespace tidal::signal {

namespace {

constexpr std::size_t kFirstListUsers = 4;
constexpr std::size_t kFirstSketchBytes = 64;

std::size_t larger_list(std::size_t users) {
    return std::min(users * 2, kExactUsersMax);
}
std::uint16_t bit_of(unsigned slice) {
    return static_cast<std::uint16_t>(1U << slice);
}

}  // namespace

Result<void> UserBlocks::add(BlockHandle* block, std::uint64_t user, std::int64_t newest_slice,
                             unsigned slice) {
    if (*block == 0) return add_to_new(block, user, newest_slice, slice);
    if (form_of(*block) == UserForm::kSketches) return add_to_slice(*block, user, slice);
    return add_to_list(block, user, slice);
}

Result<void> UserBlocks::add_to_new(BlockHandle* block, std::uint64_t user,
                                    std::int64_t newest_slice, unsigned slice) {
    const std::size_t bytes = UserList::bytes_for(kFirstListUsers);
    if (!has_room(bytes)) {
        ++refused_;
        return {};
    }
    TIDAL_ASSIGN(*block, heap_.allocate(bytes));
    UserList list = list_of(*block);
    list.head() = UserHead{.form = UserForm::kList, .newest_slice = newest_slice};
    list.append(user, bit_of(slice));
    return {};
}

Result<void> UserBlocks::add_to_list(BlockHandle* block, std::uint64_t user, unsigned slice) {
    UserList list = list_of(*block);
    if (const std::size_t at = list.find(user); at != list.size()) {
        list.see(at, bit_of(slice));
        return {};
    }
    if (list.size() == kExactUsersMax) {
        TIDAL_ASSIGN(const bool done, to_sketches(block));
        if (done) return add_to_slice(*block, user, slice);
        ++refused_;
        return {};
    }
    if (list.size() == list.users_max()) {
        if (!has_room(UserList::bytes_for(larger_list(list.size())))) {
            ++refused_;
            return {};
        }
        TIDAL_TRY(enlarge(block));
    }
    list_of(*block).append(user, bit_of(slice));
    return {};
}

Result<void> UserBlocks::enlarge(BlockHandle* block) {
    const std::size_t users = list_of(*block).size();
    TIDAL_ASSIGN(const BlockHandle larger, heap_.allocate(UserList::bytes_for(larger_list(users))));
    const UserList from = list_of(*block);
    UserList to = list_of(larger);
    to.head() = from.head();
    to.head().count = 0;
    for (std::size_t i = 0; i < users; ++i) to.append(from.user(i), from.mask(i));
    heap_.free(*block);
    *block = larger;
    return {};
}

Result<bool> UserBlocks::to_sketches(BlockHandle* block) {
    // Room for the most it can take, so that the conversion is whole or not at all.
    const std::size_t worst =
        heap_.rounded(sizeof(UserSketches)) + kSlicesKept * heap_.rounded(kDenseBytes);
    if (heap_.block_bytes() + worst > bytes_max_) return false;
    TIDAL_ASSIGN(const BlockHandle sketches, heap_.allocate(sizeof(UserSketches)));
    auto* head = reinterpret_cast<UserSketches*>(heap_.write(sketches));
    *head = UserSketches{};
    head->form = UserForm::kSketches;
    head->newest_slice = list_of(*block).head().newest_slice;
    for (std::size_t i = 0; i < list_of(*block).size(); ++i) {
        const UserList list = list_of(*block);
        for (unsigned slice = 0; slice < kSlicesKept; ++slice)
            if ((list.mask(i) & bit_of(slice)) != 0)
                TIDAL_TRY(add_to_slice(sketches, list.user(i), slice));
    }
    heap_.free(*block);
    *block = sketches;
    return true;
}

Result<void> UserBlocks::add_to_slice(BlockHandle block, std::uint64_t user, unsigned slice) {
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

bool UserBlocks::advance(BlockHandle block, std::int64_t newest_slice) {
    // Nothing is forgotten within a slice: the page stays as the last checkpoint has it.
    if (head_of(block).newest_slice >= newest_slice) return true;
    if (form_of(block) == UserForm::kList) {
        UserList list = list_of(block);
        list.advance(newest_slice);
        if (list.size() != 0) return true;
    } else {
        advance_sketches(block, newest_slice);
        const auto* head = reinterpret_cast<const UserSketches*>(heap_.read(block));
        if (std::any_of(head->slices, head->slices + kSlicesKept, [](auto s) { return s != 0; }))
            return true;
    }
    forget(block);
    return false;
}

void UserBlocks::advance_sketches(BlockHandle block, std::int64_t newest_slice) {
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

void UserBlocks::forget(BlockHandle block) {
    if (form_of(block) == UserForm::kSketches) {
        const auto* head = reinterpret_cast<const UserSketches*>(heap_.read(block));
        for (const BlockHandle sketch : head->slices)
            if (sketch != 0) heap_.free(sketch);
    }
    heap_.free(block);
}

}  // namespace tidal::signal
