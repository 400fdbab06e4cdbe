// signal/internal/user_list.h: up to 256 users with the slices of time each was seen in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tidal::signal {

inline constexpr std::size_t kExactUsersMax = 256;
/// The current slice, the 8 full ones of the window, and one more because a query may be up to 60 s
/// behind the newest event.
inline constexpr int kSlicesKept = 10;

/// How a pair keeps its users.
enum class UserForm : std::uint8_t { kList = 1, kSketches = 2 };

/// First bytes of a pair's block.
struct UserHead {
    UserForm form;
    std::uint8_t zero = 0;
    std::uint16_t count = 0;  ///< Users of a list.
    std::uint32_t zero_more = 0;
    std::int64_t newest_slice = 0;  ///< Slice i of a mask or sketch is newest_slice - i.
};
static_assert(sizeof(UserHead) == 16, "on disk");

/// A list in a block: head, hashes of 8 bytes, then masks of 2 bytes (bit i = seen in slice i).
class UserList {
public:
    static std::size_t bytes_for(std::size_t users) { return sizeof(UserHead) + users * 10; }

    UserList(std::byte* block, std::size_t capacity)
        : block_(block), users_max_((capacity - sizeof(UserHead)) / 10) {}

    UserHead& head() const { return *reinterpret_cast<UserHead*>(block_); }
    std::size_t size() const { return head().count; }
    std::size_t users_max() const { return users_max_; }
    std::uint64_t user(std::size_t i) const { return hashes()[i]; }
    std::uint16_t mask(std::size_t i) const { return masks()[i]; }
    /// Position of a user, or size().
    std::size_t find(std::uint64_t hash) const {
        std::size_t i = 0;
        while (i < size() && hashes()[i] != hash) ++i;
        return i;
    }
    void see(std::size_t i, std::uint16_t mask) { masks()[i] |= mask; }
    /// Room must be left.
    void append(std::uint64_t hash, std::uint16_t mask) {
        hashes()[head().count] = hash;
        masks()[head().count++] = mask;
    }
    /// Moves the slices on and forgets users seen in none that is left.
    void advance(std::int64_t newest_slice) {
        const std::int64_t steps = newest_slice - head().newest_slice;
        if (steps <= 0) return;
        std::uint16_t kept = 0;
        for (std::size_t i = 0; i < size(); ++i) {
            const std::uint16_t mask = shifted(masks()[i], steps);
            if (mask == 0) continue;
            hashes()[kept] = hashes()[i];
            masks()[kept++] = mask;
        }
        head().count = kept;
        head().newest_slice = newest_slice;
    }
    static std::uint16_t shifted(std::uint16_t mask, std::int64_t steps) {
        if (steps >= kSlicesKept) return 0;
        return static_cast<std::uint16_t>(mask << steps & ((1 << kSlicesKept) - 1));
    }

private:
    std::uint64_t* hashes() const {
        return reinterpret_cast<std::uint64_t*>(block_ + sizeof(UserHead));
    }
    std::uint16_t* masks() const {
        return reinterpret_cast<std::uint16_t*>(block_ + sizeof(UserHead) + users_max_ * 8);
    }
    std::byte* block_;
    std::size_t users_max_;
};

/// A pair with more users: one sketch per slice.
struct UserSketches : UserHead {
    std::uint32_t slices[kSlicesKept];  ///< Block of slice i; 0 = nobody.
};

}  // namespace tidal::signal
