#include "api/backups.h"

#include <algorithm>

namespace tidal::api {
namespace {

constexpr std::size_t kNameMax = 64;

Result<void> check_name(std::string_view name) {
    const bool known = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    });
    if (known && !name.empty() && name.size() <= kNameMax) return {};
    return Error(ErrorCode::kInvalidArgument, "not a name of a backup")
        .with_field("name")
        .with_hint("1 to 64 letters, digits, '-' and '_'");
}

Error no_such(const std::string& name) {
    return Error(ErrorCode::kNotFound, "no such backup").with("name", name);
}

}  // namespace

BackupManifest manifest_of(Database& database, UnixMillis taken_ms) {
    const Identity identity = database.stats().identity;
    const auto schema = database.schema();
    BackupManifest manifest;
    manifest.taken_ms = taken_ms;
    manifest.cluster_id = identity.cluster_id;
    manifest.instance_id = identity.instance_id;
    manifest.schema_version = schema->version.value();
    manifest.schema_fingerprint = schema::fingerprint(*schema);
    return manifest;
}

Result<void> Backups::open() {
    TIDAL_ASSIGN(const auto names, disk_.list(""));
    for (const std::string& name : names) {
        // What is not named like a backup is somebody else's.
        if (!check_name(name).ok() || !disk_.list(name).ok()) continue;
        TIDAL_ASSIGN(const bool whole, disk_.exists(name + "/" + std::string(kManifestFile)));
        if (whole) continue;
        TIDAL_ASSIGN(const auto files, disk_.list(name));
        const bool ours = files.empty() || std::any_of(files.begin(), files.end(), [](auto& file) {
                              return std::string_view(file).starts_with(kUnfinishedFile);
                          });
        if (ours) TIDAL_TRY(remove_tree(disk_, name));
    }
    return {};
}

Result<BackupReport> Backups::create(const std::string& name) {
    TIDAL_TRY(check_name(name));
    if (!database_.durable())
        return Error(ErrorCode::kUnsupported, "an ephemeral database has no backups");
    if (database_.cluster() != nullptr)
        return Error(ErrorCode::kUnsupported, "a member of a cluster cannot be backed up yet")
            .with_reason("cluster_backup")
            .with_hint("a lost member is replaced by joining a new one; exports work on any");
    auto job = std::make_shared<Job>();
    job->name = name;
    {
        const std::lock_guard lock(mutex_);
        if (stopped_) return Error(ErrorCode::kUnavailable, "the node is shutting down");
        if (job_ && job_->running)
            return Error(ErrorCode::kConflict, "another backup is running")
                .with("name", job_->name);
        // Behind the others: one that runs may be about to take the name.
        TIDAL_ASSIGN(const bool taken, disk_.exists(name));
        if (taken)
            return Error(ErrorCode::kConflict, "a backup of that name exists")
                .with("name", name)
                .with_hint("name another, or remove it first");
        job_ = job;
    }
    database_.hold_checkpoints(
        [self = shared_from_this(), job](const HeldFiles& files) { self->run(job, files); });
    const std::lock_guard lock(mutex_);
    return report_locked(*job);
}

void Backups::run(const std::shared_ptr<Job>& job, const HeldFiles& files) {
    const BackupManifest manifest = manifest_of(database_, runtime_.clock().wall_ms());
    const auto written = write_backup(files, disk_, job->name, manifest, job->progress);
    std::string error;
    if (!written.ok()) {
        error = written.error().to_string();
        // What cannot be removed now is removed at the next start.
        if (auto removed = remove_tree(disk_, job->name); !removed.ok())
            error += "; and what it left: " + removed.error().to_string();
    }
    const std::lock_guard lock(mutex_);
    job->running = false;
    job->error = std::move(error);
}

BackupReport Backups::report_locked(const Job& job) const {
    BackupReport report;
    report.name = job.name;
    report.state = job.running ? BackupReport::State::kRunning : BackupReport::State::kFailed;
    report.bytes = job.progress.bytes;
    report.bytes_total = job.progress.bytes_total;
    report.error = job.error;
    return report;
}

std::shared_ptr<Backups::Job> Backups::job_of(const std::string& name) {
    const bool shown = job_ && job_->name == name && (job_->running || !job_->error.empty());
    return shown ? job_ : nullptr;
}

Result<BackupReport> Backups::stored(const std::string& name) {
    auto manifest = read_backup(disk_, name);
    if (!manifest.ok() && manifest.error().code() == ErrorCode::kNotFound) return no_such(name);
    BackupReport report;
    report.name = name;
    report.state = manifest.ok() ? BackupReport::State::kDone : BackupReport::State::kFailed;
    if (!manifest.ok()) {
        report.error = manifest.error().to_string();
        return report;
    }
    report.manifest = std::move(*manifest);
    report.bytes = report.bytes_total = report.manifest.bytes();
    return report;
}

Result<std::vector<BackupReport>> Backups::list() {
    TIDAL_ASSIGN(auto names, disk_.list(""));
    std::erase_if(names, [](const std::string& name) { return !check_name(name).ok(); });
    {
        const std::lock_guard lock(mutex_);
        if (job_ && job_of(job_->name)) names.push_back(job_->name);
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    std::vector<BackupReport> reports;
    for (const std::string& name : names)
        if (auto report = find(name); report.ok()) reports.push_back(std::move(*report));
    return reports;
}

Result<BackupReport> Backups::find(const std::string& name) {
    TIDAL_TRY(check_name(name));
    {
        const std::lock_guard lock(mutex_);
        if (const auto job = job_of(name)) return report_locked(*job);
    }
    return stored(name);
}

Result<void> Backups::remove(const std::string& name) {
    TIDAL_TRY(check_name(name));
    bool forgotten = false;
    {
        const std::lock_guard lock(mutex_);
        if (const auto job = job_of(name)) {
            if (job->running)
                return Error(ErrorCode::kConflict, "the backup is running").with("name", name);
            job_.reset();
            forgotten = true;
        }
    }
    const std::string manifest = name + "/" + std::string(kManifestFile);
    TIDAL_ASSIGN(const bool whole, disk_.exists(manifest));
    if (!whole && !forgotten) return no_such(name);
    if (whole) {
        // First what makes it a backup: removed half-way it is a leftover, never half a backup.
        TIDAL_TRY(runtime::write_file(disk_, name + "/" + std::string(kUnfinishedFile), ""));
        TIDAL_TRY(disk_.remove(manifest));
        TIDAL_TRY(disk_.sync_directory(name));
    }
    return remove_tree(disk_, name);
}

void Backups::stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (job_) job_->progress.cancelled = true;
}

}  // namespace tidal::api
