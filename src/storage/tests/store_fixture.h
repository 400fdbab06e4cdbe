// What the tests of this module share: one life of a store on a simulated disk, and its model.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "runtime/sim_disk.h"
#include "storage/shard_store.h"

namespace tidal::storage {

inline constexpr ShardId kTestShard{1};
inline constexpr std::string_view kRowsFolder = "store/rows";
inline constexpr std::string_view kShardFolder = "store/s0001";

/// Engine and store over one session of a disk.
struct Life {
    std::unique_ptr<runtime::Disk> disk;
    std::unique_ptr<RowEngine> rows;
    std::unique_ptr<ShardStore> store;

    static Result<Life> open(runtime::SimDisk& medium) {
        Life life;
        life.disk = medium.session();
        TIDAL_ASSIGN(life.rows, open_simple_rows(*life.disk, kRowsFolder));
        TIDAL_ASSIGN(life.store,
                     ShardStore::open(*life.disk, *life.rows, kTestShard, kShardFolder));
        return life;
    }
};

/// All four steps, one page a slice; the error of write_checkpoint, after giving the changes back.
inline Result<void> checkpoint(ShardStore& store, LogIndex index) {
    store.begin_checkpoint(index);
    while (!store.copy_out(1)) {
    }
    auto written = store.write_checkpoint();
    store.finish_checkpoint(written.ok());
    return written;
}

/// A whole page of one repeated value.
inline void fill(PageArena& pages, PageId page, std::uint64_t value) {
    std::byte* const bytes = pages.writable(page);
    for (std::size_t at = 0; at < kPageBytes; at += sizeof value)
        std::memcpy(bytes + at, &value, sizeof value);
}

/// The value a page was filled with; a failure when its bytes differ from each other.
inline std::uint64_t value_of(const PageArena& pages, PageId page) {
    std::uint64_t first = 0;
    std::memcpy(&first, pages.data(page), sizeof first);
    const bool uniform = std::memcmp(pages.data(page), pages.data(page) + sizeof first,
                                     kPageBytes - sizeof first) == 0;
    EXPECT_TRUE(uniform) << "page " << page.value() << " is mixed";
    return first;
}

/// What a store should hold.
struct Model {
    std::map<std::string, std::string> rows;
    std::map<std::uint32_t, std::uint64_t> pages;
    LogIndex index;
    bool operator==(const Model&) const = default;
};

/// What a store does hold, by scan and by page.
inline Model contents_of(ShardStore& store) {
    Model found;
    found.index = store.checkpoint_index();
    const auto scanned = store.scan("", [&](std::string_view key, std::string_view value) {
        EXPECT_TRUE(found.rows.empty() || found.rows.rbegin()->first < key) << "scan out of order";
        found.rows.emplace(key, value);
        return true;
    });
    EXPECT_TRUE(scanned.ok()) << scanned.error().to_string();
    for (std::uint32_t page = 0; page < store.pages().page_count(); ++page)
        if (store.pages().allocated(PageId(page)))
            found.pages[page] = value_of(store.pages(), PageId(page));
    return found;
}

/// The value, or the end of the test program with the error in sight.
template <typename T>
T must(Result<T> result) {
    if (!result.ok()) {
        std::fprintf(stderr, "unexpected error: %s\n", result.error().to_string().c_str());
        std::abort();
    }
    return std::move(result).value();
}
inline void must(const Result<void>& result) {
    if (!result.ok()) ADD_FAILURE() << result.error().to_string();
}

}  // namespace tidal::storage
