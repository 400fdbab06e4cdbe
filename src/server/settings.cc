#include "server/settings.h"

#include <yaml-cpp/yaml.h>

#include <CLI/CLI.hpp>
#include <functional>

#include "base/edit_distance.h"

namespace tidal::server {
namespace {

/// One setting: --data-dir, TIDAL_DATA_DIR and `data_dir:` in the file.
struct Option {
    const char* name;  ///< As in the file.
    const char* help;
    std::function<CLI::Option*(CLI::App&, const std::string& flag)> add;
    std::function<std::string()> print;
};

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
        toggle("ephemeral", &s->ephemeral, "nothing on disk: everything is lost at the end"),
        value("schema", &s->schema, "YAML schema of a new directory, or additions to an old one"),
        value("shards", &s->shards, "data shards of a new directory (0: 1, or what it has)"),
        value("executors", &s->executors, "threads that shards run on"),
        value("http_threads", &s->http_threads, "threads of the HTTP door"),
        value("checkpoint_interval_ms", &s->checkpoint_interval_ms,
              "at most this long between checkpoints"),
        value("ledger_memory_mib", &s->ledger_memory_mib,
              "above it the coldest ledgers move to disk"),
        value("backup_dir", &s->backup_dir,
              "where POST /backups makes backups; without it, nowhere"),
        value("import_spool_mib", &s->import_spool_mib,
              "at most this much of an import's files is kept aside"),
        value("degrade_1_ms", &s->degrade_1_ms, "queries wait so long: they get less"),
        value("degrade_2_ms", &s->degrade_2_ms, "queries wait so long: they get less still"),
        value("shed_ms", &s->shed_ms, "queries wait so long: they are refused"),
        value("queries_running", &s->queries_running, "long queries that take turns"),
        value("data_clock", &s->data_clock,
              "tell this time (RFC 3339), which only replays of imports move on"),
        value("sample", &s->sample, "demo: folder of the sample data"),
        value("log_level", &s->log_level, "debug, info, warning, error or off"),
        toggle("insecure", &s->insecure, "listen beyond loopback without TLS and accounts"),
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
    for (const char* command : {"standalone", "demo"}) {
        CLI::App* sub =
            app.add_subcommand(command, std::string(command) == "demo"
                                            ? "import the MovieLens sample, print feeds, serve"
                                            : "serve one database on this machine");
        for (const Option& option : known)
            option.add(*sub, flag_of(option.name))->envname(variable_of(option.name));
        sub->add_option("--config", config, "YAML file with these settings")
            ->envname("TIDAL_CONFIG");
        sub->add_flag("--print-config", settings.print_config,
                      "print the effective settings and stop");
        sub->callback([&settings, command] { settings.command = command; });
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
        for (int i = 1; i < argc; ++i) {
            const std::string flag = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
            const bool is_known = flag == "--config" || flag == "--print-config" ||
                                  std::any_of(known.begin(), known.end(), [&](const Option& o) {
                                      return flag_of(o.name) == flag;
                                  });
            if (flag.starts_with("-") && !is_known) *answer = {unknown_flag(flag, known) + "\n", 2};
        }
        if (answer->text.empty()) *answer = {"unexpected argument; see tidal-server --help\n", 2};
    } catch (const CLI::Error& error) {
        std::ostringstream out;
        const int code = app.exit(error, out, out);
        *answer = {out.str(), code == 0 ? 0 : 2};
    }
    return settings;
}

std::string print_settings(const Settings& settings) {
    Settings copy = settings;
    YAML::Emitter out;
    out << YAML::BeginMap;
    for (const Option& option : options(&copy))
        out << YAML::Key << option.name << YAML::Value << option.print();
    out << YAML::EndMap;
    return std::string(out.c_str()) + "\n";
}

}  // namespace tidal::server
