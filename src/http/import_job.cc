#include "http/import_job.h"

#include <algorithm>
#include <cstdio>

#include "base/edit_distance.h"
#include "base/time_text.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

constexpr std::size_t kProblemsShown = 100;
constexpr std::uint64_t kRejectsBytesMax = std::uint64_t{1} << 30;
constexpr std::size_t kRejectsPieceBytes = 64 * 1024;

std::string_view state_name(ImportJob::State state) {
    switch (state) {
        case ImportJob::State::kReceiving:
            return "receiving";
        case ImportJob::State::kRunning:
            return "running";
        case ImportJob::State::kFinished:
            return "finished";
        case ImportJob::State::kFailed:
            return "failed";
    }
    return "";
}

std::string decimal(double number) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", number);
    return text;
}

}  // namespace

ImportJob::ImportJob(runtime::Runtime& runtime, std::shared_ptr<runtime::Executor> executor,
                     std::string id, std::uint64_t number)
    : runtime_(runtime),
      executor_(std::move(executor)),
      id_(std::move(id)),
      number_(number),
      rejects_path_(std::string(kImportFolder) + "/" + std::to_string(number) + "-rejects"),
      started_ns_(runtime.clock().monotonic_ns()) {}

ImportJob::~ImportJob() {
    if (!rejects_) return;
    rejects_.reset();
    (void)runtime_.disk().remove(rejects_path_);
}

void ImportJob::received(std::uint64_t bytes, std::uint64_t bytes_declared) {
    const std::lock_guard lock(mutex_);
    received_ = bytes;
    declared_ = bytes_declared;
}

void ImportJob::running(const api::ImportProgress& progress) {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kFinished || state_ == State::kFailed) return;
    if (state_ == State::kReceiving) running_ns_ = runtime_.clock().monotonic_ns();
    state_ = State::kRunning;
    progress_ = progress;
}

void ImportJob::finished(const api::ImportProgress& progress) {
    running(progress);
    end(State::kFinished);
}

void ImportJob::failed(const Error& error) {
    {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = error;
    }
    end(State::kFailed);
}

void ImportJob::end(State state) {
    std::vector<Ended> callbacks;
    {
        const std::lock_guard lock(mutex_);
        if (state_ == State::kFinished || state_ == State::kFailed) return;
        state_ = state;
        ended_ns_ = runtime_.clock().monotonic_ns();
        callbacks = std::exchange(when_ended_, {});
    }
    for (Ended& callback : callbacks) callback();
}

bool ImportJob::ended() const {
    const std::lock_guard lock(mutex_);
    return state_ == State::kFinished || state_ == State::kFailed;
}

void ImportJob::when_ended(Ended ended) {
    {
        const std::lock_guard lock(mutex_);
        if (state_ == State::kReceiving || state_ == State::kRunning) {
            when_ended_.push_back(std::move(ended));
            return;
        }
    }
    ended();
}

std::optional<Error> ImportJob::failure() const {
    const std::lock_guard lock(mutex_);
    return error_;
}

void ImportJob::reject(const Error& error, std::string_view text) {
    std::string problem = problem_json(error);
    std::string out = problem;
    out.back() = ',';
    out += "\"text\":";
    append_json_string(text, &out);
    out += "}\n";
    const std::lock_guard lock(mutex_);
    if (shown_++ < kProblemsShown) problems_ += (problems_.empty() ? "" : ",") + problem;
    rejects_waiting_ += out;
    if (std::exchange(writing_, true)) return;
    executor_->post([self = shared_from_this()] { self->write_rejects(); });
}

void ImportJob::write_rejects() {
    std::string bytes;
    {
        const std::lock_guard lock(mutex_);
        bytes = std::exchange(rejects_waiting_, {});
        writing_ = false;
    }
    const std::lock_guard lock(file_mutex_);
    if (rejects_broken_ || rejects_bytes_ + bytes.size() > kRejectsBytesMax) return;
    if (!rejects_) {
        auto opened = runtime_.disk().open(rejects_path_, runtime::OpenMode::kCreate);
        rejects_broken_ = !opened.ok();
        if (rejects_broken_) return;
        rejects_ = std::move(*opened);
    }
    rejects_broken_ = !rejects_->write_at(rejects_bytes_, bytes).ok();
    if (!rejects_broken_) rejects_bytes_ += bytes.size();
}

Result<std::string> ImportJob::read_rejects(std::uint64_t offset) {
    write_rejects();
    const std::lock_guard lock(file_mutex_);
    if (rejects_broken_)
        return Error(ErrorCode::kIo, "the rejected lines could not be kept on disk");
    if (!rejects_ || offset >= rejects_bytes_) return std::string();
    std::string piece(std::min<std::uint64_t>(kRejectsPieceBytes, rejects_bytes_ - offset), '\0');
    TIDAL_ASSIGN(const std::size_t bytes, rejects_->read_at(offset, piece));
    piece.resize(bytes);
    return piece;
}

