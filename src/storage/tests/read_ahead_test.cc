// Scans that are read ahead on a thread of their own: all rows in order, and whoever leaves waits.
// Those of several threads share blocks of RocksDB's cache by atomics that TSan does not see:
// row_engine_test.cc.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/real_runtime.h"
#include "storage/row_engine.h"
#include "storage/tests/rocks_directory.h"
#include "storage/tests/store_fixture.h"

namespace tidal::storage {
namespace read_ahead_test {

std::string key_of(std::uint32_t row) {
    return std::to_string(10'000'000 + row);
}

/// Some blocks of a scan.
constexpr std::uint32_t kRows = 60'000;

class ReadAhead : public testing::Test {
protected:
    ReadAhead() {
        std::vector<RowEngine::Change> rows;
        for (std::uint32_t row = 0; row < kRows; ++row)
            rows.push_back({key_of(row), "value of " + key_of(row)});
        must(engine_->commit(std::move(rows)));
    }
    RocksDirectory directory_;
    const std::unique_ptr<runtime::Runtime> runtime_ = must(runtime::make_real_runtime({}));
    const std::unique_ptr<RowEngine> engine_ =
        must(open_rocksdb_rows(directory_.path(), &runtime_->executors()));
};

TEST_F(ReadAhead, ALongScanStopsWhenTold) {
    for (const std::uint32_t last : {1U, 2'500U, 10'000U, 30'000U, kRows}) {
        std::uint32_t seen = 0;
        must(engine_->scan("", "", [&](std::string_view key, std::string_view value) {
            EXPECT_EQ(key, key_of(seen));
            EXPECT_EQ(value, "value of " + key_of(seen));
            return ++seen < last;
        }));
        EXPECT_EQ(seen, last);
    }
}

TEST_F(ReadAhead, TheVisitorOfALongScanMayScan) {
    std::uint32_t outer = 0, inner = 0;
    must(engine_->scan("", "", [&](std::string_view, std::string_view) {
        if (++outer % 20'000 != 0) return true;
        must(
            engine_->scan("", "", [&](std::string_view, std::string_view) { return ++inner > 0; }));
        return true;
    }));
    EXPECT_EQ(outer, kRows);
    EXPECT_EQ(inner, 3 * kRows);
}

}  // namespace read_ahead_test
}  // namespace tidal::storage
