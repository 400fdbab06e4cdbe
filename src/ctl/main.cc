// tidalctl: a running server or a stopped data directory, from the command line.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include <algorithm>
#include <boost/json.hpp>
#include <functional>

#include "base/edit_distance.h"
#include "ctl/commands.h"
#include "ctl/output.h"

namespace tidal::ctl {
namespace {

/// One case per command: its words and options, from the same table that parses them.
void add_cases(const CLI::App& app, const std::string& path, std::string* out) {
    std::string words;
    for (const CLI::App* sub : app.get_subcommands({})) words += sub->get_name() + " ";
    for (const CLI::Option* option : app.get_options({}))
        for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
    *out += "        \"" + path + "\") words=\"" + words + "\" ;;\n";
    for (const CLI::App* sub : app.get_subcommands({}))
        add_cases(*sub, path + " " + sub->get_name(), out);
}

/// For `eval "$(tidalctl completion bash)"`: commands and options; files elsewhere.
std::string bash_completion(const CLI::App& app) {
    std::string cases;
    add_cases(app, "tidalctl", &cases);
    return "_tidalctl() {\n"
           "    local word path=tidalctl words=\"\"\n"
           "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
           "        [[ $word == -* ]] || path+=\" $word\"\n"
           "    done\n"
           "    case $path in\n" +
           cases +
           "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
           "}\n"
           "complete -o default -F _tidalctl tidalctl\n";
}

Result<Verdict> print_completion(const std::string& script, bool as_json) {
    if (as_json)
        TIDAL_TRY(
            print_reply(boost::json::serialize(boost::json::object{{"script", script}}), true));
    else
        std::fputs(script.c_str(), stdout);
    return Verdict::kSound;
}

/// A command without a verdict of its own: what it does not call an error is sound.
template <typename Value>
std::function<Result<Verdict>(const Options&)> with_verdict(
    Result<Value> (*function)(const Options&)) {
    if constexpr (std::is_same_v<Value, Verdict>) {
        return function;
    } else {
        return [function](const Options& options) -> Result<Verdict> {
            TIDAL_TRY(function(options));
            return Verdict::kSound;
        };
    }
}

/// Asked for help, or not understood: 0 or 2. The flags are not all read then, so that --json is
/// looked for here.
int usage(const CLI::App& app, const CLI::Error& error, int argc, char** argv) {
    std::ostringstream out;
    const int code = app.exit(error, out, out);
    std::fputs(out.str().c_str(), code == 0 ? stdout : stderr);
    if (code == 0) return 0;
    std::string hint;
    const auto asked =
        std::find_if(argv + 1, argv + argc, [](const char* each) { return each[0] != '-'; });
    if (asked != argv + argc) {
        std::vector<std::string_view> known;
        for (const CLI::App* each : app.get_subcommands({})) known.push_back(each->get_name());
        if (std::find(known.begin(), known.end(), *asked) == known.end()) {
            hint = name_hint(*asked, known);
            std::fprintf(stderr, "unknown command '%s'; %s\n", *asked, hint.c_str());
        }
    }
    const bool as_json = std::find_if(argv, argv + argc, [](const char* word) {
                             return std::string_view(word) == "--json";
                         }) != argv + argc;
    if (as_json)
        std::printf("%s\n", error_json(Error(ErrorCode::kInvalidArgument, error.what())
                                           .with_reason("usage")
                                           .with_hint(hint))
                                .c_str());
    return 2;
}

int run(int argc, char** argv) {
    Options options;
    // Not CLI11's envname: the commands share these, and those that are not asked for would put the
    // environment over what the one that is was given.
    if (const char* url = std::getenv("TIDAL_URL")) options.url = url;
    if (const char* directory = std::getenv("TIDAL_DATA_DIR")) options.data_dir = directory;
    if (const char* key = std::getenv("TIDAL_KEY")) options.key = key;
    CLI::App app("tidalctl: looks after a tidalDB", "tidalctl");
    app.set_version_flag("--version", TIDAL_VERSION);
    app.require_subcommand(1);
    // Taken before the command as well as after it.
    app.add_option("--url", options.url, "the server; else TIDAL_URL");
    app.add_option("--key", options.key, "an API key; better: TIDAL_KEY");
    app.add_option("--data-dir", options.data_dir, "a data directory; else TIDAL_DATA_DIR");
    app.add_flag("--json", options.json, "one JSON value instead of text");
    std::function<Result<Verdict>(const Options&)> command;
    const auto add_to = [&](CLI::App* parent, const char* name, const char* help, auto* function) {
        CLI::App* sub = parent->add_subcommand(name, help);
        sub->add_flag("--json", options.json, "one JSON value instead of text");
        sub->callback([&command, function] { command = with_verdict(function); });
        return sub;
    };
    const auto add = [&](const char* name, const char* help, auto* function) {
        return add_to(&app, name, help, function);
    };
    const auto group = [&](const char* name, const char* help) {
        CLI::App* sub = app.add_subcommand(name, help);
        sub->require_subcommand(1);
        return sub;
    };
    const auto online = [&](CLI::App* sub) {
        sub->add_option("--url", options.url, "the server; else TIDAL_URL")->capture_default_str();
        sub->add_option("--key", options.key, "an API key; better: TIDAL_KEY");
        return sub;
    };
    const auto offline = [&](CLI::App* sub) {
        sub->add_option("--data-dir", options.data_dir, "the data directory; else TIDAL_DATA_DIR")
            ->capture_default_str();
        return sub;
    };
    const auto reading = [&](CLI::App* sub) {
        online(sub)->add_option("--token", options.token, "of a write; the answer waits for it");
        return sub;
    };
    online(add("status", "what a running server says of itself", status));
    CLI::App* query_app = reading(add("query", "a ranked page for RETRIEVE items ...", query));
    query_app->add_option("query", options.query, "its text; - is standard input")->required();
    query_app->add_option("--idempotency-key", options.idempotency_key,
                          "of LOG IMPRESSIONS: each item counts once under one key");
    const auto with_entity = [&](CLI::App* sub) {
        sub->add_option("kind", options.kind, "item, user or creator")
            ->required()
            ->check(CLI::IsMember({"item", "user", "creator"}));
        sub->add_option("id", options.target, "its id")->required();
        return sub;
    };
    with_entity(reading(add("get", "an item, a user or a creator", get)))
        ->add_flag("--signals", options.counters, "its counters instead");
    with_entity(online(add("put", "create one, or change the fields that are named", put)))
        ->add_option("json", options.body,
                     R"({"metadata":{"title":"Jazz"},"creator_id":7}; - is standard input)")
        ->required();
    with_entity(online(add("delete", "end one; a user with all that they did", erase)))
        ->add_flag("--yes", options.yes, "of a user: it is meant, for good");
    const auto with_signal = [&](CLI::App* sub) {
        sub->add_option("signal", options.name, "its name")->required();
        sub->add_option("id", options.target, "what it is about")->required();
        sub->add_option("--weight", options.weight, "of the signal")->capture_default_str();
        return sub;
    };
    CLI::App* signal_app = with_signal(online(add("signal", "send one: like 42", signal)));
    signal_app->add_option("--user-id", options.user_id, "whose it is");
    signal_app->add_option("--idempotency-key", options.idempotency_key,
                           "a repeat under it changes nothing; undo takes it");
    CLI::App* undo_app = online(add("undo", "take a signal back that had a key", undo));
    undo_app->add_option("key", options.idempotency_key, "the idempotency key it was sent with")
        ->required();
    undo_app->add_option("id", options.target, "what it was about")->required();
    undo_app->add_option("--session", options.session.id, "the session it was sent under");
    const auto with_search = [&](CLI::App* sub) {
        sub->add_option("user", options.user_id, "the user")->required();
        sub->add_option("name", options.name, "of the search")->required();
        return sub;
    };
    CLI::App* search_app = group("search", "searches that a user keeps");
    reading(add_to(search_app, "list", "all of a user", search_list))
        ->add_option("user", options.user_id, "the user")
        ->required();
    with_search(online(add_to(search_app, "save", "keep a query under a name", search_save)))
        ->add_option("query", options.query, "its text; - is standard input")
        ->required();
    CLI::App* search_run_app =
        with_search(reading(add_to(search_app, "run", "its page for the user", search_run)));
    search_run_app->add_flag("--new", options.only_new, "what came since the user last looked");
    search_run_app->add_option("--limit", options.limit, "1 to 1000");
    with_search(online(add_to(search_app, "delete", "end one", search_delete)));
    offline(add("paths", "what lies where in a data directory", paths));
    offline(add("diagnostics", "identity, log and checkpoints of a stopped data directory",
                diagnostics));
    offline(add("fsck", "check every byte of a stopped data directory", fsck));

    CLI::App* backup_app = group("backup", "backups that a running server makes");
    CLI::App* backup_create_app =
        online(add_to(backup_app, "create", "make one and wait until it is whole", backup_create));
    online(add_to(backup_app, "list", "all of them", backup_list));
    CLI::App* backup_delete_app = online(add_to(backup_app, "delete", "remove one", backup_delete));
    for (CLI::App* sub : {backup_create_app, backup_delete_app})
        sub->add_option("name", options.name, "letters, digits, - and _")->required();
    const auto with_backup = [&](CLI::App* sub) {
        sub->add_option("backup", options.backup, "its folder")->required();
        return sub;
    };
    with_backup(add("verify", "check every byte of a backup", verify));
    with_backup(add("restore", "a new data directory from a backup", restore))
        ->add_option("data_dir", options.data_dir, "made here; must be empty or absent")
        ->required();

    CLI::App* import_app = online(
        add("import", "files to a running server; a second run goes on where it stopped", import));
    import_app->add_option("paths", options.paths, "files, or the folder of the mapping's files")
        ->required();
    import_app->add_option("--mapping", options.mapping,
                           "YAML: how rows of files become items, signals and vectors");
    import_app->add_option("--id", options.import_id,
                           "name of the import; default made from files and mapping");
    import_app->add_option("--time-shift", options.time_shift,
                           "end:now moves the newest signal to now");
    import_app->add_option("--replay", options.replay,
                           "days of the data in a second; the server has a --data-clock");
    import_app->add_option("--rejects", options.rejects, "file for rejected rows");

    CLI::App* export_app =
        online(add("export", "signals, or impressions and what came of them, to standard output",
                   export_signals));
    export_app->add_option("what", options.export_what, "signals or impressions")
        ->check(CLI::IsMember({"signals", "impressions"}))
        ->capture_default_str();
    const auto with_range = [&](CLI::App* sub) {
        sub->add_option("--from", options.from, "event time, inclusive");
        sub->add_option("--until", options.until, "event time, exclusive");
        sub->add_option("--within", options.within,
                        "what is done so long after an impression counts for it, 24h");
        sub->add_flag("--gaps", options.gaps,
                      "of a member of a cluster: also where its log lacks what a snapshot brought");
    };
    with_range(export_app);
    export_app->add_option("--signals", options.signals, "names, comma separated");
    export_app->add_option("--user-id", options.user_id, "of one user");
    export_app->add_option("--position", options.position, "resume after the line that had it");
    export_app->add_option("--format", options.format, "jsonl or csv")->capture_default_str();

    const auto with_file = [&](CLI::App* sub) {
        sub->add_option("file", options.file, "the text; - is standard input")->required();
        return sub;
    };
    const auto with_name = [&](CLI::App* sub) {
        sub->add_option("name", options.name, "name, or name@version where one is shown")
            ->required();
        return sub;
    };
    const auto checked = [&](CLI::App* sub) {
        sub->add_flag("--dry-run", options.dry_run, "check it, change nothing");
    };
    CLI::App* bench_app =
        online(add("bench", "load on a running server, and its latencies", bench));
    bench_app
        ->add_option("what", options.bench.what, "feed, search, or signals (which writes them)")
        ->required()
        ->check(CLI::IsMember({"feed", "search", "signals"}));
    bench_app->add_option("--connections", options.bench.connections, "1 to 256")
        ->capture_default_str();
    bench_app
        ->add_option("--rate", options.bench.rate, "requests per second in all; 0: closed loop")
        ->capture_default_str();
    bench_app->add_option("--seconds", options.bench.seconds, "how long")->capture_default_str();
    bench_app->add_option("--batch", options.bench.batch, "signals per request")
        ->capture_default_str();
    bench_app->add_option("--profile", options.bench.profile, "of feeds")->capture_default_str();
    bench_app->add_option("--limit", options.bench.limit, "of feeds and searches")
        ->capture_default_str();
    bench_app->add_option("--queries", options.bench.queries, "of searches: a file, one a line");
    bench_app->add_option("--signal", options.bench.signal, "its name")->capture_default_str();
    bench_app->add_option("--seed", options.bench.seed, "of what is random")->capture_default_str();

    CLI::App* completion_app =
        app.add_subcommand("completion", "a script that completes tidalctl's words in a shell");
    completion_app->add_flag("--json", options.json, "one JSON value instead of text");
    completion_app->add_option("shell", options.name, "bash")
        ->required()
        ->check(CLI::IsMember({"bash"}));
    completion_app->callback([&] {
        command = [&app](const Options& given) -> Result<Verdict> {
            return print_completion(bash_completion(app), given.json);
        };
    });

    CLI::App* schema_app = group("schema", "fields, vectors and signals of a running server");
    online(add_to(schema_app, "show", "the schema as YAML", schema_show));
    with_file(
        online(add_to(schema_app, "add", "additions: the whole schema as wanted", schema_add)));
    CLI::App* profile_app = group("profile", "ranking profiles of a running server");
    online(add_to(profile_app, "list", "every profile and whether it can be used", profile_list));
    with_name(online(add_to(profile_app, "show", "the text of one", profile_show)))
        ->add_flag("--normalized", options.normalized, "what it was understood as, laid out alike");
    checked(with_file(online(add_to(profile_app, "put", "make a version", profile_put))));
    with_name(online(add_to(profile_app, "retire", "end every version of one", profile_retire)));
    CLI::App* compare_app =
        reading(add_to(profile_app, "compare", "one page under two of them", profile_compare));
    compare_app->add_option("left", options.name, "name or name@version")->required();
    compare_app->add_option("right", options.other, "likewise")->required();
    compare_app->add_option("--user-id", options.user_id, "for whom");
    compare_app->add_option("--filter", options.filter, "of the items");
    compare_app->add_option("--limit", options.limit, "1 to 1000");
    CLI::App* experiment_app = group("experiment", "which users see which profile");
    online(add_to(experiment_app, "list", "all of them", experiment_list));
    checked(with_file(online(add_to(experiment_app, "put", "make a version", experiment_put))));
    with_name(online(add_to(experiment_app, "retire", "end one", experiment_retire)));
    CLI::App* results_app =
        online(add_to(experiment_app, "results", "what came of its arms", experiment_results));
    with_name(results_app);
    with_range(results_app);

    CLI::App* cohort_app = group("cohort", "groups of users that rankings read on their own");
    online(add_to(cohort_app, "list", "all of them", cohort_list));
    with_name(online(add_to(cohort_app, "show", "the text of one", cohort_show)));
    checked(with_file(online(add_to(cohort_app, "put", "make a version", cohort_put))));
    with_name(
        online(add_to(cohort_app, "retire", "end one that is nobody's parent", cohort_retire)));

    CLI::App* collection_app = group("collection", "named sets of items that people choose");
    online(add_to(collection_app, "list", "all of them", collection_list));
    CLI::App* collection_show_app =
        online(add_to(collection_app, "show", "the items of one, in order", collection_show));
    with_name(collection_show_app)->add_option("--cursor", options.position, "of the page before");
    CLI::App* collection_put_app =
        online(add_to(collection_app, "put", "make one, or describe it anew", collection_put));
    with_name(collection_put_app)
        ->add_option("--description", options.description, "what it is for");
    with_name(online(add_to(collection_app, "delete", "end one", collection_delete)));
    CLI::App* collection_add_app =
        online(add_to(collection_app, "add", "put an item into one, or move it", collection_add));
    with_name(collection_add_app)->add_option("item", options.target, "its id")->required();
    collection_add_app->add_option("--position", options.place, "the least comes first")
        ->capture_default_str();
    CLI::App* collection_remove_app =
        online(add_to(collection_app, "remove", "take an item out of one", collection_remove));
    with_name(collection_remove_app)->add_option("item", options.target, "its id")->required();

    CLI::App* model_app = group("model", "trees that profiles of a running server call");
    online(add_to(model_app, "list", "every model and what it reads", model_list));
    with_name(online(add_to(model_app, "show", "the text of one", model_show)));
    CLI::App* model_put_app =
        online(add_to(model_app, "put", "LightGBM's text as the model of a name", model_put));
    with_name(model_put_app);
    checked(with_file(model_put_app));
    with_name(online(add_to(model_app, "retire", "end one that no profile calls", model_retire)));

    CLI::App* synonyms_app = group("synonyms", "words that stand for others in searches");
    online(add_to(synonyms_app, "list", "every set", synonyms_list));
    with_name(online(add_to(synonyms_app, "show", "the text of one", synonyms_show)));
    CLI::App* synonyms_put_app =
        online(add_to(synonyms_app, "put", "a text as the set of a name", synonyms_put));
    with_name(synonyms_put_app);
    checked(with_file(synonyms_put_app));
    with_name(online(add_to(synonyms_app, "retire", "end one", synonyms_retire)));

    const auto with_number = [&](CLI::App* sub, const char* name) {
        sub->add_option(name, options.number, "its number")->required();
        return sub;
    };
    CLI::App* relationship_app =
        group("relationship", "what a user hides, saves, follows, blocks, mutes; friends");
    const auto kinds = CLI::IsMember({"hides", "saves", "follows", "blocks", "mutes", "friends"});
    CLI::App* relationship_list_app =
        reading(add_to(relationship_app, "list", "of one user", relationship_list));
    relationship_list_app->add_option("user", options.user_id, "the user")->required();
    relationship_list_app->add_option("--kind", options.kind, "of this kind alone")->check(kinds);
    for (CLI::App* sub : {online(add_to(relationship_app, "add", "begin one", relationship_add)),
                          online(add_to(relationship_app, "end", "end one", relationship_end))}) {
        sub->add_option("user", options.user_id, "the user")->required();
        sub->add_option("kind", options.kind, "how the user stands")->required()->check(kinds);
        sub->add_option("target", options.target, "an item, a creator or a user, as the kind says")
            ->required();
    }
    CLI::App* policy_app = group("policy", "what sessions may do");
    online(add_to(policy_app, "list", "every policy and its limits", policy_list));
    with_name(online(add_to(policy_app, "show", "the text of one", policy_show)));
    CLI::App* policy_put_app =
        online(add_to(policy_app, "put", "a text as the policy of a name", policy_put));
    with_name(policy_put_app);
    checked(with_file(policy_put_app));
    with_name(online(add_to(policy_app, "retire", "end one; sessions keep it", policy_retire)));

    CLI::App* session_app = group("session", "what users and agents do in one sitting");
    const auto with_annotations = [&](CLI::App* sub) {
        sub->add_option("--annotate", options.session.annotations, "key=value; may be repeated")
            ->allow_extra_args(false);
        return sub;
    };
    const auto with_session = [&](CLI::App* sub) {
        sub->add_option("session", options.session.id, "its id")->required();
        return sub;
    };
    const auto with_sequence = [&](CLI::App* sub) {
        sub->add_option("--sequence", options.session.sequence,
                        "above all that the session has accepted, else nothing changes");
        return sub;
    };
    CLI::App* session_open_app =
        with_annotations(online(add_to(session_app, "open", "begin one", session_open)));
    session_open_app->add_option("user", options.user_id, "the user")->required();
    session_open_app->add_option("--agent", options.session.agent, "who acts for the user");
    session_open_app->add_option("--policy", options.session.policy, "what it may do");
    online(add_to(session_app, "list", "those of a user", session_list))
        ->add_option("user", options.user_id, "the user")
        ->required();
    with_session(online(add_to(session_app, "show", "what one is now", session_show)));
    with_signal(with_sequence(with_session(
                    online(add_to(session_app, "signal", "send one signal", session_signal)))))
        ->add_option("--idempotency-key", options.idempotency_key,
                     "a repeat under it changes nothing; undo takes it");
    with_annotations(with_sequence(with_session(
        online(add_to(session_app, "annotate", "note something with one", session_annotate)))));
    with_session(
        online(add_to(session_app, "close", "end one, and see what it came to", session_close)));

    CLI::App* node_app = group("node", "the nodes of a cluster");
    online(add_to(node_app, "list", "all of them, and whether they are up", node_list));
    online(add_to(node_app, "token", "a token that lets one more node join", node_token))
        ->add_option("--expires", options.expires, "90s, 30m, 1h, 7d")
        ->capture_default_str();
    with_number(online(add_to(node_app, "remove", "end one that does not come back", node_remove)),
                "node");
    CLI::App* shard_app = group("shard", "the shards of a cluster");
    online(add_to(shard_app, "list", "who leads, and how far each is", shard_list))
        ->add_flag("--content-hash", options.content_hash,
                   "of the replicas there; walks all they hold");
    with_number(online(add_to(shard_app, "transfer", "let another node lead", shard_transfer)),
                "shard")
        ->add_option("--to", options.to, "this node; default: the one that has the most of it");
    CLI::App* key_app = group("key", "API keys; with the first one every request needs one");
    CLI::App* key_create_app =
        online(add_to(key_app, "create", "make one; it is shown this once", key_create));
    key_create_app->add_option("--role", options.role, "reader, writer or admin")
        ->check(CLI::IsMember({"reader", "writer", "admin"}))
        ->capture_default_str();
    online(add_to(key_app, "list", "names and roles", key_list));
    for (CLI::App* sub : {key_create_app, online(add_to(key_app, "revoke", "end one", key_revoke))})
        sub->add_option("name", options.name, "its name")->required();

    try {
        app.parse(argc, argv);
    } catch (const CLI::Error& error) {
        return usage(app, error, argc, argv);
    }
    const auto done = command(options);
    if (done.ok()) return *done == Verdict::kSound ? 0 : 1;
    print_error(done.error());
    if (options.json) std::printf("%s\n", error_json(done.error()).c_str());
    return 1;
}

}  // namespace
}  // namespace tidal::ctl

int main(int argc, char** argv) {
    return tidal::ctl::run(argc, argv);
}
