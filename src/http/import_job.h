// http/import_job.h: imports under way and those that ended: what GET /import/{id} shows.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/import.h"
#include "http/import_spool.h"
#include "runtime/runtime.h"

namespace tidal::http {

/// One import, from its first byte to its end. Threads: any.
class ImportJob : public std::enable_shared_from_this<ImportJob> {
public:
    enum class State : std::uint8_t { kReceiving, kRunning, kFinished, kFailed };
    using Ended = absl::AnyInvocable<void()>;

    ImportJob(runtime::Runtime& runtime, std::shared_ptr<runtime::Executor> executor,
              std::string id, std::uint64_t number);
    ~ImportJob();

    const std::string& id() const { return id_; }
    /// Unique in the life of the process.
    std::string prefix() const { return std::to_string(number_); }

    void received(std::uint64_t bytes, std::uint64_t bytes_declared);
    void running(const api::ImportProgress& progress);
    void finished(const api::ImportProgress& progress);
    void failed(const Error& error);
    /// Kept with its text in a file of the import's folder; the first hundred are in the status.
    /// @param error  With `line` and, where there are several, `file`.
    void reject(const Error& error, std::string_view text);
    bool ended() const;
    /// Calls back at the end; at once when it has ended.
    void when_ended(Ended ended);
    /// The answer of GET /import/{id}, and of POST /import at the end.
    std::string status_json() const;
    /// Null when it did not fail.
    std::optional<Error> failure() const;
    /// Next piece of the rejected lines; empty at the end. Blocks.
    Result<std::string> read_rejects(std::uint64_t offset);

private:
    void end(State state);
    void write_rejects();

    runtime::Runtime& runtime_;
    const std::shared_ptr<runtime::Executor> executor_;
    const std::string id_;
    const std::uint64_t number_;
    const std::string rejects_path_;
    const std::uint64_t started_ns_;

    mutable std::mutex mutex_;  ///< Guards what follows.
    State state_ = State::kReceiving;
    api::ImportProgress progress_;
    std::uint64_t received_ = 0, declared_ = 0;
    std::uint64_t running_ns_ = 0, ended_ns_ = 0;
    std::uint64_t shown_ = 0;
    std::string problems_;  ///< Of the first rejected lines, comma separated.
    std::optional<Error> error_;
    std::vector<Ended> when_ended_;
    std::string rejects_waiting_;
    bool writing_ = false;
    std::mutex file_mutex_;  ///< Guards what follows.
    std::unique_ptr<runtime::File> rejects_;
    std::uint64_t rejects_bytes_ = 0;
    bool rejects_broken_ = false;
};

/// Every import that this process knows. Threads: any.
class ImportJobs {
public:
    static constexpr std::size_t kEndedKept = 100;
    static constexpr std::size_t kUnderWayMax = 16;

    ImportJobs(runtime::Runtime& runtime, const SpoolLimits& limits);

    /// kConflict while one of that id is under way; kOverloaded with kUnderWayMax.
    Result<std::shared_ptr<ImportJob>> begin(const std::string& id);
    /// kNotFound naming the nearest.
    Result<std::shared_ptr<ImportJob>> find(const std::string& id) const;
    std::string list_json() const;
    std::shared_ptr<ImportSpool> make_spool(const ImportJob& job);
    /// Where bodies are written down and imports run; blocking is allowed there.
    const std::shared_ptr<runtime::Executor>& receiver() const { return receiver_; }
    const std::shared_ptr<runtime::Executor>& runner() const { return runner_; }
    runtime::Runtime& runtime() { return runtime_; }
    void stop();

private:
    runtime::Runtime& runtime_;
    const SpoolLimits limits_;
    const std::shared_ptr<runtime::Executor> receiver_, runner_;
    mutable std::mutex mutex_;  ///< Guards what follows.
    std::uint64_t next_number_ = 1;
    std::deque<std::shared_ptr<ImportJob>> jobs_;  ///< Oldest first.
};

}  // namespace tidal::http
