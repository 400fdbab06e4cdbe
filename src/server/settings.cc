#include "server/settings.h"

#include <yaml-cpp/yaml.h>

#include <CLI/CLI.hpp>
#include <functional>

#include "base/edit_distance.h"

namespace tidal::server {
namespace {

struct CommandInfo {
    Command command;
    const char* name;
    const char* help;
};
constexpr CommandInfo kCommands[] = {
    {Command::kStandalone, "standalone", "serve one database on this machine"},
    {Command::kDemo, "demo", "import the MovieLens sample, print feeds, serve"},
    {Command::kInit, "init", "make a cluster of one node in a new directory, and serve"},
    {Command::kJoin, "join", "make a node of a cluster in a new directory, and serve"},
    {Command::kStart, "start", "serve a directory that init or join made"},
};

using Commands = std::uint32_t;  ///< A bit per Command.
constexpr Commands of(Command command) {
    return 1U << static_cast<unsigned>(command);
}
constexpr Commands kNodes = of(Command::kInit) | of(Command::kJoin) | of(Command::kStart);
constexpr Commands kSingle = of(Command::kStandalone) | of(Command::kDemo);
constexpr Commands kEvery = kNodes | kSingle;

/// One setting: --data-dir, TIDAL_DATA_DIR and `data_dir:` in the file.
struct Option {
    const char* name;  ///< As in the file.
    const char* help;
    std::function<CLI::Option*(CLI::App&, const std::string& flag)> add;
    std::function<std::string()> print;
    Commands commands = kEvery;  ///< That take the flag; a file may name it for all.
    bool secret = false;         ///< Never printed.
};

Option only(Commands commands, Option option) {
    option.commands = commands;
    return option;
}
Option secret(Option option) {
    option.secret = true;
    return option;
}

std::string flag_of(std::string_view name) {
    std::string flag = "--" + std::string(name);
    std::replace(flag.begin() + 2, flag.end(), '_', '-');
    return flag;
}

std::string variable_of(std::string_view name) {
    std::string variable = "TIDAL_" + std::string(name);
    std::transform(variable.begin(), variable.end(), variable.begin(),
                   [](unsigned char c) { return std::toupper(c); });
    return variable;
}

template <typename T>
Option value(const char* name, T* target, const char* help) {
    return {name, help,
            [=](CLI::App& app, const std::string& flag) {
                return app.add_option(flag, *target, help)->capture_default_str();
            },
            [=] {
                std::ostringstream out;
                out << *target;
                return out.str();
            }};
}

/// MiB of a budget; 0 has a meaning of its own.
Option memory(const char* name, std::uint64_t* target, const char* help) {
    Option option = value(name, target, help);
    option.add = [=](CLI::App& app, const std::string& flag) {
        return app.add_option(flag, *target, help)
            ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 30))
            ->capture_default_str();
    };
    return option;
}

/// MiB, of which there have to be some.
Option some_memory(const char* name, std::uint64_t* target, const char* help) {
    Option option = value(name, target, help);
    option.add = [=](CLI::App& app, const std::string& flag) {
        return app.add_option(flag, *target, help)
            ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 30))
            ->capture_default_str();
    };
    return option;
}

Option toggle(const char* name, bool* target, const char* help) {
    return {
        name, help,
        [=](CLI::App& app, const std::string& flag) { return app.add_flag(flag, *target, help); },
        [=] { return std::string(*target ? "true" : "false"); }};
}

