#include "wal/internal/log_format.h"

#include <charconv>
#include <cstdio>
#include <cstring>

#include "base/codec.h"
#include "base/crc32c.h"

namespace tidal::wal {
namespace {

constexpr std::string_view kFileMagic = "TIDLWAL\n";
constexpr std::uint16_t kFileVersion = 2;
constexpr std::string_view kLogSuffix = ".log";
constexpr std::size_t kSequenceDigits = 20;
constexpr std::size_t kFileCrcAt = kFileHeaderBytes - 4;
static_assert(8 + 2 + 2 + 4 + 8 + 4 + 4 + 28 == kFileCrcAt);

Error wrong(ErrorCode code, std::string_view field, std::string_view right) {
    return Error(code, "log file header: wrong " + std::string(field)).with_hint(right);
}

}  // namespace

std::string encode_file_header(const FileHeader& header) {
    Encoder out;
    out.raw(kFileMagic);
    out.u16(kFileVersion);
    out.u16(kFileHeaderBytes);
    out.u32(0);  // Flags.
    out.u64(header.sequence);
    out.u32(header.file_bytes);
    out.u32(header.previous_end);
    out.raw(std::string(kFileCrcAt - out.size(), '\0'));
    out.u32(crc32c(out.view()));
    return out.take();
}

Result<FileHeader> decode_file_header(std::string_view bytes) {
    constexpr auto kDamaged = ErrorCode::kCorruption;
    if (bytes.size() < kFileHeaderBytes) return wrong(kDamaged, "size", "at least 64 bytes");
    Decoder in(bytes.substr(0, kFileHeaderBytes));
    if (in.raw(kFileMagic.size()) != kFileMagic) return wrong(kDamaged, "magic", "TIDLWAL");
    const auto version = in.u16();
    const auto length = in.u16();
    const auto flags = in.u32();
    FileHeader header;
    header.sequence = in.u64();
    header.file_bytes = in.u32();
    header.previous_end = in.u32();
    const bool spare_zero = all_zero(in.raw(kFileCrcAt - in.offset()));
    if (in.u32() != crc32c(bytes.substr(0, kFileCrcAt)))
        return wrong(kDamaged, "checksum", "the CRC-32C of its bytes");
    if (version != kFileVersion) return wrong(ErrorCode::kIncompatible, "version", "2");
    if (length != kFileHeaderBytes) return wrong(ErrorCode::kIncompatible, "header length", "64");
    if (flags != 0) return wrong(ErrorCode::kIncompatible, "flags", "none defined");
    if (!spare_zero) return wrong(ErrorCode::kIncompatible, "spare", "zeros");
    if (header.file_bytes > kLogFileBytes) return wrong(kDamaged, "file size", "at most 16 MiB");
    if (header.previous_end > kLogFileBytes)
        return wrong(kDamaged, "end of the file before", "at most 16 MiB");
    return header;
}

std::string log_file_name(std::uint64_t sequence) {
    char name[32];
    std::snprintf(name, sizeof(name), "%020llu.log", static_cast<unsigned long long>(sequence));
    return name;
}

std::optional<std::uint64_t> parse_log_file_name(std::string_view name) {
    if (name.size() != kSequenceDigits + kLogSuffix.size() || !name.ends_with(kLogSuffix))
        return {};
    std::uint64_t sequence = 0;
    const char* end = name.data() + kSequenceDigits;
    const auto parsed = std::from_chars(name.data(), end, sequence);
    if (parsed.ec != std::errc() || parsed.ptr != end || sequence == 0) return {};
    return sequence;
}

std::string join_path(std::string_view folder, std::string_view name) {
    return std::string(folder).append("/").append(name);
}

bool all_zero(std::string_view bytes) {
    return bytes.empty() ||
           (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace tidal::wal
