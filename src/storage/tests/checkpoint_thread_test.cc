// A background thread writes checkpoints while the shard's thread goes on: under tsan this finds
// any race, and every checkpoint is the state at its freeze.
#include <gtest/gtest.h>

#include <thread>

#include "runtime/seeded_random.h"
#include "storage/tests/store_fixture.h"

namespace tidal::storage {
namespace checkpoint_thread_test {

TEST(CheckpointThread, WritesWhatWasFrozenWhileTheShardGoesOn) {
    runtime::SimDisk medium;
    Model frozen;
    {
        Life life = must(Life::open(medium));
        ShardStore& store = *life.store;
        runtime::SeededRandom random(1);
        Model now;
        const auto change = [&] {
            const std::string key = std::to_string(random.below(300));
            if (random.below(4) == 0) {
                store.erase(key);
                now.rows.erase(key);
            } else {
                now.rows[key] = std::to_string(random.u64());
                store.put(key, now.rows[key]);
            }
            PageId page(static_cast<std::uint32_t>(random.below(40)));
            if (!store.pages().allocated(page)) page = must(store.pages().allocate());
            if (random.below(8) == 0) {
                store.pages().free(page);
                now.pages.erase(page.value());
            } else {
                now.pages[page.value()] = random.u64();
                fill(store.pages(), page, now.pages[page.value()]);
            }
            const std::string asked = std::to_string(random.below(300));
            const auto it = now.rows.find(asked);
            ASSERT_EQ(must(store.get(asked)),
                      it == now.rows.end() ? std::nullopt : std::optional(it->second));
        };
        for (std::uint64_t index = 1; index <= 30; ++index) {
            for (int i = 0; i < 30; ++i) change();
            now.index = LogIndex(index);
            frozen = now;
            store.begin_checkpoint(LogIndex(index));
            do change();
            while (!store.copy_out(3));
            Result<void> written;
            std::thread background([&] { written = store.write_checkpoint(); });
            for (int i = 0; i < 60; ++i) change();
            EXPECT_GT(store.pages().bytes_resident(), 0u);
            must(store.scan("1", [](std::string_view, std::string_view) { return true; }));
            background.join();
            must(written);
            store.finish_checkpoint(true);
        }
    }
    Life life = must(Life::open(medium));
    EXPECT_EQ(contents_of(*life.store), frozen);
}

}  // namespace checkpoint_thread_test
}  // namespace tidal::storage
