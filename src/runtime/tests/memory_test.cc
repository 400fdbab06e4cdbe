// What the process holds, as the system counts it, and what it can give back.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/internal/process_memory.h"
#include "runtime/real_runtime.h"
#include "runtime/sim_runtime.h"

namespace tidal::runtime {
namespace memory_test {

using internal::held_bytes_in;

constexpr std::uint64_t kMiB = 1 << 20;

TEST(HeldBytes, AreThePagesInMemoryAndInSwap) {
    const auto held = held_bytes_in(
        "Name:\tserver\nVmRSS:\t  9000 kB\nRssAnon:\t     112 kB\nRssFile:\t 8888 kB\n"
        "VmSwap:\t       8 kB\nThreads:\t3\n");
    ASSERT_TRUE(held.ok()) << held.error().to_string();
    EXPECT_EQ(*held, 120 * 1024U);
}

TEST(HeldBytes, AreUnknownWhereTheSystemDoesNotSayBoth) {
    for (const std::string status :
         {"", "Name:\tRssAnon: 7 kB\nVmSwap:\t 0 kB\n", "\nRssAnon:\t112 kB\n", "\nVmSwap:\t0 kB\n",
          "\nRssAnon:\t112 MB\nVmSwap:\t0 kB\n", "\nRssAnon:\tmany kB\nVmSwap:\t0 kB\n",
          "\nRssAnon:\nVmSwap:\t0 kB\n", "\nRssAnon:\t99999999999999999999 kB\nVmSwap:\t0 kB\n"}) {
        const auto held = held_bytes_in(status);
        ASSERT_FALSE(held.ok()) << status;
        EXPECT_EQ(held.error().code(), ErrorCode::kUnsupported);
    }
}

TEST(RealMemory, GrowsByWhatIsTouched) {
    auto runtime = make_real_runtime({});
    ASSERT_TRUE(runtime.ok());
    Memory& memory = (*runtime)->memory();
    const auto before = memory.held_bytes();
    ASSERT_TRUE(before.ok()) << before.error().to_string();
    EXPECT_GT(*before, 0U);
    const std::vector<char> touched(64 * kMiB, 1);
    const auto after = memory.held_bytes();
    ASSERT_TRUE(after.ok());
    EXPECT_GE(*after, *before + 60 * kMiB) << touched.back();
}

// A sanitizer's allocator keeps what is freed, to find who still uses it.
#if defined(__has_feature)
#define TIDAL_OWN_ALLOCATOR (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TIDAL_OWN_ALLOCATOR 1
#else
#define TIDAL_OWN_ALLOCATOR 0
#endif
#if !TIDAL_OWN_ALLOCATOR
TEST(RealMemory, GivesBackWhatTheAllocatorKeeps) {
    auto runtime = make_real_runtime({});
    ASSERT_TRUE(runtime.ok());
    Memory& memory = (*runtime)->memory();
    // Small ones below one that stays: nothing of them is given back by itself.
    constexpr std::size_t kEach = 1024, kCount = 64 * kMiB / kEach;
    std::vector<std::unique_ptr<std::string>> kept;
    for (std::size_t i = 0; i < kCount; ++i)
        kept.push_back(std::make_unique<std::string>(kEach, 'x'));
    const auto last = std::move(kept.back());
    kept.clear();
    const auto before = memory.held_bytes();
    ASSERT_TRUE(before.ok());
    memory.give_back();
    const auto after = memory.held_bytes();
    ASSERT_TRUE(after.ok());
    EXPECT_LE(*after + 32 * kMiB, *before) << last->size();
}
#endif

TEST(SimMemory, IsWhatATestSays) {
    SimWorld world(1);
    SimDisk disk;
    const auto node = world.create_node("n", disk);
    EXPECT_EQ(*node->memory().held_bytes(), 0U);
    node->set_held_bytes(100, 30);
    EXPECT_EQ(*node->memory().held_bytes(), 100U);
    node->memory().give_back();
    node->memory().give_back();
    EXPECT_EQ(*node->memory().held_bytes(), 70U);
}

}  // namespace memory_test
}  // namespace tidal::runtime
