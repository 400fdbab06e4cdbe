// Bugs of api/internal/planted.h, and those of shard/internal/planted.h that take several
// shards to show, are found by the cluster of databases (sim/chaos.h), or by one that is restored
// (sim/restores.h), within a bounded number of seeds; without one, the same seeds find nothing
// (api_sim_test).
#include <gtest/gtest.h>

#include <cstdio>

#include "api/internal/planted.h"
#include "api/tests/sim/chaos.h"
#include "api/tests/sim/restores.h"
#include "shard/internal/planted.h"

namespace tidal::api {
namespace {

shard::Bug g_shard_bug = shard::Bug::kNone;
Bug g_api_bug = Bug::kNone;

struct Planted {
    const char* name;
    shard::Bug of_shard = shard::Bug::kNone;
    Bug of_api = Bug::kNone;
    std::uint64_t from = 1;  ///< About where one is known to show it.
    bool restores = false;   ///< It is one of backups.
};

constexpr std::uint64_t kSeeds = 40;

class PlantedBug : public testing::TestWithParam<Planted> {};

TEST_P(PlantedBug, IsFound) {
    g_shard_bug = GetParam().of_shard;
    g_api_bug = GetParam().of_api;
    std::uint64_t found = 0;
    std::string failure;
    for (std::uint64_t i = 0; i < kSeeds && found == 0; ++i) {
        const std::uint64_t seed = GetParam().from + i;
        failure = GetParam().restores ? run_restores(seed).failure : run_chaos(seed).failure;
        if (!failure.empty()) found = GetParam().from + i;
    }
    g_shard_bug = shard::Bug::kNone;
    g_api_bug = Bug::kNone;
    std::printf("%s: seed %llu: %s\n", GetParam().name, static_cast<unsigned long long>(found),
                failure.substr(0, failure.find('\n')).c_str());
    EXPECT_NE(found, 0u) << GetParam().name << " was not found";
}

Planted of_shard(const char* name, shard::Bug bug, std::uint64_t from = 1) {
    return {.name = name, .of_shard = bug, .from = from};
}
Planted of_api(const char* name, Bug bug, std::uint64_t from = 1) {
    return {.name = name, .of_api = bug, .from = from};
}
Planted of_restore(const char* name, Bug bug) {
    return {.name = name, .of_api = bug, .restores = true};
}

INSTANTIATE_TEST_SUITE_P(
    Databases, PlantedBug,
    testing::Values(of_shard("MarksNotKept", shard::Bug::kMarksNotKept),
                    of_shard("SequencesNotKept", shard::Bug::kSequencesNotKept, 2),
                    of_shard("MarkNotChecked", shard::Bug::kMarkNotChecked, 5),
                    of_api("ReadWithoutIndex", Bug::kReadWithoutIndex, 4),
                    of_api("TokenForgotten", Bug::kTokenForgotten, 2),
                    of_shard("RestBehindNews", shard::Bug::kRestBehindNews, 4),
                    of_shard("TasteAgain", shard::Bug::kTasteAgain, 2),
                    of_shard("StatesNotKept", shard::Bug::kStatesNotKept),
                    of_shard("ErasurePassedOver", shard::Bug::kErasurePassedOver),
                    of_shard("CohortsNotKept", shard::Bug::kCohortsNotKept),
                    of_api("ExportInVain", Bug::kExportInVain, 4),
                    of_api("LetInAgain", Bug::kLetInAgain),
                    of_restore("BackupWithoutTail", Bug::kBackupWithoutTail),
                    of_restore("RestoreLosesStates", Bug::kRestoreLosesStates),
                    of_restore("RestoreLosesTastes", Bug::kRestoreLosesTastes),
                    of_restore("RestoreLosesCohorts", Bug::kRestoreLosesCohorts),
                    of_restore("RestoreLosesMarks", Bug::kRestoreLosesMarks),
                    of_restore("RestoreLosesDelivered", Bug::kRestoreLosesDelivered)),
    [](const auto& test) { return test.param.name; });

}  // namespace

Bug planted_bug() {
    return g_api_bug;
}

}  // namespace tidal::api

namespace tidal::shard {

Bug planted_bug() {
    return api::g_shard_bug;
}

}  // namespace tidal::shard
