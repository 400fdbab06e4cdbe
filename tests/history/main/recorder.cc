#include "tests/history/main/recorder.h"

#include <algorithm>
#include <cstdio>

#include "tests/history/history_file.h"

namespace tidal::history {

Recorder::Recorder(const std::string& path) : out_(path, std::ios::trunc) {
    out_ << file_head();
}

std::int64_t Recorder::now_ns() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() -
                                                                start_)
        .count();
}

void Recorder::add(const Operation& operation) {
    const std::string line = to_line(operation);
    const std::lock_guard lock(mutex_);
    out_ << line;
    ++counts_[{operation.kind, operation.outcome}];
    if (!changes(operation.kind) || operation.outcome != Outcome::kOk) return;
    if (acknowledged_ns_ != 0)
        silence_ns_ = std::max(silence_ns_, operation.end_ns - acknowledged_ns_);
    acknowledged_ns_ = std::max(acknowledged_ns_, operation.end_ns);
}

void Recorder::add_own_read(bool answered) {
    const std::lock_guard lock(mutex_);
    ++(answered ? own_reads_ : own_reads_refused_);
}

void Recorder::add_problem(const std::string& problem) {
    const std::lock_guard lock(mutex_);
    if (problems_++ == 0) first_problem_ = problem;
}

bool Recorder::close() {
    const std::lock_guard lock(mutex_);
    out_.close();
    return !out_.fail();
}

std::string Recorder::summary() const {
    std::string out;
    for (const auto& [what, count] : counts_)
        out += std::string(out.empty() ? "" : ", ") + name_of(what.first) + " " +
               name_of(what.second) + " " + std::to_string(count);
    out += ", reads by token ok " + std::to_string(own_reads_) + " and not " +
           std::to_string(own_reads_refused_);
    char silence[96];
    std::snprintf(silence, sizeof silence,
                  "\nlongest time without an acknowledged change: %.0f ms\n",
                  static_cast<double>(silence_ns_) / 1e6);
    return out + silence;
}

}  // namespace tidal::history