std::vector<Option> options(Settings* s) {
    return {
        value("listen", &s->listen, "address and port of the HTTP door"),
        value("data_dir", &s->data_dir, "where the data lives"),
        only(kSingle,
             toggle("ephemeral", &s->ephemeral, "nothing on disk: everything is lost at the end")),
        only(kSingle | of(Command::kInit) | of(Command::kStart),
             value("schema", &s->schema,
                   "YAML schema of a new directory, or additions to an old one")),
        only(kSingle | of(Command::kInit),
             value("shards", &s->shards,
                   "data shards of a new directory (0: 1, in a cluster 8, or what it has)")),
        value("executors", &s->executors, "threads that shards run on"),
        value("http_threads", &s->http_threads, "threads of the HTTP door"),
        value("checkpoint_interval_ms", &s->checkpoint_interval_ms,
              "at most this long between checkpoints"),
        memory("memory_mib", &s->memory_mib,
               "of the process (0: no limit); above it writes are refused that need more"),
        value("ledger_memory_mib", &s->ledger_memory_mib,
              "above it the coldest ledgers move to disk"),
        some_memory("writes_memory_mib", &s->writes_memory_mib,
                    "of a shard, for writes under way; above it more are refused"),
        memory("user_states_memory_mib", &s->user_states_memory_mib,
               "of a shard (0: what it has, a new one 1024), for what "
               "users saw, liked, hid; above it hides are refused"),
        memory("tastes_memory_mib", &s->tastes_memory_mib,
               "of a shard (0: what it has, a new one 1024), for tastes; "
               "above it the longest silent are forgotten"),
        memory("co_engagement_memory_mib", &s->co_engagement_memory_mib,
               "of a shard (0: what it has, a new one 1024), for "
               "items liked together; above it no new pairs"),
        memory("cohorts_memory_mib", &s->cohorts_memory_mib,
               "of a shard (0: what it has, a new one 256), for ledgers "
               "of cohorts; above it the oldest hours go"),
        memory("collections_memory_mib", &s->collections_memory_mib,
               "of a shard (0: what it has, a new one 256), for "
               "items in collections; above it more are refused"),
        value("graph_vectors_min", &s->graph_vectors_min,
              "vectors that make a graph; fewer are compared one by one"),
        value("backup_dir", &s->backup_dir,
              "where POST /backups makes backups; without it, nowhere"),
        value("import_spool_mib", &s->import_spool_mib,
              "at most this much of an import's files is kept aside"),
        value("degrade_1_ms", &s->degrade_1_ms, "queries wait so long: they get less"),
        value("degrade_2_ms", &s->degrade_2_ms, "queries wait so long: they get less still"),
        value("shed_ms", &s->shed_ms, "queries wait so long: they are refused"),
        value("queries_running", &s->queries_running,
              "long queries that take turns (0: two for each executor)"),
        only(kSingle, value("data_clock", &s->data_clock,
                            "tell this time (RFC 3339), which only replays of imports move on")),
        only(kSingle, value("sample", &s->sample, "demo: folder of the sample data")),
        value("log_level", &s->log_level, "debug, info, warning, error or off"),
        toggle("insecure", &s->insecure, "listen beyond loopback without TLS and accounts"),
        toggle("require_keys", &s->require_keys,
               "every request names an API key, also before the first one is made"),
        only(kNodes, value("peer_listen", &s->peer_listen, "address and port for other nodes")),
        only(kNodes, value("peer_advertise", &s->peer_advertise,
                           "where other nodes reach it, host:port; empty: where it listens")),
        only(kNodes, value("http_advertise", &s->http_advertise,
                           "where clients reach it, host:port; empty: where it listens")),
        only(kNodes, value("heartbeat_ms", &s->heartbeat_ms, "between a leader's heartbeats")),
        only(kNodes, value("election_ms_min", &s->election_ms_min,
                           "silence after which an election may begin...")),
        only(kNodes,
             value("election_ms_max", &s->election_ms_max, "...and after which it has begun")),
        only(of(Command::kJoin),
             value("seed", &s->seed, "members that let it in: host:port,host:port")),
        only(of(Command::kJoin), value("join_timeout_ms", &s->join_timeout_ms,
                                       "how long join asks before it gives up")),
        secret(only(of(Command::kJoin),
                    value("token", &s->token, "from `tidalctl node token`; better: TIDAL_TOKEN"))),
    };
}

/// Reads the file into the settings; flags and environment are laid over it afterwards.
Result<void> read_file(const std::string& path, const std::vector<Option>& known,
                       CLI::App& scratch) {
    std::vector<std::string> arguments;
    std::vector<std::string_view> names;
    for (const Option& option : known) names.emplace_back(option.name);
    try {
        for (const auto& entry : YAML::LoadFile(path)) {
            const auto key = entry.first.as<std::string>();
            if (std::find(names.begin(), names.end(), key) == names.end())
                return Error(ErrorCode::kUnknownName, "unknown key '" + key + "'")
                    .with("file", path)
                    .with("line", static_cast<std::uint64_t>(entry.first.Mark().line + 1))
                    .with_hint(name_hint(key, names));
            arguments.push_back(flag_of(key) + "=" + entry.second.as<std::string>());
        }
        std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
        scratch.parse(arguments);
    } catch (const YAML::Exception& error) {
        return Error(ErrorCode::kInvalidArgument,
                     std::string("cannot read the configuration: ") + error.what())
            .with("file", path);
    } catch (const CLI::Error& error) {
        return Error(ErrorCode::kInvalidArgument, error.what()).with("file", path);
    }
    return {};
}

