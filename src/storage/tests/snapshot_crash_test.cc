// A node that dies, or whose disk refuses, at any operation of an installation has the old state or
// the new one, and installs again.
#include <gtest/gtest.h>

#include "storage/shard_snapshot.h"
#include "storage/store_inspect.h"
#include "storage/tests/random_store.h"

namespace tidal::storage {
namespace snapshot_crash_test {

using runtime::CrashSpec;
using runtime::SimDisk;

const std::string kPath = "incoming";

struct Scene {
    std::string snapshot;
    Model old_state, new_state;

    Scene() {
        SimDisk source;
        Life life = must(Life::open(source));
        new_state = random_history(*life.store, 5, 4);
        must(write_shard_snapshot(source, *life.rows, kTestShard, kShardFolder, kPath));
        snapshot = must(runtime::read_file(source, kPath));
        old_state = prepare(*std::make_unique<SimDisk>());
    }
    /// A node with a state of its own and the snapshot received.
    Model prepare(SimDisk& medium) const {
        must(runtime::write_file(medium, kPath, snapshot));
        return random_history(*must(Life::open(medium)).store, 6, 3);
    }
};

Result<void> install(SimDisk& medium) {
    const auto disk = medium.session();
    TIDAL_ASSIGN(const auto rows, open_simple_rows(*disk, kRowsFolder));
    TIDAL_TRY(install_shard_snapshot(*disk, *rows, kTestShard, kShardFolder, kPath));
    return {};
}

std::vector<CrashSpec> ends(const SimDisk& medium) {
    using Keep = CrashSpec::Keep;
    std::vector<CrashSpec> specs{{.keep = Keep::kNothing}, {.keep = Keep::kAll}};
    for (std::uint64_t seed = 1; seed <= 4; ++seed)
        specs.push_back({.keep = Keep::kSeeded, .seed = seed});
    const std::uint64_t sectors = medium.unsynced_sectors();
    for (std::uint64_t kept = 1; kept < sectors; kept += 1 + sectors / 4)
        specs.push_back({.keep = Keep::kPrefix, .sectors = kept});
    return specs;
}

/// The shard as the next start finds it; no page file without a page of it is left.
Model reopened(SimDisk& medium) {
    const Model found = contents_of(*must(Life::open(medium)).store);
    const auto rows = must(open_simple_rows(medium, kRowsFolder));
    const auto report = must(inspect_store(medium, *rows, "store"));
    EXPECT_TRUE(report.damage.empty()) << report.damage[0].what;
    for (const ShardReport& shard : report.shards) EXPECT_EQ(shard.leftover_files, 0u);
    return found;
}

TEST(SnapshotCrash, EveryOperationOfAnInstallationIsSurvived) {
    const Scene scene;
    int old_states = 0, new_states = 0;
    for (std::uint64_t fatal = 1;; ++fatal) {
        SCOPED_TRACE(testing::Message() << "dies in operation " << fatal);
        SimDisk medium({.seed = fatal});
        ASSERT_EQ(scene.prepare(medium), scene.old_state);
        medium.set_crash_after(fatal);
        const auto installed = install(medium);
        if (installed.ok() && !medium.dead()) break;
        for (const CrashSpec& spec : ends(medium)) {
            const auto left = medium.survivor(spec);
            const Model found = reopened(*left);
            ASSERT_TRUE(found == scene.new_state || (found == scene.old_state && !installed.ok()))
                << "neither state: index " << found.index.value();
            ++(found == scene.new_state ? new_states : old_states);
            must(install(*left));
            ASSERT_EQ(reopened(*left), scene.new_state);
        }
    }
    EXPECT_GT(old_states, 50);
    EXPECT_GT(new_states, 0);
}

TEST(SnapshotCrash, WhatSucceededIsThereAfterAnyCrash) {
    const Scene scene;
    SimDisk medium;
    scene.prepare(medium);
    must(install(medium));
    for (const CrashSpec& spec : ends(medium)) {
        const auto left = medium.survivor(spec);
        EXPECT_EQ(reopened(*left), scene.new_state);
    }
}

TEST(SnapshotCrash, ARefusedOperationLeavesTheOldStateOrTheNew) {
    const Scene scene;
    for (const ErrorCode code : {ErrorCode::kDiskFull, ErrorCode::kIo}) {
        int refused = 0;
        for (std::uint64_t nth = 1;; ++nth) {
            SCOPED_TRACE(testing::Message() << "operation " << nth << " refused");
            SimDisk medium({.seed = nth});
            scene.prepare(medium);
            medium.add_fault({.nth = nth, .times = 2, .code = code});
            const auto installed = install(medium);
            medium.clear_faults();
            if (installed.ok()) {
                ASSERT_EQ(reopened(medium), scene.new_state);
                if (nth > 60) break;
                continue;
            }
            ++refused;
            EXPECT_EQ(installed.error().code(), code);
            const auto left = medium.survivor({.keep = CrashSpec::Keep::kSeeded, .seed = nth});
            const Model found = reopened(*left);
            ASSERT_TRUE(found == scene.new_state || found == scene.old_state);
            must(install(medium));
            ASSERT_EQ(reopened(medium), scene.new_state);
        }
        EXPECT_GT(refused, 5);
    }
}

TEST(SnapshotCrash, AFullDiskLeavesNoHalfWrittenSnapshot) {
    for (std::uint64_t nth = 1;; ++nth) {
        SimDisk medium;
        Life life = must(Life::open(medium));
        random_history(*life.store, 5, 2);
        medium.add_fault({.path_contains = kPath, .nth = nth, .code = ErrorCode::kDiskFull});
        // The first operation on that path removes what may be there, and finds nothing.
        const auto written =
            write_shard_snapshot(medium, *life.rows, kTestShard, kShardFolder, kPath);
        medium.clear_faults();
        if (written.ok()) {
            EXPECT_GT(nth, 3u);
            break;
        }
        EXPECT_EQ(written.error().code(), ErrorCode::kDiskFull);
        EXPECT_FALSE(must(medium.exists(kPath)));
        must(write_shard_snapshot(medium, *life.rows, kTestShard, kShardFolder, kPath));
        must(check_shard_snapshot(medium, kPath, kTestShard));
    }
}

}  // namespace snapshot_crash_test
}  // namespace tidal::storage
