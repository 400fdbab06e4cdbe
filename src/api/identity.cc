#include "api/identity.h"

#include <charconv>
#include <map>

#include "base/crc32c.h"
#include "wal/new_log.h"

namespace tidal::api {
namespace {

constexpr std::string_view kClusterFile = "CLUSTER";
constexpr std::string_view kNodeFile = "NODE";
constexpr std::string_view kNodeLockFile = "LOCK";
// Of an init or join that was interrupted (cluster_directory.h).
constexpr std::string_view kTlsDirectory = "tls";
constexpr std::string_view kLogDirectory = "wal";
constexpr std::string_view kPeersFile = "PEERS";
constexpr std::string_view kUnfinishedSuffix = ".tmp";

// "key value" lines, the last one "checksum <crc32c of all before, decimal>".
using Properties = std::map<std::string, std::string, std::less<>>;

std::string print(const std::vector<std::pair<std::string, std::string>>& properties) {
    std::string text;
    for (const auto& [key, value] : properties) text += key + " " + value + "\n";
    return text + "checksum " + std::to_string(crc32c(text)) + "\n";
}

Result<Properties> read(runtime::Disk& disk, const std::string& path) {
    TIDAL_ASSIGN(const std::string text, runtime::read_file(disk, path));
    const std::size_t last = text.rfind("checksum ");
    if (last == std::string::npos || (last > 0 && text[last - 1] != '\n'))
        return Error(ErrorCode::kCorruption, "identity file without a checksum").with("file", path);
    const std::string_view body = std::string_view(text).substr(0, last);
    if (text.substr(last) != "checksum " + std::to_string(crc32c(body)) + "\n")
        return Error(ErrorCode::kCorruption, "identity file does not match its checksum")
            .with("file", path)
            .with_hint("restore the file from a backup of this directory");
    Properties properties;
    for (std::size_t at = 0; at < body.size();) {
        const std::size_t end = body.find('\n', at);
        const std::string_view line = body.substr(at, end - at);
        const std::size_t space = line.find(' ');
        if (end == std::string_view::npos || space == std::string_view::npos)
            return Error(ErrorCode::kCorruption, "identity file has a malformed line")
                .with("file", path);
        properties.emplace(line.substr(0, space), line.substr(space + 1));
        at = end + 1;
    }
    return properties;
}

template <typename Number>
Result<Number> number(const Properties& properties, std::string_view key) {
    const auto found = properties.find(key);
    if (found == properties.end())
        return Error(ErrorCode::kIncompatible, "identity file lacks a property")
            .with("property", key);
    Number value{};
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        return Error(ErrorCode::kIncompatible, "identity file has a property that is not a number")
            .with("property", key);
    return value;
}

Result<std::string> text(const Properties& properties, std::string_view key) {
    const auto found = properties.find(key);
    if (found == properties.end())
        return Error(ErrorCode::kIncompatible, "identity file lacks a property")
            .with("property", key);
    return found->second;
}

/// Directories from before clusters say nothing.
Result<NodeMode> mode_of(const Properties& cluster) {
    const auto found = cluster.find("mode");
    if (found == cluster.end() || found->second == node_mode_name(NodeMode::kStandalone))
        return NodeMode::kStandalone;
    if (found->second == node_mode_name(NodeMode::kCluster)) return NodeMode::kCluster;
    return Error(ErrorCode::kIncompatible, "the data directory is of an unknown mode")
        .with("mode", found->second)
        .with_hint("use the program version that wrote it");
}

Result<void> check_version(const Properties& properties, std::string_view key,
                           std::uint32_t wanted) {
    TIDAL_ASSIGN(const auto version, number<std::uint32_t>(properties, key));
    if (version == wanted) return {};
    return Error(ErrorCode::kIncompatible, "the data directory has another format")
        .with("property", key)
        .with("directory_has", version)
        .with("this_program_reads", wanted)
        .with_hint("use the program version that wrote it");
}

std::string random_hex(runtime::Random& random, int words) {
    constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (int i = 0; i < words; ++i) {
        std::uint64_t word = random.u64();
        for (int digit = 0; digit < 16; ++digit, word >>= 4) out.push_back(digits[word & 15]);
    }
    return out;
}

Result<bool> is_empty(runtime::Disk& disk) {
    TIDAL_ASSIGN(const auto names, disk.list(""));
    for (std::string_view name : names) {
        // write_file leaves this when the process dies before its rename.
        if (name.ends_with(kUnfinishedSuffix)) name.remove_suffix(kUnfinishedSuffix.size());
        if (name == kLogDirectory) {
            TIDAL_ASSIGN(const bool used, wal::holds_log(disk, std::string(name)));
            if (used) return false;
        } else if (name != kNodeLockFile && name != kClusterFile && name != kNodeFile &&
                   name != kTlsDirectory && name != kPeersFile) {
            return false;
        }
    }
    return true;
}

}  // namespace

std::string_view node_mode_name(NodeMode mode) {
    return mode == NodeMode::kCluster ? "cluster" : "standalone";
}

Result<Identity> read_identity(runtime::Disk& disk) {
    TIDAL_ASSIGN(const bool has_cluster, disk.exists(kClusterFile));
    TIDAL_ASSIGN(const bool has_node, disk.exists(kNodeFile));
    TIDAL_ASSIGN(const bool empty, is_empty(disk));
    // NODE is written last: without it and without data, making the directory was interrupted.
    if (!has_node && empty) return Error(ErrorCode::kNotFound, "the data directory is empty");
    if (!has_cluster || !has_node)
        return Error(ErrorCode::kIncompatible, "the directory holds files but no identity")
            .with("missing", has_cluster ? kNodeFile : kClusterFile)
            .with_hint("name an empty directory, or restore the identity file");

    return read_identity(disk, "");
}

Result<Identity> read_identity(runtime::Disk& disk, const std::string& prefix) {
    TIDAL_ASSIGN(const Properties cluster, read(disk, prefix + std::string(kClusterFile)));
    TIDAL_ASSIGN(const Properties node, read(disk, prefix + std::string(kNodeFile)));
    Identity identity;
    TIDAL_ASSIGN(identity.mode, mode_of(cluster));
    if (identity.mode == NodeMode::kCluster) identity.formats.directory = kClusterDirectoryFormat;
    TIDAL_TRY(check_version(cluster, "format_directory", identity.formats.directory));
    TIDAL_TRY(check_version(cluster, "format_log", identity.formats.log));
    TIDAL_TRY(check_version(cluster, "format_pages", identity.formats.pages));
    TIDAL_TRY(check_version(cluster, "format_rows", identity.formats.rows));
    TIDAL_ASSIGN(identity.cluster_id, text(cluster, "cluster_id"));
    TIDAL_ASSIGN(identity.secret, text(cluster, "secret"));
    TIDAL_ASSIGN(identity.shards, number<std::uint16_t>(cluster, "shards"));
    TIDAL_ASSIGN(const auto region, number<std::uint16_t>(node, "region"));
    identity.region = RegionId(region);
    TIDAL_ASSIGN(identity.node, number<std::uint32_t>(node, "node"));
    TIDAL_ASSIGN(identity.instance_id, text(node, "instance_id"));
    TIDAL_ASSIGN(const std::string of, text(node, "cluster_id"));
    if (of != identity.cluster_id)
        return Error(ErrorCode::kIncompatible, "NODE belongs to another cluster than CLUSTER")
            .with("node_of", of)
            .with("cluster", identity.cluster_id);
    return identity;
}

Result<Identity> expect_mode(Identity identity, NodeMode mode) {
    if (identity.mode == mode) return identity;
    if (identity.mode == NodeMode::kCluster)
        return Error(ErrorCode::kIncompatible, "the data directory is a cluster's")
            .with("cluster_id", identity.cluster_id)
            .with("node", identity.node)
            .with_reason("directory_of_cluster")
            .with_hint("run it with `tidal-server start`");
    return Error(ErrorCode::kIncompatible, "the data directory is a standalone server's")
        .with_reason("directory_of_standalone")
        .with_hint(
            "run it with `tidal-server standalone`; `tidal-server init` or `join` with another "
            "--data-dir makes a member of a cluster");
}

Result<bool> holds_database(runtime::Disk& disk) {
    TIDAL_ASSIGN(const bool has_node, disk.exists(kNodeFile));
    if (has_node) return true;
    TIDAL_ASSIGN(const bool empty, is_empty(disk));
    return !empty;
}

Identity draw_identity(runtime::Random& random) {
    Identity identity;
    identity.cluster_id = random_hex(random, 2);
    identity.instance_id = new_instance_id(random);
    identity.secret = random_hex(random, 4);
    return identity;
}

Result<Identity> create_identity(runtime::Runtime& runtime, std::uint16_t shards) {
    Identity identity = draw_identity(runtime.random());
    identity.shards = shards;
    TIDAL_TRY(write_identity(runtime.disk(), identity));
    return identity;
}

std::string new_instance_id(runtime::Random& random) {
    return random_hex(random, 2);
}

Result<void> write_identity(runtime::Disk& disk, const Identity& identity) {
    std::vector<std::pair<std::string, std::string>> cluster;
    if (identity.mode == NodeMode::kCluster)
        cluster.emplace_back("mode", node_mode_name(identity.mode));
    cluster.insert(cluster.end(), {{"cluster_id", identity.cluster_id},
                                   {"secret", identity.secret},
                                   {"shards", std::to_string(identity.shards)},
                                   {"format_directory", std::to_string(identity.formats.directory)},
                                   {"format_log", std::to_string(identity.formats.log)},
                                   {"format_pages", std::to_string(identity.formats.pages)},
                                   {"format_rows", std::to_string(identity.formats.rows)}});
    TIDAL_TRY(runtime::write_file(disk, kClusterFile, print(cluster)));
    return runtime::write_file(disk, kNodeFile,
                               print({{"cluster_id", identity.cluster_id},
                                      {"instance_id", identity.instance_id},
                                      {"node", std::to_string(identity.node)},
                                      {"region", std::to_string(identity.region.value())}}));
}

}  // namespace tidal::api
