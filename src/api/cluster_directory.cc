#include "api/cluster_directory.h"

#include "base/codec.h"
#include "base/crc32c.h"
#include "cluster/certificates.h"
#include "runtime/secret.h"
#include "schema/schema.h"
#include "wal/new_log.h"

namespace tidal::api {
namespace {

constexpr const char* kTls = "tls";
constexpr const char* kAuthority = "tls/authority.pem";
constexpr const char* kAuthorityKey = "tls/authority.key";
constexpr const char* kCertificate = "tls/node.pem";
constexpr const char* kKey = "tls/node.key";
constexpr const char* kPeers = "PEERS";
constexpr const char* kSchema = "SCHEMA";
constexpr const char* kLock = "LOCK";
constexpr const char* kChecksum = "checksum ";  // Its line is a file's last.
constexpr std::uint16_t kShardsMax = 256;

Result<void> expect_unused(runtime::Disk& disk) {
    TIDAL_ASSIGN(const bool used, holds_database(disk));
    if (!used) return {};
    return Error(ErrorCode::kConflict, "the data directory is in use")
        .with_reason("directory_in_use")
        .with_hint("name an empty one; `tidal-server start` runs a member of a cluster");
}

Result<void> write_tls(runtime::Disk& disk, const ClusterFiles& files) {
    TIDAL_TRY(disk.create_directories(kTls));
    TIDAL_TRY(runtime::write_file(disk, kAuthority, files.authority));
    TIDAL_TRY(runtime::write_secret_file(disk, kAuthorityKey, files.authority_key));
    TIDAL_TRY(runtime::write_file(disk, kCertificate, files.certificate));
    return runtime::write_secret_file(disk, kKey, files.key);
}

Result<ClusterFiles> make_tls(const Identity& identity, UnixMillis now_ms) {
    ClusterFiles files;
    TIDAL_ASSIGN(const auto authority, cluster::create_authority(identity.cluster_id, now_ms));
    files.authority = authority.certificate;
    files.authority_key = authority.key;
    TIDAL_ASSIGN(files.key, cluster::create_key());
    TIDAL_ASSIGN(const std::string half, cluster::public_key_of(files.key));
    TIDAL_ASSIGN(files.certificate,
                 cluster::issue_certificate(authority, half,
                                            {identity.cluster_id, cluster::NodeId(identity.node),
                                             identity.instance_id, identity.region},
                                            now_ms));
    return files;
}

std::string with_checksum(std::string text) {
    if (!text.empty() && text.back() != '\n') text += '\n';
    return text + kChecksum + std::to_string(crc32c(text)) + "\n";
}

/// What with_checksum() was given, each line with its end.
Result<std::string> without_checksum(const std::string& text, const char* file) {
    const std::size_t last = text.rfind(kChecksum);
    if (last == std::string::npos || with_checksum(text.substr(0, last)) != text)
        return Error(ErrorCode::kCorruption, "a file of the cluster's directory is damaged")
            .with("file", file);
    return text.substr(0, last);
}

/// "node address" lines and a checksum, as the other identity files.
std::string print_peers(const std::vector<cluster::JoinPeer>& peers) {
    std::string text;
    for (const cluster::JoinPeer& peer : peers)
        text += std::to_string(peer.node.value()) + " " + peer.address + "\n";
    return with_checksum(std::move(text));
}

}  // namespace

Result<Identity> init_cluster(runtime::Runtime& runtime, const InitOptions& options) {
    if (options.shards == 0 || options.shards > kShardsMax)
        return Error(ErrorCode::kInvalidArgument, "the number of shards must be 1 to 256")
            .with_field("shards");
    if (options.schema) TIDAL_TRY(schema::parse_schema(*options.schema));
    TIDAL_ASSIGN(const auto lock, runtime.disk().lock(kLock));
    TIDAL_TRY(expect_unused(runtime.disk()));
    Identity identity = draw_identity(runtime.random());
    identity.mode = NodeMode::kCluster;
    identity.formats.directory = kClusterDirectoryFormat;
    identity.shards = options.shards;
    TIDAL_ASSIGN(const auto files, make_tls(identity, runtime.clock().wall_ms()));
    TIDAL_TRY(write_tls(runtime.disk(), files));
    TIDAL_TRY(runtime::write_file(runtime.disk(), kPeers, print_peers({})));
    if (options.schema)
        TIDAL_TRY(runtime::write_file(runtime.disk(), kSchema, with_checksum(*options.schema)));
    TIDAL_TRY(wal::make_log(runtime.disk(), options.log));
    TIDAL_TRY(write_identity(runtime.disk(), identity));
    return identity;
}

Result<Identity> write_joined(runtime::Runtime& runtime, const cluster::JoinAccepted& accepted,
                              const std::string& key, const wal::LogOptions& log) {
    TIDAL_ASSIGN(const auto lock, runtime.disk().lock(kLock));
    TIDAL_TRY(expect_unused(runtime.disk()));
    Identity identity;
    identity.mode = NodeMode::kCluster;
    identity.formats.directory = kClusterDirectoryFormat;
    identity.cluster_id = accepted.identity.cluster_id;
    identity.instance_id = accepted.identity.instance_id;
    identity.node = accepted.identity.node.value();
    identity.region = accepted.identity.region;
    identity.secret = accepted.secret;
    identity.shards = accepted.shards;
    TIDAL_TRY(write_tls(runtime.disk(),
                        {accepted.authority, accepted.authority_key, accepted.certificate, key}));
    TIDAL_TRY(runtime::write_file(runtime.disk(), kPeers, print_peers(accepted.peers)));
    TIDAL_TRY(wal::make_log(runtime.disk(), log));
    TIDAL_TRY(write_identity(runtime.disk(), identity));
    return identity;
}

Result<ClusterFiles> read_cluster_files(runtime::Disk& disk) {
    ClusterFiles files;
    TIDAL_ASSIGN(files.authority, runtime::read_file(disk, kAuthority));
    TIDAL_ASSIGN(files.authority_key, runtime::read_file(disk, kAuthorityKey));
    TIDAL_ASSIGN(files.certificate, runtime::read_file(disk, kCertificate));
    TIDAL_ASSIGN(files.key, runtime::read_file(disk, kKey));
    return files;
}

Result<std::optional<std::string>> read_first_schema(runtime::Disk& disk) {
    auto text = runtime::read_file(disk, kSchema);
    if (!text.ok() && text.error().code() == ErrorCode::kNotFound)
        return std::optional<std::string>();
    if (!text.ok()) return text.take_error();
    TIDAL_ASSIGN(std::string schema, without_checksum(*text, kSchema));
    return std::optional(std::move(schema));
}

Result<std::vector<cluster::JoinPeer>> read_joined_peers(runtime::Disk& disk) {
    TIDAL_ASSIGN(const std::string text, runtime::read_file(disk, kPeers));
    TIDAL_ASSIGN(const std::string body, without_checksum(text, kPeers));
    std::vector<cluster::JoinPeer> peers;
    for (std::size_t at = 0; at < body.size();) {
        const std::size_t end = body.find('\n', at);
        const std::size_t space = body.find(' ', at);
        if (end == std::string::npos || space == std::string::npos || space > end)
            return Error(ErrorCode::kCorruption, "the list of peers is damaged")
                .with("file", kPeers);
        const auto node = std::strtoul(body.substr(at, space - at).c_str(), nullptr, 10);
        peers.push_back({cluster::NodeId(static_cast<std::uint32_t>(node)),
                         body.substr(space + 1, end - space - 1)});
        at = end + 1;
    }
    return peers;
}

}  // namespace tidal::api
