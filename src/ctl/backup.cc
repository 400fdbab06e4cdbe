// backup: what a running server makes. verify and restore: a backup in a directory.
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>

#include "api/backup.h"
#include "base/time_text.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "runtime/real_runtime.h"
#include "runtime/task.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kPollNs = 100'000'000;

std::string backup_path(const Options& options) {
    return "/backups/" + percent_encode(options.name);
}

Result<json::object> state_of(Client& client, const Options& options, std::string* reply) {
    TIDAL_ASSIGN(*reply, client.get(backup_path(options)));
    json::error_code failed;
    json::value value = json::parse(*reply, failed);
    if (failed || !value.is_object() || !value.as_object().contains("state"))
        return Error(ErrorCode::kInternal, "the server's answer is no backup");
    return std::move(value.as_object());
}

runtime::Task<Result<void>> poll_pause(runtime::Executor* timer) {
    Result<void> passed = co_await runtime::sleep_for(*timer, kPollNs);
    co_return passed;
}

/// A backup lies in a folder; the disk is the folder's parent.
struct BackupFolder {
    std::unique_ptr<runtime::Runtime> runtime;
    std::string name;
};

Result<BackupFolder> open_backup(const std::string& path) {
    std::error_code error;
    const std::filesystem::path whole = std::filesystem::canonical(path, error);
    if (error || !std::filesystem::is_directory(whole, error))
        return Error(ErrorCode::kNotFound, "no such backup").with("directory", path);
    BackupFolder folder;
    folder.name = whole.filename().string();
    TIDAL_ASSIGN(folder.runtime, runtime::make_real_runtime({whole.parent_path().string(), {}}));
    return folder;
}

json::object manifest_json(const char* status, const api::BackupManifest& manifest) {
    return {{"status", status},
            {"taken_at", format_time(manifest.taken_ms)},
            {"cluster_id", manifest.cluster_id},
            {"files", manifest.files.size()},
            {"bytes", manifest.bytes()}};
}

void print_damage(const api::BackupManifest& manifest, const std::vector<std::string>& damage) {
    json::object out = manifest_json("damaged", manifest);
    out["damage"] = json::array(damage.begin(), damage.end());
    std::printf("%s\n", json::serialize(out).c_str());
}

void print_manifest_line(const char* what, const api::BackupManifest& manifest, bool as_json) {
    if (as_json) {
        std::printf("%s\n", json::serialize(manifest_json("ok", manifest)).c_str());
    } else {
        std::printf("%s: %zu files, %llu bytes, taken %s\n", what, manifest.files.size(),
                    static_cast<unsigned long long>(manifest.bytes()),
                    format_time(manifest.taken_ms).c_str());
    }
}

}  // namespace

Result<void> backup_create(const Options& options) {
    Client client(options.url, options.key);
    const std::string body = json::serialize(json::object{{"name", options.name}});
    TIDAL_TRY(client.send(Client::Method::kPost, "/backups", "application/json", body));
    TIDAL_ASSIGN(const auto clock, runtime::make_real_runtime({}));
    const auto pause = clock->executors().create_executor("wait");
    for (;;) {
        std::string reply;
        TIDAL_ASSIGN(const json::object backup, state_of(client, options, &reply));
        const json::value& state = backup.at("state");
        if (state == "done") return print_reply(reply, options.json);
        if (state == "failed")
            return Error(ErrorCode::kUnavailable, "the backup failed")
                .with("error", json::serialize(backup.at("error")));
        TIDAL_TRY(runtime::sync_wait(poll_pause(pause.get())));
    }
}

Result<void> backup_list(const Options& options) {
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get("/backups"));
    return print_reply(reply, options.json);
}

Result<void> backup_delete(const Options& options) {
    TIDAL_ASSIGN(
        const std::string reply,
        Client(options.url, options.key).send(Client::Method::kDelete, backup_path(options)));
    return print_reply(reply, options.json);
}

Result<Verdict> verify(const Options& options) {
    TIDAL_ASSIGN(const BackupFolder backup, open_backup(options.backup));
    runtime::Disk& disk = backup.runtime->disk();
    TIDAL_ASSIGN(const api::BackupManifest manifest, api::read_backup(disk, backup.name));
    TIDAL_ASSIGN(const auto damage, api::verify_backup(disk, backup.name));
    if (damage.empty()) {
        print_manifest_line("sound", manifest, options.json);
        return Verdict::kSound;
    }
    for (const std::string& line : damage) std::fprintf(stderr, "%s\n", line.c_str());
    print_error(Error(ErrorCode::kCorruption, "the backup is damaged")
                    .with("files", damage.size())
                    .with_hint("use another backup"));
    if (options.json) print_damage(manifest, damage);
    return Verdict::kFailed;
}

Result<void> restore(const Options& options) {
    TIDAL_ASSIGN(const BackupFolder backup, open_backup(options.backup));
    TIDAL_ASSIGN(const auto target, runtime::make_real_runtime({options.data_dir, {}}));
    TIDAL_ASSIGN(const auto lock, target->disk().lock("LOCK"));
    TIDAL_ASSIGN(
        const api::BackupManifest manifest,
        api::restore_backup(backup.runtime->disk(), backup.name, target->disk(), target->random()));
    print_manifest_line("restored", manifest, options.json);
    // Not a part of the reply: scripts read that.
    std::fprintf(stderr,
                 "users deleted after %s are in it, as is what the archive says of them: "
                 "delete them again\n",
                 format_time(manifest.taken_ms).c_str());
    return {};
}

}  // namespace tidal::ctl
