// tidal-history: records what running servers answer, and checks it. tests/history/README.md.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/history/check.h"
#include "tests/history/history_file.h"
#include "tests/history/main/proxy_command.h"
#include "tests/history/main/workload.h"

namespace tidal::history {
namespace {

constexpr int kExitViolation = 1;
constexpr int kExitError = 2;
constexpr int kExitUndecided = 3;

int fail(const Error& error) {
    std::fprintf(stderr, "tidal-history: %s\n", error.to_string().c_str());
    return kExitError;
}

int check_file(const std::string& path, const CheckOptions& options) {
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    if (!in.good()) return fail(Error(ErrorCode::kIo, "cannot read " + path));
    const auto history = parse_history(text.str());
    if (!history.ok()) return fail(history.error());
    if (history->empty()) return fail(Error(ErrorCode::kInvalidArgument, path + " is empty"));
    const HistoryVerdict verdict = check_history(*history, options);
    std::fputs(to_text(verdict).c_str(), stdout);
    switch (verdict.answer) {
        case Answer::kLinearizable:
            return 0;
        case Answer::kViolation:
            return kExitViolation;
        case Answer::kUndecided:
            return kExitUndecided;
    }
    return kExitError;
}

void add_workload_options(CLI::App* command, WorkloadOptions* options) {
    command->add_option("--nodes", options->nodes, "addresses, with commas")
        ->delimiter(',')
        ->required();
    command->add_option("--seconds", options->seconds, "how long the clients work");
    command->add_option("--seed", options->seed, "of all choices; a database sees it once");
    command->add_option("--keys", options->keys, "registers, and as many counters");
    command->add_option("--clients", options->clients);
    command->add_option("--rate", options->rate, "operations per second of all clients, at most");
    command->add_option("--timeout-ms", options->timeout_ms, "of one request");
    command->add_option("--settle-s", options->settle_s, "for every node to answer at both ends");
    command->add_flag("--strong-parameter", options->strong_parameter,
                      "reads say read_consistency=strong");
    command->add_option("--change-parameters", options->change_parameters,
                        "of writes and signals: w=majority");
    command->add_option("--out", options->out, "the history file")->required();
}

int run(int argc, char** argv) {
    CLI::App app("Histories of what a database answered: recorded, and checked.", "tidal-history");
    app.require_subcommand(1);
    app.option_defaults()->always_capture_default();

    std::string file;
    CheckOptions check;
    CLI::App* check_command = app.add_subcommand(
        "check", "exit 0: linearizable, 1: not, 2: no such file or not a history, 3: undecided");
    check_command->add_option("FILE", file)->required();
    check_command->add_option("--configurations", check.configurations_max,
                              "looked at per key before it is undecided");

    WorkloadOptions workload;
    CLI::App* run_command = app.add_subcommand("run", "random operations on running nodes");
    add_workload_options(run_command, &workload);

    ProxyCommandOptions proxy;
    CLI::App* proxy_command = app.add_subcommand("proxy", "the network between nodes, to be cut");
    proxy_command->add_option("--node", proxy.nodes, "LISTEN:TARGET:PIDFILE, for each node")
        ->required();
    proxy_command->add_option("--control-port", proxy.control_port, "0 takes a free one");

    CLI11_PARSE(app, argc, argv);
    if (check_command->parsed()) return check_file(file, check);
    const auto done = proxy_command->parsed() ? run_proxy(proxy) : run_workload(workload);
    if (done.ok()) return 0;
    fail(done.error());
    return done.error().code() == ErrorCode::kConflict ? kExitViolation : kExitError;
}

}  // namespace
}  // namespace tidal::history

int main(int argc, char** argv) {
    return tidal::history::run(argc, argv);
}
