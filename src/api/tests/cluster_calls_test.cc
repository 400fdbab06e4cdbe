// Every call of Database that changes something, asked of one node of three: each of them then
// holds the same, and still does after all were killed and after all stopped. What a call did is
// looked for on every node. A call, a kind of write or of record that the tables of cluster_calls.h
// do not ask for is a failure. Doors: tests/process/cluster_routes_test.sh.
#include "api/tests/cluster_calls.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "api/tests/inner_view.h"

namespace tidal::api {
namespace cluster_calls_test {

using Names = std::set<std::string>;

class EveryCall : public ::testing::Test {
protected:
    static ClusterCalls calls() {
        ClusterCalls out;
        for (const ClusterCalls& part :
             {write_calls(), catalog_calls(), personal_calls(), operator_calls()})
            out.insert(out.end(), part.begin(), part.end());
        return out;
    }
    /// By each node in turn.
    void ask(const ClusterCalls& calls) {
        std::uint32_t by = 0;
        for (const ClusterCall& call : calls) {
            by = by % 3 + 1;
            SCOPED_TRACE(call.name + ", asked of node " + std::to_string(by));
            const Result<void> done = cluster_.wait(
                [&](Database::Done answer) { call.ask(*cluster_.node(by), std::move(answer)); });
            ASSERT_TRUE(done.ok()) << done.error().to_string();
            expect_shown(call);
            cluster_.expect_equal();
        }
    }
    void expect_shown(const ClusterCall& call) {
        for (auto& [number, member] : cluster_.nodes()) {
            if (member.retired) continue;
            ASSERT_OK(cluster_.fence(number, {}));
            EXPECT_TRUE(call.shows(*member)) << call.name << " on node " << number;
        }
    }
    void end_all(bool cleanly) {
        for (std::uint32_t node = 1; node <= 3; ++node) {
            bool stopped = !cleanly;
            if (cleanly) cluster_.node(node)->stop([&] { stopped = true; });
            ASSERT_TRUE(cluster_.until([&] { return stopped; }));
            cluster_.kill(node);
        }
        for (std::uint32_t node = 1; node <= 3; ++node) cluster_.restart(node);
        ASSERT_TRUE(cluster_.until([&] { return cluster_.all_voters(3) && cluster_.all_lead(); }));
    }
    /// Places in record::Body of what stands in the logs.
    std::set<std::size_t> kinds_logged() {
        std::set<std::size_t> kinds;
        InnerView view(*cluster_.node(1));
        for (std::uint16_t shard = 0; shard <= view.data_shards(); ++shard) {
            const auto whole = view.visit_history(
                ShardId(shard),
                [&](const record::Record& record) { kinds.insert(record.body.index()); });
            EXPECT_TRUE(whole.ok() && *whole) << "shard " << shard;
        }
        return kinds;
    }