std::string unknown_flag(const std::string& flag, const std::vector<Option>& known) {
    std::vector<std::string> flags = {"--config", "--print-config", "--help", "--version"};
    for (const Option& option : known) flags.push_back(flag_of(option.name));
    const std::vector<std::string_view> views(flags.begin(), flags.end());
    return "unknown argument '" + flag + "'; " + name_hint(flag, views);
}

/// "init, join and start": the commands that take an option.
std::string names_of(Commands commands) {
    std::vector<std::string> names;
    for (const CommandInfo& info : kCommands)
        if ((commands & of(info.command)) != 0) names.emplace_back(info.name);
    std::string out;
    for (std::size_t i = 0; i < names.size(); ++i)
        out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
    return out;
}

/// What to say about arguments that a command does not take.
std::string unexpected(int argc, const char* const* argv, const std::vector<Option>& known) {
    for (int i = 1; i < argc; ++i) {
        const std::string flag = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
        if (!flag.starts_with("-") || flag == "--config" || flag == "--print-config") continue;
        const auto option =
            std::ranges::find_if(known, [&](const Option& o) { return flag_of(o.name) == flag; });
        if (option == known.end()) return unknown_flag(flag, known);
        for (const CommandInfo& info : kCommands)
            if (std::string_view(argv[1]) == info.name &&
                (option->commands & of(info.command)) == 0)
                return flag + " is for " + names_of(option->commands);
    }
    return "unexpected argument; see tidal-server --help";
}

/// What only the command as a whole can say.
Result<void> check(const Settings& settings) {
    if (settings.command != Command::kJoin) return {};
    const auto missing = [](const char* field, const char* hint) {
        return Error(ErrorCode::kInvalidArgument, std::string("join needs --") + field)
            .with_field(field)
            .with_hint(hint);
    };
    if (settings.seed.empty())
        return missing("seed", "the --peer-listen of any member: --seed 10.0.0.1:9502");
    if (settings.token.empty())
        return missing("token", "`tidalctl node token` on a member prints one");
    return {};
}

}  // namespace

Result<Settings> read_settings(int argc, const char* const* argv, std::string_view version,
                               Answer* answer) {
    Settings settings;
    const std::vector<Option> known = options(&settings);
    CLI::App app("tidalDB: given a user and a context, which content, in which order?",
                 "tidal-server");
    app.set_version_flag("--version", std::string(version));
    app.require_subcommand(1);
    std::string config;
    CLI::App scratch;
    for (const Option& option : known) option.add(scratch, flag_of(option.name));
    for (const CommandInfo& info : kCommands) {
        CLI::App* sub = app.add_subcommand(info.name, info.help);
        for (const Option& option : known)
            if ((option.commands & of(info.command)) != 0)
                option.add(*sub, flag_of(option.name))->envname(variable_of(option.name));
        sub->add_option("--config", config, "YAML file with these settings")
            ->envname("TIDAL_CONFIG");
        sub->add_flag("--print-config", settings.print_config,
                      "print the effective settings and stop");
        sub->callback([&settings, command = info.command] { settings.command = command; });
    }
    // The file lies beneath flags and environment, so it is read first.
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument == "--config" && i + 1 < argc) config = argv[i + 1];
        if (argument.starts_with("--config=")) config = argument.substr(9);
    }
    if (const char* path = std::getenv("TIDAL_CONFIG"); config.empty() && path != nullptr)
        config = path;
    if (!config.empty()) TIDAL_TRY(read_file(config, known, scratch));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ExtrasError&) {
        *answer = {unexpected(argc, argv, known) + "\n", 2};
    } catch (const CLI::Error& error) {
        std::ostringstream out;
        const int code = app.exit(error, out, out);
        *answer = {out.str(), code == 0 ? 0 : 2};
    }
    if (answer->text.empty() && !settings.print_config) TIDAL_TRY(check(settings));
    return settings;
}

bool is_cluster(Command command) {
    return (kNodes & of(command)) != 0;
}

std::string print_settings(const Settings& settings) {
    Settings copy = settings;
    YAML::Emitter out;
    out << YAML::BeginMap;
    for (const Option& option : options(&copy))
        if (!option.secret && (option.commands & of(settings.command)) != 0)
            out << YAML::Key << option.name << YAML::Value << option.print();
    out << YAML::EndMap;
    return std::string(out.c_str()) + "\n";
}

}  // namespace tidal::server
