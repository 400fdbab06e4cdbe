#include "http/import_sink.h"

#include <atomic>

#include "http/import_lines.h"
#include "http/import_run.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

/// The job's end as a reply: its status, or the problem that ended it.
void answer(const ImportJob& job, Responder responder) {
    if (const auto failure = job.failure()) return responder.fail(*failure);
    responder.send(Response::json(job.status_json()));
}

class LinesSink final : public BodySink, public std::enable_shared_from_this<LinesSink> {
public:
    LinesSink(api::Database& database, std::shared_ptr<ImportJob> job, const ImportCall& call,
              std::uint64_t bytes_declared, Responder responder)
        : lines_(std::make_shared<ImportLines>(
              database, call.id, call.shift_ms,
              [job](const Error& error, std::string_view text) { job->reject(error, text); })),
          job_(std::move(job)),
          responder_(std::move(responder)) {
        progress_.bytes_total = bytes_declared;
        job_->running(progress_);
    }

    void on_chunk(std::string bytes, ReadNext next) override {
        progress_.bytes_done += bytes.size();
        lines_->feed(bytes, [self = shared_from_this(),
                             next = std::move(next)](Result<void> written) mutable {
            self->take_counts();
            if (!written.ok()) return self->fail(written.error());
            self->job_->running(self->progress_);
            next();
        });
    }

    void on_end() override {
        lines_->finish([self = shared_from_this()](Result<void> written) {
            self->take_counts();
            if (!written.ok()) return self->fail(written.error());
            if (self->answered_.exchange(true)) return;
            self->job_->finished(self->progress_);
            answer(*self->job_, std::move(self->responder_));
        });
    }

    void on_error(const Error& error) override { fail(error); }

private:
    void take_counts() {
        const ImportCounts& counts = lines_->counts();
        progress_.rows = counts.lines;
        progress_.accepted = counts.accepted;
        progress_.skipped = counts.skipped;
        progress_.rejected = counts.rejected;
    }
    void fail(const Error& error) {
        if (answered_.exchange(true)) return;
        job_->failed(error);
        responder_.fail(error);
    }

    std::shared_ptr<ImportLines> lines_;
    std::shared_ptr<ImportJob> job_;
    Responder responder_;
    /// A cut connection ends it on the I/O thread, while the database may answer on another.
    std::atomic<bool> answered_ = false;
    api::ImportProgress progress_;
};

class SpoolSink final : public BodySink, public std::enable_shared_from_this<SpoolSink> {
public:
    SpoolSink(api::Database& database, std::shared_ptr<ImportJobs> jobs,
              std::shared_ptr<ImportJob> job, const ImportCall& call, bool tar,
              std::uint64_t bytes_declared, Responder responder)
        : database_(database),
          jobs_(std::move(jobs)),
          job_(std::move(job)),
          call_(call),
          bytes_declared_(bytes_declared),
          spool_(jobs_->make_spool(*job_)),
          responder_(std::move(responder)) {
        if (tar) {
            archive_.emplace(*spool_);
        } else {
            opened_ = spool_->on_file(kLinesFile, 0);
        }
    }

    // Files are written on the receiver: an I/O thread must not wait for a disk.
    void on_chunk(std::string bytes, ReadNext next) override {
        jobs_->receiver()->post([self = shared_from_this(), bytes = std::move(bytes),
                                 next = std::move(next)]() mutable {
            Result<void> kept = std::move(self->opened_);
            self->opened_ = {};
            if (kept.ok())
                kept = self->archive_ ? self->archive_->feed(bytes) : self->spool_->on_bytes(bytes);
            if (!kept.ok()) return self->fail(kept.error());
            self->bytes_ += bytes.size();
            self->job_->received(self->bytes_, self->bytes_declared_);
            next();
        });
    }

    void on_end() override {
        jobs_->receiver()->post([self = shared_from_this()] {
            const Result<void> kept =
                self->archive_ ? self->archive_->finish() : self->spool_->on_file_end();
            if (!kept.ok()) return self->fail(kept.error());
            self->begin();
        });
    }

    void on_error(const Error& error) override { fail(error); }

private:
    void begin() {
        if (answered_.exchange(true)) return;
        job_->running({});
        if (call_.wait) {
            job_->when_ended(
                [self = shared_from_this()] { answer(*self->job_, std::move(self->responder_)); });
        } else {
            Response accepted = Response::json(job_->status_json(), 202);
            accepted.headers.push_back({"Location", "/import/" + job_->id()});
            responder_.send(std::move(accepted));
        }
        runtime::spawn(run_spooled(database_, jobs_, job_, spool_, call_, archive_.has_value()));
    }
    void fail(const Error& error) {
        if (answered_.exchange(true)) return;
        job_->failed(error);
        responder_.fail(error);
    }

    api::Database& database_;
    const std::shared_ptr<ImportJobs> jobs_;
    std::shared_ptr<ImportJob> job_;
    const ImportCall call_;
    const std::uint64_t bytes_declared_;
    std::shared_ptr<ImportSpool> spool_;
    Responder responder_;
    std::atomic<bool> answered_ = false;  ///< As above, or handed to the run.
    std::optional<transfer::TarReader> archive_;
    Result<void> opened_;
    std::uint64_t bytes_ = 0;
};

}  // namespace

std::shared_ptr<BodySink> make_lines_sink(api::Database& database, std::shared_ptr<ImportJob> job,
                                          const ImportCall& call, std::uint64_t bytes_declared,
                                          Responder responder) {
    return std::make_shared<LinesSink>(database, std::move(job), call, bytes_declared,
                                       std::move(responder));
}

std::shared_ptr<BodySink> make_spool_sink(api::Database& database, std::shared_ptr<ImportJobs> jobs,
                                          std::shared_ptr<ImportJob> job, const ImportCall& call,
                                          bool tar, std::uint64_t bytes_declared,
                                          Responder responder) {
    return std::make_shared<SpoolSink>(database, std::move(jobs), std::move(job), call, tar,
                                       bytes_declared, std::move(responder));
}

}  // namespace tidal::http