    SimCluster cluster_{11};
};

TEST_F(EveryCall, ReachesEveryReplica) {
    const ClusterCalls all = calls();
    ASSERT_NO_FATAL_FAILURE(cluster_.begin(3));
    ASSERT_NO_FATAL_FAILURE(ask(all));
    cluster_.world().advance(3 * kSecondNs);  // The shortest session ends, which a tick says.
    auto logged = kinds_logged();
    // Which are logged where log files are archived, whose records this cannot visit any more
    // (archive_keys_test.cc).
    logged.insert(record::Body(record::ArchiveKeysBody()).index());
    for (std::size_t kind = 0; kind < std::variant_size_v<record::Body>; ++kind)
        EXPECT_TRUE(logged.contains(kind))
            << "no call logs alternative " << kind << " of record::Body";
    for (const bool cleanly : {false, true}) {
        SCOPED_TRACE(cleanly ? "stopped" : "killed");
        ASSERT_NO_FATAL_FAILURE(end_all(cleanly));
        for (const ClusterCall& call : all) expect_shown(call);
        cluster_.expect_equal();
    }
}

TEST_F(EveryCall, ThatChangesTheMembersLeavesTheOthersEqual) {
    ASSERT_NO_FATAL_FAILURE(cluster_.begin(4));
    cluster_.put(2, item(1));
    const auto go = [&](std::uint32_t number, std::uint32_t by, auto how) {
        cluster_.node(number).retired = true;
        ASSERT_OK(cluster_.wait([&](Database::Done done) {
            how(*cluster_.node(by)->cluster(), cluster_.node(number).id, std::move(done));
        }));
        ASSERT_TRUE(cluster_.until([&] { return cluster_.all_voters(number - 1); }));
        cluster_.put(1, item(number));
        cluster_.expect_equal();
    };
    ASSERT_NO_FATAL_FAILURE(
        go(4, 2, [](Cluster& cluster, cluster::NodeId node, Cluster::Done done) {
            cluster.remove_node(node, std::move(done));
        }));
    ASSERT_NO_FATAL_FAILURE(go(3, 3, [](Cluster& cluster, cluster::NodeId, Cluster::Done done) {
        cluster.leave(std::move(done));
    }));
}

/// Of a class that a header declares: functions outside parentheses, angles and bodies, in order of
/// appearance before `private:`.
Names public_functions(const std::string& header, const std::string& name) {
    std::ifstream file(std::string(TIDAL_SOURCE_DIR) + "/src/" + header);
    std::string text;
    for (std::string line; std::getline(file, line);)
        text += line.substr(0, line.find("//")) + '\n';
    const std::size_t begin = text.find("\nclass " + name + " {");
    if (begin == std::string::npos) return {};
    Names names;
    int depth = -1;  // 0 within the class
    std::string word;
    const std::size_t end = std::min(text.find("\nprivate:", begin), text.find("\n};", begin));
    for (std::size_t at = begin; at < end; ++at) {
        const char c = text[at];
        if (c == '(' && depth == 0 && !word.empty() && word != name) names.insert(word);
        if (c == '(' || c == '<' || c == '{') ++depth;
        if (c == ')' || c == '>' || c == '}') --depth;
        const bool of_word = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
        word = of_word ? word + c : std::string();
    }
    return names;
}
Names without(Names names, const Names& those) {
    for (const std::string& each : those)
        EXPECT_EQ(names.erase(each), 1u) << each << " is declared no more: this list is old";
    return names;
}
std::string text_of(const Names& names) {
    std::string out;
    for (const std::string& each : names) out += each + '\n';
    return out;
}

TEST(EveryCallOf, DatabaseAndClusterIsInATable) {
    Names asked = {"remove_node", "leave"};  // of the test above
    asked.insert("answer_join");             // by every node that joins
    std::set<std::size_t> writes;
    for (const ClusterCalls& part :
         {write_calls(), catalog_calls(), personal_calls(), operator_calls()})
        for (const ClusterCall& call : part) {
            asked.insert(call.method);
            if (call.write) writes.insert(*call.write);
        }
    const Names changes_nothing = {"open",
                                   "start",
                                   "stop",
                                   "checkpoint",
                                   "durable",
                                   "hold_checkpoints",
                                   "import_note",
                                   "newest_import_note",
                                   "when_visible",
                                   "fence",
                                   "ready",
                                   "cluster",
                                   "cluster_status",
                                   "leader_of",
                                   "api_keys",
                                   "has_api_keys",
                                   "check_api_key",
                                   "get",
                                   "signals",
                                   "relationships",
                                   "session",
                                   "sessions",
                                   "policies",
                                   "policy",
                                   "saved_searches",
                                   "suggest",
                                   "schema",
                                   "profiles",
                                   "experiments",
                                   "cohorts",
                                   "cohort",
                                   "collections",
                                   "collection_list",
                                   "collection",
                                   "collection_items",
                                   "models",
                                   "model_text",
                                   "synonyms",
                                   "export_signals",
                                   "export_shown",
                                   "experiment_results",
                                   "begin_count",
                                   "count_on",
                                   "stats",
                                   "contents",
                                   "content_hashes"};
    Names declared = public_functions("api/database.h", "Database");
    declared.merge(public_functions("api/cluster.h", "Cluster"));
    EXPECT_EQ(text_of(without(declared, changes_nothing)), text_of(asked));
    for (std::size_t at = 0; at < std::variant_size_v<Write>; ++at)
        EXPECT_TRUE(writes.contains(at)) << "no call is alternative " << at << " of api::Write";
}

/// The library runs a database alone; what it changes is one of the calls above.
TEST(EveryCallOf, LibraryIsOneOfTheTables) {
    const Names changes_nothing = {
        "open",       "get",           "signals",     "relationships",    "saved_searches",
        "session",    "sessions",      "suggest",     "wait_for",         "schema_yaml",
        "profiles",   "profile",       "experiments", "experiment",       "experiment_results",
        "cohorts",    "cohort",        "collections", "collection_items", "models",
        "model_text", "synonyms",      "policies",    "export_signals",   "export_shown",
        "backup",     "verify_backup", "restore"};
    Names asked = {"write_all", "import"};  // Several of `write`; `write_import` and its notes.
    for (const ClusterCalls& part : {write_calls(), catalog_calls(), personal_calls()})
        for (const ClusterCall& call : part) asked.insert(call.method);
    for (const char* kind : {"profile", "experiment", "cohort", "model", "synonyms", "policy"})
        asked.insert(std::string("retire_") + kind);
    Names changes =
        without(public_functions("embed/include/tidal/tidal.h", "Library"), changes_nothing);
    EXPECT_FALSE(changes.empty());
    for (const std::string& each : changes)
        EXPECT_TRUE(asked.contains(each)) << each << " of the library is in no table";
}

}  // namespace cluster_calls_test
}  // namespace tidal::api
