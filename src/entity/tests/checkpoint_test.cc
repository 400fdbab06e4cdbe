// The table over the real store: what a checkpoint kept is there after the next start, what it did
// not keep is gone as a whole, and replaying it leads to the same contents.
#include <gmock/gmock.h>

#include "entity/entity_table.h"
#include "entity/tests/sample.h"
#include "runtime/sim_disk.h"
#include "storage/shard_store.h"

namespace tidal::entity {
namespace checkpoint_test {

struct Life {
    explicit Life(runtime::SimDisk& medium)
        : disk(medium.session()),
          rows(*storage::open_simple_rows(*disk, "store/rows")),
          store(*storage::ShardStore::open(*disk, *rows, ShardId(1), "store/s0001")),
          table(*EntityTable::open(EntityKind::kItem, *store, sample_schema())) {}

    void checkpoint(LogIndex index) {
        store->begin_checkpoint(index);
        while (!store->copy_out(1)) {
        }
        ASSERT_TRUE(store->write_checkpoint().ok());
        store->finish_checkpoint(true);
    }
    std::vector<std::uint64_t> hashes() {
        std::vector<std::uint64_t> all;
        for (const EntityId& id : table->sorted_ids())
            all.push_back(*table->content_hash(*table->find_reserved(id)));
        return all;
    }
    std::unique_ptr<runtime::Disk> disk;
    std::unique_ptr<storage::RowEngine> rows;
    std::unique_ptr<storage::ShardStore> store;
    std::unique_ptr<EntityTable> table;
};

/// Write number `n` of a fixed history: creates, changes, deletes, reserves, sets vectors.
void write(EntityTable& table, std::uint64_t n) {
    const EntityId id(n % 7);
    switch (n % 5) {
        case 0:
            (void)table.erase(delete_of(id), at(n));
            break;
        case 1:
            table.find_or_reserve(EntityId("user" + std::to_string(n % 11)));
            break;
        case 2:
            (void)table.set_embedding({EntityKind::kItem, id, EmbeddingSlotId(0), {1, 2, float(n)}},
                                      at(n));
            break;
        default:
            (void)table.upsert(upsert_of(id, {{kYear, static_cast<std::int64_t>(n)},
                                              {kCategory, std::string(1, char('a' + n % 3))}}),
                               at(n));
    }
}

TEST(EntityCheckpoint, ReplayAfterTheNewestCheckpointLeadsToTheSameContents) {
    constexpr std::uint64_t kWrites = 100;
    runtime::SimDisk whole_disk;
    Life whole(whole_disk);
    for (std::uint64_t n = 1; n <= kWrites; ++n) write(*whole.table, n);

    for (const std::uint64_t kept :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{50}, kWrites}) {
        runtime::SimDisk disk;
        {
            Life first(disk);
            for (std::uint64_t n = 1; n <= kept; ++n) write(*first.table, n);
            first.checkpoint(LogIndex(kept));
            for (std::uint64_t n = kept + 1; n <= kWrites; ++n) write(*first.table, n);
            EXPECT_EQ(first.hashes(), whole.hashes());
        }
        disk.crash();
        Life second(disk);
        ASSERT_EQ(second.store->checkpoint_index(), LogIndex(kept));
        for (std::uint64_t n = kept + 1; n <= kWrites; ++n) write(*second.table, n);
        EXPECT_EQ(second.hashes(), whole.hashes());
        EXPECT_EQ(second.table->slot_count(), whole.table->slot_count());
        EXPECT_EQ(second.table->live(), whole.table->live());
    }
}

}  // namespace checkpoint_test
}  // namespace tidal::entity
