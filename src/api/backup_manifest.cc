#include "api/backup_manifest.h"

#include <charconv>

#include "base/crc32c.h"

namespace tidal::api {
namespace {

Error damaged(std::string_view what) {
    return Error(ErrorCode::kCorruption, "the manifest of the backup " + std::string(what))
        .with("file", kManifestFile);
}

/// Cuts the text up to the next space, or all of it.
std::string_view take_word(std::string_view* line) {
    const std::size_t space = line->find(' ');
    const std::string_view word = line->substr(0, space);
    line->remove_prefix(space == std::string_view::npos ? line->size() : space + 1);
    return word;
}

template <typename Number>
bool take_number(std::string_view* line, Number* value) {
    const std::string_view word = take_word(line);
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *value);
    return !word.empty() && error == std::errc() && end == word.data() + word.size();
}

bool take_file(std::string_view line, BackupManifest* out) {
    BackupFile file;
    if (!take_number(&line, &file.crc) || !take_number(&line, &file.bytes) || line.empty())
        return false;
    file.path = line;
    out->files.push_back(std::move(file));
    return true;
}

bool take_line(std::string_view line, BackupManifest* out) {
    const std::string_view key = take_word(&line);
    if (key == "file") return take_file(line, out);
    if (key == "taken_ms") return take_number(&line, &out->taken_ms);
    if (key == "schema_version") return take_number(&line, &out->schema_version);
    if (key == "log_file") return take_number(&line, &out->log_file);
    if (key == "log_offset") return take_number(&line, &out->log_offset);
    if (key == "cluster_id") return out->cluster_id = line, true;
    if (key == "instance_id") return out->instance_id = line, true;
    if (key == "schema_fingerprint") return out->schema_fingerprint = line, true;
    return false;
}

}  // namespace

std::uint64_t BackupManifest::bytes() const {
    std::uint64_t sum = 0;
    for (const BackupFile& file : files) sum += file.bytes;
    return sum;
}

std::string print_manifest(const BackupManifest& manifest) {
    std::string text = "format " + std::to_string(kBackupFormat) + "\n";
    text += "taken_ms " + std::to_string(manifest.taken_ms) + "\n";
    text += "cluster_id " + manifest.cluster_id + "\n";
    text += "instance_id " + manifest.instance_id + "\n";
    text += "schema_version " + std::to_string(manifest.schema_version) + "\n";
    text += "schema_fingerprint " + manifest.schema_fingerprint + "\n";
    text += "log_file " + std::to_string(manifest.log_file) + "\n";
    text += "log_offset " + std::to_string(manifest.log_offset) + "\n";
    for (const BackupFile& file : manifest.files)
        text += "file " + std::to_string(file.crc) + " " + std::to_string(file.bytes) + " " +
                file.path + "\n";
    return text + "checksum " + std::to_string(crc32c(text)) + "\n";
}

Result<BackupManifest> parse_manifest(std::string_view text) {
    const std::size_t last = text.rfind("checksum ");
    if (last == std::string_view::npos || last == 0 || text[last - 1] != '\n')
        return damaged("has no checksum");
    const std::string_view body = text.substr(0, last);
    if (text.substr(last) != "checksum " + std::to_string(crc32c(body)) + "\n")
        return damaged("does not match its checksum");
    BackupManifest manifest;
    bool first = true;
    for (std::size_t at = 0; at < body.size();) {
        const std::size_t end = body.find('\n', at);
        std::string_view line = body.substr(at, end - at);
        at = end + 1;
        if (first) {
            std::uint32_t format = 0;
            if (take_word(&line) != "format" || !take_number(&line, &format))
                return damaged("does not begin with its format");
            if (format != kBackupFormat)
                return Error(ErrorCode::kIncompatible, "the backup has another format")
                    .with("backup_has", format)
                    .with("this_program_reads", kBackupFormat)
                    .with_hint("use the program version that wrote it");
        } else if (!take_line(line, &manifest)) {
            return damaged("has a malformed line").with("line", line);
        }
        first = false;
    }
    return manifest;
}

}  // namespace tidal::api
