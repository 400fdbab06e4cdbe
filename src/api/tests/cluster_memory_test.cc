// Budgets of memory in a cluster: who leads a shard writes them into its log, so that all replicas
// keep the same, whatever they were started with.
#include "api/tests/sim_cluster.h"

namespace tidal::api {
namespace cluster_memory_test {

SignalWrite hide(std::uint64_t user) {
    SignalWrite out = signal(1, "hide");
    out.user_id = IdInput(user);
    return out;
}

TEST(ClusterMemory, WhoLeadsSaysWhatFits) {
    SimCluster cluster(5);
    cluster.options().memory.user_states = 300;
    ASSERT_NO_FATAL_FAILURE(cluster.begin(2));
    // The third member would keep all of it.
    cluster.options().memory.user_states = 1ULL << 30;
    ASSERT_NO_FATAL_FAILURE(cluster.join(3, 1));
    ASSERT_TRUE(cluster.until([&] { return cluster.all_voters(3) && cluster.at_rest(); }));
    cluster.put(1, item(1));
    const ShardId home = home_of(EntityKind::kItem, 1, 2);
    ASSERT_NE(cluster.leader(home), 3u);
    std::uint64_t user = 0;
    Result<WriteReply> last = cluster.write_one(2, hide(++user));
    while (last.ok() && user < 50) last = cluster.write_one(2, hide(++user));
    ASSERT_FALSE(last.ok()) << "no hide is refused";
    EXPECT_EQ(last.error().reason(), "user_states_full");
    ASSERT_NO_FATAL_FAILURE(cluster.expect_equal());

    // Whoever leads without a budget of its own leaves the one of the log.
    const auto restart_all = [&] {
        for (const std::uint32_t number : {1, 2, 3}) cluster.kill(number);
        for (const std::uint32_t number : {1, 2, 3}) cluster.restart(number);
        return cluster.until([&] { return cluster.all_lead() && cluster.at_rest(); });
    };
    cluster.options().memory = {};
    ASSERT_TRUE(restart_all());
    Result<WriteReply> refused = cluster.write_one(1, hide(user));
    for (int tries = 0; !refused.ok() && refused.error().reason() != "user_states_full"; ++tries) {
        ASSERT_LT(tries, 100) << refused.error().to_string();
        cluster.world().advance(100 * kMsNs);
        refused = cluster.write_one(1, hide(user));
    }
    ASSERT_FALSE(refused.ok()) << "a budget that was not given is reset";
    EXPECT_EQ(refused.error().reason(), "user_states_full");

    // All come back with room, which whoever leads says once it does.
    cluster.options().memory.user_states = 1ULL << 30;
    ASSERT_TRUE(restart_all());
    Result<WriteReply> kept = cluster.write_one(1, hide(user));
    for (int tries = 0; !kept.ok() && tries < 100; ++tries) {
        cluster.world().advance(100 * kMsNs);
        kept = cluster.write_one(1, hide(user));
    }
    ASSERT_OK(kept);
    ASSERT_NO_FATAL_FAILURE(cluster.expect_equal());
}

}  // namespace cluster_memory_test
}  // namespace tidal::api
