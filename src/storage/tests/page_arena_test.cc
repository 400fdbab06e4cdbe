// Addresses stay, freed pages come back zeroed and lowest first, and a frozen generation is
// bit-exact whatever is written, freed or allocated meanwhile.
#include "storage/page_arena.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "storage/internal/arena.h"
#include "storage/tests/store_fixture.h"

namespace tidal::storage {
namespace page_arena_test {

using internal::Arena;

std::unique_ptr<Arena> make_arena(std::uint64_t bytes_max = 1ULL << 30) {
    auto arena = Arena::create({.bytes_max = bytes_max});
    EXPECT_TRUE(arena.ok());
    return std::move(arena).value();
}

bool all_zero(const std::byte* bytes) {
    return std::all_of(bytes, bytes + kPageBytes, [](std::byte b) { return b == std::byte{0}; });
}

TEST(PageArena, RefusesSizesItCannotKeep) {
    EXPECT_EQ(PageArena::create({.bytes_max = 0}).error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(PageArena::create({.bytes_max = kPageBytes + 1}).error().code(),
              ErrorCode::kInvalidArgument);
    EXPECT_EQ(PageArena::create({.bytes_max = 1ULL << 60}).error().code(),
              ErrorCode::kInvalidArgument);
    // 64 TiB minus a page: the ids would do, but no machine has the address space left.
    const auto refused = PageArena::create({.bytes_max = (1ULL << 46) - kPageBytes});
    EXPECT_TRUE(refused.ok() || refused.error().code() == ErrorCode::kOverloaded);
}

TEST(PageArena, FullIsAnErrorAndFreeingMakesRoom) {
    auto arena = make_arena(3 * kPageBytes);
    for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(must(arena->allocate()), PageId(i));
    EXPECT_EQ(arena->allocate().error().code(), ErrorCode::kOverloaded);
    arena->free(PageId(1));
    EXPECT_EQ(must(arena->allocate()), PageId(1));
}

TEST(PageArena, AddressesStayWhileItGrows) {
    auto arena = make_arena();
    const PageId first = must(arena->allocate());
    const std::byte* const address = arena->data(first);
    fill(*arena, first, 42);
    for (int i = 0; i < 3000; ++i)
        fill(*arena, must(arena->allocate()), static_cast<std::uint64_t>(i));
    EXPECT_EQ(arena->data(first), address);
    EXPECT_EQ(value_of(*arena, first), 42u);
    EXPECT_EQ(arena->page_count(), 3001u);
    EXPECT_EQ(arena->bytes_resident(), 3001 * kPageBytes);
}

TEST(PageArena, FreedPagesComeBackZeroedAndLowestFirst) {
    auto arena = make_arena();
    for (int i = 0; i < 8; ++i) fill(*arena, must(arena->allocate()), 7);
    for (const std::uint32_t page : {5u, 2u, 6u}) arena->free(PageId(page));
    EXPECT_FALSE(arena->allocated(PageId(2)));
    for (const std::uint32_t page : {2u, 5u, 6u, 8u}) {
        EXPECT_EQ(must(arena->allocate()), PageId(page));
        EXPECT_TRUE(all_zero(arena->data(PageId(page))));
    }
}

TEST(PageArena, ThawWithoutKeepMakesPagesDirtyAgain) {
    auto arena = make_arena();
    for (int i = 0; i < 4; ++i) fill(*arena, must(arena->allocate()), 1);
    arena->freeze();
    EXPECT_EQ(arena->dirty_count(), 0u);
    EXPECT_FALSE(arena->take(2));
    fill(*arena, PageId(0), 2);
    EXPECT_EQ(arena->dirty_count(), 1u);
    arena->thaw(false);
    EXPECT_EQ(arena->dirty_count(), 4u);
    arena->freeze();
    while (!arena->take(1)) {
    }
    EXPECT_EQ(arena->taken().size(), 4u);
    arena->thaw(true);
    EXPECT_EQ(arena->dirty_count(), 0u);
    EXPECT_EQ(arena->bytes_resident(), 4 * kPageBytes);
}

/// One random history of an arena beside the model of what each freeze should hold.
class History {
public:
    explicit History(std::uint64_t seed) : random_(seed) {}

    void step() {
        switch (random_.below(10)) {
            case 0:
            case 1:
                allocate();
                break;
            case 2:
                free();
                break;
            case 3:
            case 4:
            case 5:
            case 6:
                write();
                break;
            case 7:
                if (!arena_->frozen()) freeze();
                break;
            case 8:
                if (arena_->frozen()) arena_->take(random_.below(3));
                break;
            case 9:
                if (arena_->frozen()) finish();
                break;
        }
    }
    void check_now() const {
        for (std::uint32_t page = 0; page < arena_->page_count(); ++page) {
            RC_ASSERT(arena_->allocated(PageId(page)) == now_.contains(page));
            if (now_.contains(page)) RC_ASSERT(value_of(*arena_, PageId(page)) == now_.at(page));
        }
    }

private:
    using Pages = std::map<std::uint32_t, std::uint64_t>;

    PageId pick() {
        auto it = now_.begin();
        std::advance(it, random_.below(now_.size()));
        return PageId(it->first);
    }
    void allocate() {
        if (now_.size() >= 12) return;
        const PageId page = must(arena_->allocate());
        RC_ASSERT(!now_.contains(page.value()));
        RC_ASSERT(value_of(*arena_, page) == 0u);
        now_[page.value()] = 0;
        changed_.insert(page.value());
    }
    void free() {
        if (now_.empty()) return;
        const PageId page = pick();
        arena_->free(page);
        now_.erase(page.value());
        changed_.insert(page.value());
    }
    void write() {
        if (now_.empty()) return;
        const PageId page = pick();
        now_[page.value()] = ++value_;
        fill(*arena_, page, value_);
        changed_.insert(page.value());
    }
    void freeze() {
        frozen_ = now_;
        frozen_changed_ = std::exchange(changed_, {});
        RC_ASSERT(arena_->dirty_count() == frozen_changed_.size());
        arena_->freeze();
    }
    void finish() {
        const bool keep = random_.below(2) == 0;
        if (keep) {
            while (!arena_->take(2)) {
            }
            write_more();
            check_taken();
        } else {
            changed_.merge(frozen_changed_);
        }
        arena_->thaw(keep);
        RC_ASSERT(arena_->dirty_count() == changed_.size());
    }
    void write_more() {
        for (std::uint64_t i = random_.below(5); i > 0; --i) write();
    }
    void check_taken() const {
        RC_ASSERT(arena_->taken().size() == frozen_changed_.size());
        for (const Arena::Taken& taken : arena_->taken()) {
            const std::uint32_t page = taken.page.value();
            RC_ASSERT(frozen_changed_.contains(page));
            RC_ASSERT((taken.bytes != nullptr) == frozen_.contains(page));
            if (taken.bytes == nullptr) continue;
            std::uint64_t value = 0;
            std::memcpy(&value, taken.bytes, sizeof value);
            RC_ASSERT(value == frozen_.at(page));
            RC_ASSERT(std::memcmp(taken.bytes, taken.bytes + 8, kPageBytes - 8) == 0);
        }
    }

    runtime::SeededRandom random_;
    std::unique_ptr<Arena> arena_ = make_arena();
    Pages now_, frozen_;
    std::set<std::uint32_t> changed_, frozen_changed_;
    std::uint64_t value_ = 0;
};

RC_GTEST_PROP(PageArenaProperty, FrozenGenerationIsBitExact, ()) {
    History history(*rc::gen::arbitrary<std::uint64_t>());
    const int steps = *rc::gen::inRange(1, 1200);
    for (int i = 0; i < steps; ++i) history.step();
    history.check_now();
}

}  // namespace page_arena_test
}  // namespace tidal::storage
