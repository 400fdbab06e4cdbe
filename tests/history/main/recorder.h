// tests/history/main/recorder.h: a history file that is written while clients work.
#pragma once

#include <chrono>
#include <cstdint>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

#include "tests/history/operation.h"

namespace tidal::history {

/// Threads: any.
class Recorder {
public:
    explicit Recorder(const std::string& path);

    bool good() const { return out_.good(); }
    /// Since the recorder was made.
    std::int64_t now_ns() const;
    void add(const Operation& operation);
    /// A read with the token of a change.
    void add_own_read(bool answered);
    /// Something the database must not do, that is no operation.
    void add_problem(const std::string& problem);
    /// False when not everything could be written.
    bool close();

    const std::string& first_problem() const { return first_problem_; }
    /// Lines for people: operations by kind and outcome, and the longest time in which no change
    /// was acknowledged.
    std::string summary() const;

private:
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    std::mutex mutex_;
    std::ofstream out_;
    std::map<std::pair<Kind, Outcome>, std::uint64_t> counts_;
    std::int64_t acknowledged_ns_ = 0;
    std::int64_t silence_ns_ = 0;
    std::uint64_t own_reads_ = 0, own_reads_refused_ = 0;
    std::uint64_t problems_ = 0;
    std::string first_problem_;
};

}  // namespace tidal::history
