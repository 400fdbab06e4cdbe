// ctl/commands.h: what tidalctl does. Each command prints to standard output and returns an error
// for the exit code; --json prints one JSON value instead of text.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace tidal::ctl {

struct Options {
    std::string url = "http://127.0.0.1:9500";
    std::string data_dir = "./data";
    bool json = false;

    // import
    std::string mapping;     ///< YAML file; empty = the files are JSON lines as they are.
    std::string import_id;   ///< Empty = made from the names and the mapping.
    std::string time_shift;  ///< "" or "end:now".
    std::string rejects;     ///< File for rejected lines.
    std::vector<std::string> paths;

    // export
    std::string from, until, signals, user_id, position, format = "jsonl";
};

// Of a running server.
Result<void> status(const Options& options);
Result<void> import(const Options& options);
Result<void> export_signals(const Options& options);

// Of a data directory whose server is stopped; nothing is changed.
Result<void> paths(const Options& options);
Result<void> diagnostics(const Options& options);
/// An error when anything is damaged, after listing all of it.
Result<void> fsck(const Options& options);

}  // namespace tidal::ctl