std::string ImportJob::status_json() const {
    const std::lock_guard lock(mutex_);
    const std::uint64_t now = ended_ns_ != 0 ? ended_ns_ : runtime_.clock().monotonic_ns();
    const bool receiving = state_ == State::kReceiving;
    const std::uint64_t since = running_ns_ != 0 ? running_ns_ : started_ns_;
    const double seconds = std::max(static_cast<double>(now - since) / 1e9, 1e-3);
    const std::uint64_t done = receiving ? received_ : progress_.bytes_done;
    const std::uint64_t total = receiving ? declared_ : progress_.bytes_total;
    double part = total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total);
    if (state_ == State::kFinished) part = 1;
    std::string out = "{\"id\":";
    append_json_string(id_, &out);
    out += ",\"state\":\"" + std::string(state_name(state_)) + "\"";
    const auto number = [&](const char* key, std::uint64_t value) {
        out += std::string(",\"") + key + "\":" + std::to_string(value);
    };
    number("accepted", progress_.accepted);
    number("skipped", progress_.skipped);
    number("rejected", progress_.rejected);
    number("rows", progress_.rows);
    number("bytes", done);
    number("bytes_total", total);
    out += ",\"percent\":" + decimal(part * 100);
    out += ",\"rows_per_s\":" + decimal(static_cast<double>(progress_.rows) / seconds);
    out += ",\"seconds\":" + decimal(static_cast<double>(now - started_ns_) / 1e9);
    if (!receiving && part > 0) out += ",\"seconds_left\":" + decimal(seconds / part - seconds);
    if (!progress_.file.empty()) {
        out += ",\"file\":";
        append_json_string(progress_.file, &out);
    }
    if (progress_.data_time_ms)
        out += ",\"data_time\":\"" + format_time(*progress_.data_time_ms) + "\"";
    if (progress_.complete_before) out += ",\"imported_before\":true";
    out += ",\"problems\":[" + problems_ + "]";
    if (error_) out += ",\"problem\":" + problem_json(*error_);
    return out + "}";
}

ImportJobs::ImportJobs(runtime::Runtime& runtime, const SpoolLimits& limits)
    : runtime_(runtime),
      limits_(limits),
      receiver_(runtime.executors().create_executor("receive")),
      runner_(runtime.executors().create_executor("import")) {}

Result<std::shared_ptr<ImportJob>> ImportJobs::begin(const std::string& id) {
    const std::lock_guard lock(mutex_);
    std::size_t under_way = 0;
    for (const auto& job : jobs_) {
        if (job->ended()) continue;
        ++under_way;
        if (job->id() == id)
            return Error(ErrorCode::kConflict, "an import of this name is under way")
                .with_reason("import_under_way")
                .with_field("id")
                .with_hint("GET /import/" + id + " shows how far it is");
    }
    if (under_way >= kUnderWayMax)
        return Error(ErrorCode::kOverloaded, "sixteen imports are under way");
    std::erase_if(jobs_, [&](const auto& job) { return job->id() == id; });
    for (auto job = jobs_.begin(); jobs_.size() >= kEndedKept + kUnderWayMax;) {
        job = (*job)->ended() ? jobs_.erase(job) : std::next(job);
        if (job == jobs_.end()) break;
    }
    jobs_.push_back(std::make_shared<ImportJob>(runtime_, receiver_, id, next_number_++));
    return jobs_.back();
}

Result<std::shared_ptr<ImportJob>> ImportJobs::find(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string_view> known;
    for (const auto& job : jobs_) {
        if (job->id() == id) return job;
        known.push_back(job->id());
    }
    return Error(ErrorCode::kNotFound, "no import of this name since the server started")
        .with_field("id")
        .with_hint(known.empty() ? std::string() : name_hint(id, known));
}

std::string ImportJobs::list_json() const {
    const std::lock_guard lock(mutex_);
    std::string out = "{\"imports\":[";
    for (auto job = jobs_.rbegin(); job != jobs_.rend(); ++job)
        out += (job == jobs_.rbegin() ? "" : ",") + (*job)->status_json();
    return out + "]}";
}

std::shared_ptr<ImportSpool> ImportJobs::make_spool(const ImportJob& job) {
    return std::make_shared<ImportSpool>(runtime_.disk(), limits_, job.prefix());
}

void ImportJobs::stop() {
    receiver_->stop();
    runner_->stop();
}

}  // namespace tidal::http
