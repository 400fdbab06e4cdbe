#include "cluster/internal/snapshot_files.h"

#include <array>
#include <cstdio>

#include "base/codec.h"
#include "base/crc32c.h"

namespace tidal::cluster {
namespace {

constexpr std::uint32_t kMetaMagic = 0x4d534454;  // "TDSM"
constexpr std::uint8_t kMetaVersion = 1;
constexpr std::string_view kMetaSuffix = ".meta";
constexpr std::string_view kPartSuffix = ".part";

std::string prefix_of(const raft::GroupKey& group) {
    std::array<char, 32> text;
    std::snprintf(text.data(), text.size(), "in-s%04x-i%08x-", group.shard.value(),
                  group.incarnation.value());
    return text.data();
}

std::string encode_meta(const raft::SnapshotMeta& meta) {
    Encoder out;
    out.u32(kMetaMagic);
    out.u8(kMetaVersion);
    out.u64(meta.id);
    out.varint(meta.index.value());
    out.varint(meta.term.value());
    out.varint(meta.bytes);
    out.bytes(raft::encode_configuration(meta.configuration));
    out.u32(crc32c(out.view()));
    return out.take();
}

Result<raft::SnapshotMeta> decode_meta(std::string_view bytes) {
    const auto bad = [] { return Error(ErrorCode::kCorruption, "a snapshot's description"); };
    if (bytes.size() < 4) return bad();
    Decoder crc(bytes.substr(bytes.size() - 4));
    bytes.remove_suffix(4);
    if (crc.u32() != crc32c(bytes)) return bad();
    Decoder in(bytes);
    raft::SnapshotMeta meta;
    if (in.u32() != kMetaMagic || in.u8() != kMetaVersion) return bad();
    meta.id = in.u64();
    meta.index = LogIndex(in.varint());
    meta.term = Term(in.varint());
    meta.bytes = in.varint();
    const std::string_view configuration = in.bytes();
    TIDAL_TRY(in.finish("a snapshot's description"));
    TIDAL_ASSIGN(meta.configuration, raft::decode_configuration(configuration));
    return meta;
}

}  // namespace

std::string SnapshotFiles::path(const raft::GroupKey& group, std::uint64_t id) const {
    std::array<char, 32> text;
    std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(id));
    return directory_ + '/' + prefix_of(group) + text.data() + std::string(kPartSuffix);
}

Result<void> SnapshotFiles::remove(const raft::GroupKey& group) {
    auto names = disk_.list(directory_);
    if (!names.ok() && names.error().code() == ErrorCode::kNotFound) return {};
    if (!names.ok()) return names.take_error();
    const std::string prefix = prefix_of(group);
    bool removed = false;
    for (const std::string& name : *names) {
        if (!name.starts_with(prefix)) continue;
        TIDAL_TRY(disk_.remove(directory_ + '/' + name));
        removed = true;
    }
    return removed ? disk_.sync_directory(directory_) : Result<void>();
}

Result<void> SnapshotFiles::begin(const raft::GroupKey& group, const raft::SnapshotMeta& meta) {
    TIDAL_TRY(disk_.create_directories(directory_));
    TIDAL_TRY(remove(group));
    const std::string part = path(group, meta.id);
    TIDAL_ASSIGN(auto file, disk_.open(part, runtime::OpenMode::kCreate));
    TIDAL_TRY(file->sync());
    TIDAL_TRY(disk_.sync_directory(directory_));
    return runtime::write_file(disk_, part + std::string(kMetaSuffix), encode_meta(meta));
}

Result<void> SnapshotFiles::write(const raft::GroupKey& group, const raft::ChunkToStore& chunk) {
    if (chunk.offset == 0) TIDAL_TRY(begin(group, chunk.meta));
    TIDAL_ASSIGN(auto file, disk_.open(path(group, chunk.meta.id), runtime::OpenMode::kReadWrite));
    TIDAL_TRY(file->write_at(chunk.offset, *chunk.data));
    return file->sync();
}

Result<std::optional<SnapshotFiles::Partial>> SnapshotFiles::recover(
    const raft::GroupKey& group, std::uint64_t chunk_bytes_max) {
    std::optional<Partial> none;
    auto names = disk_.list(directory_);
    if (!names.ok() && names.error().code() == ErrorCode::kNotFound) return none;
    if (!names.ok()) return names.take_error();
    const std::string prefix = prefix_of(group);
    for (const std::string& name : *names) {
        if (!name.starts_with(prefix) || !name.ends_with(kMetaSuffix)) continue;
        TIDAL_ASSIGN(const auto bytes, runtime::read_file(disk_, directory_ + '/' + name));
        auto meta = decode_meta(bytes);
        if (!meta.ok()) break;
        TIDAL_ASSIGN(const bool there, disk_.exists(path(group, meta->id)));
        if (!there) break;
        TIDAL_ASSIGN(auto file, disk_.open(path(group, meta->id), runtime::OpenMode::kRead));
        TIDAL_ASSIGN(const std::uint64_t size, file->size());
        // A chunk is synced before the next is begun, so that only the last may be torn.
        Partial partial{std::move(*meta), 0};
        partial.bytes = std::min(size, partial.meta.bytes);
        partial.bytes -= std::min(partial.bytes, chunk_bytes_max);
        return std::optional(std::move(partial));
    }
    TIDAL_TRY(remove(group));
    return none;
}

Result<std::string> SnapshotFiles::read(const std::string& file_path, std::uint64_t offset,
                                        std::uint64_t size) {
    TIDAL_ASSIGN(auto file, disk_.open(file_path, runtime::OpenMode::kRead));
    std::string bytes(size, '\0');
    TIDAL_ASSIGN(const std::size_t got, file->read_at(offset, {bytes.data(), bytes.size()}));
    if (got != size)
        return Error(ErrorCode::kCorruption, "a snapshot's file ends too early")
            .with("file", file_path)
            .with("offset", offset);
    return bytes;
}

}  // namespace tidal::cluster
