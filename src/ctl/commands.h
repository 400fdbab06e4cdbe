// ctl/commands.h: what tidalctl does. Each command prints to standard output and returns an error
// for the exit code; --json prints one JSON value instead of text, of an error too. An export is
// JSON lines either way.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidal::ctl {

struct Options {
    std::string url = "http://127.0.0.1:9500";
    std::string key;  ///< API key, sent with every request; empty = none.
    std::string data_dir = "./data";
    std::string token;  ///< Of a write that a read waits for; empty = none.
    bool json = false;

    // import
    std::string mapping;     ///< YAML file; empty = the files are JSON lines as they are.
    std::string import_id;   ///< Empty = made from the names and the mapping.
    std::string time_shift;  ///< "" or "end:now".
    std::string replay;      ///< Days of the data in a second; "" = none.
    std::string rejects;     ///< File for rejected lines.
    std::vector<std::string> paths;

    // node, shard, key
    std::string number;          ///< Of a node or a shard.
    std::string to;              ///< Transfer: the node that shall lead; empty = any.
    bool content_hash = false;   ///< Of each replica that the node asked has.
    std::string expires = "1h";  ///< Of a join token.
    std::string role = "reader";

    // schema, profile, experiment, cohort, model, synonyms, policy; `name` is also a signal's
    std::string name;  ///< "spicy" or, to show, "spicy@1".
    std::string file;  ///< "-" = standard input.
    bool dry_run = false;
    bool normalized = false;  ///< Show: what the text was understood as.

    struct Bench {
        std::string what;  ///< "feed", "search" or "signals".
        unsigned connections = 8;
        double rate = 0;  ///< Requests per second over all connections; 0 = one after the other.
        double seconds = 10;
        std::uint64_t seed = 1;
        unsigned batch = 1;  ///< Signals per request.
        unsigned limit = 20;
        std::string profile = "trending", signal = "view";
        std::string
            queries;  ///< File with a query in each line, for "search"; "-" = standard input.
    } bench;

    std::string backup;  ///< verify, restore: the folder of a backup.

    // query
    std::string query;
    std::string idempotency_key;  ///< Of its impressions.

    // get, put, delete, signal
    std::string body;       ///< One JSON object; "-" = standard input.
    bool counters = false;  ///< Instead of what is stored.
    bool yes = false;       ///< What cannot be undone is meant.
    double weight = 1;      ///< Of a signal.

    // search, profile compare: a page
    std::string filter, limit;  ///< Empty = none, the server's.
    bool only_new = false;
    std::string other;  ///< The profile beside `name`.

    // relationship: of `user_id`; get, put, delete: of an entity
    std::string kind;    ///< Empty = all, to list.
    std::string target;  ///< An item or a creator.

    struct Session {
        std::string id;
        std::string agent, policy;             ///< Empty = none, the default one.
        std::vector<std::string> annotations;  ///< "key=value"
        std::uint64_t sequence = 0;            ///< 0 = none.
    } session;
    // collection
    std::string description;
    double place = 0;  ///< Where in it the `target` stands.

    // export, experiment results
    std::string export_what = "signals";
    std::string within;
    std::string from, until, signals, user_id, position, format = "jsonl";
    bool gaps = false;
};

/// Of a command whose report stands although something is wrong.
enum class Verdict {
    kSound,
    kFailed,  ///< Reported: exit code 1, and nothing more on standard output.
};

// Of a running server.
Result<void> status(const Options& options);
Result<void> query(const Options& options);
Result<void> get(const Options& options);
Result<void> put(const Options& options);
/// kInvalidArgument, field "yes", for a user without it.
Result<void> erase(const Options& options);
Result<void> signal(const Options& options);
Result<void> undo(const Options& options);
Result<void> search_list(const Options& options);
Result<void> search_save(const Options& options);
Result<void> search_run(const Options& options);
Result<void> search_delete(const Options& options);
/// Failed where every row was rejected.
Result<Verdict> import(const Options& options);
Result<void> export_signals(const Options& options);
Result<void> schema_show(const Options& options);
Result<void> schema_add(const Options& options);
Result<void> profile_list(const Options& options);
Result<void> profile_show(const Options& options);
Result<void> profile_put(const Options& options);
Result<void> profile_retire(const Options& options);
Result<void> profile_compare(const Options& options);
Result<void> experiment_list(const Options& options);
Result<void> backup_create(const Options& options);
Result<void> backup_list(const Options& options);
Result<void> backup_delete(const Options& options);
Result<void> experiment_put(const Options& options);
Result<void> experiment_retire(const Options& options);
/// A line an arm; with `--json` the reply.
Result<void> experiment_results(const Options& options);
Result<void> cohort_list(const Options& options);
/// The text alone, or with `--json` the reply.
Result<void> cohort_show(const Options& options);
Result<void> cohort_put(const Options& options);
Result<void> cohort_retire(const Options& options);
Result<void> collection_list(const Options& options);
/// What is in one; `position` = the cursor of the page before.
Result<void> collection_show(const Options& options);
Result<void> collection_put(const Options& options);
Result<void> collection_delete(const Options& options);
Result<void> collection_add(const Options& options);
Result<void> collection_remove(const Options& options);
Result<void> model_list(const Options& options);
Result<void> model_show(const Options& options);
Result<void> model_put(const Options& options);
Result<void> model_retire(const Options& options);
Result<void> synonyms_list(const Options& options);
Result<void> synonyms_show(const Options& options);
Result<void> synonyms_put(const Options& options);
Result<void> synonyms_retire(const Options& options);
Result<void> session_open(const Options& options);
Result<void> session_list(const Options& options);
Result<void> session_show(const Options& options);
Result<void> session_signal(const Options& options);
Result<void> session_annotate(const Options& options);
Result<void> session_close(const Options& options);
Result<void> policy_list(const Options& options);
Result<void> policy_show(const Options& options);
Result<void> policy_put(const Options& options);
Result<void> policy_retire(const Options& options);
Result<void> node_list(const Options& options);
Result<void> node_token(const Options& options);
Result<void> node_remove(const Options& options);
Result<void> shard_list(const Options& options);
Result<void> shard_transfer(const Options& options);
Result<void> key_create(const Options& options);
Result<void> key_list(const Options& options);
Result<void> key_revoke(const Options& options);
Result<void> relationship_list(const Options& options);
Result<void> relationship_add(const Options& options);
Result<void> relationship_end(const Options& options);
/// Load and latencies; writes signals when asked to.
Result<Verdict> bench(const Options& options);

// Of a data directory whose server is stopped; nothing is changed, and it may be read-only.
Result<void> paths(const Options& options);
Result<void> diagnostics(const Options& options);
/// All that is damaged is listed.
Result<Verdict> verify(const Options& options);  ///< A backup, anywhere.
Result<Verdict> fsck(const Options& options);
Result<void> restore(const Options& options);  ///< Makes `data_dir`.

}  // namespace tidal::ctl
