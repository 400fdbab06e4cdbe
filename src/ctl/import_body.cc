#include "ctl/import_body.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace tidal::ctl {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameBytesMax = 100;

/// A ustar header; sizes of 8 GiB and more in base 256, as GNU tar writes them.
std::string tar_header(const ImportFile& file) {
    std::string header(kBlock, '\0');
    header.replace(0, file.name.size(), file.name);
    header.replace(100, 7, "0000644");
    if (file.bytes < std::uint64_t{1} << 33) {
        char size[16];
        std::snprintf(size, sizeof size, "%011llo", static_cast<unsigned long long>(file.bytes));
        header.replace(124, 11, size);
    } else {
        header[124] = static_cast<char>(0x80);
        for (int byte = 0; byte < 8; ++byte)
            header[135 - static_cast<std::size_t>(byte)] =
                static_cast<char>(file.bytes >> (8 * byte));
    }
    header[156] = '0';
    header.replace(257, 5, "ustar");
    header.replace(263, 2, "00");
    header.replace(148, 8, "        ");
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum & 0777777u);
    header.replace(148, 7, std::string(text, 6) + '\0');
    return header;
}

}  // namespace

Result<ImportFile> import_file(const std::string& path) {
    std::error_code failed;
    if (!std::filesystem::is_regular_file(path, failed))
        return Error(ErrorCode::kNotFound, "no such file").with("file", path);
    ImportFile file{path, std::filesystem::path(path).filename(), 0};
    if (file.name.size() > kNameBytesMax)
        return Error(ErrorCode::kInvalidArgument, "a file name of more than 100 bytes")
            .with("file", path);
    file.bytes = std::filesystem::file_size(path);
    return file;
}

std::uint64_t ImportBody::bytes_total() const {
    std::uint64_t bytes = 0;
    for (const ImportFile& file : files_) bytes += file.bytes;
    return bytes;
}

Result<void> ImportBody::open() {
    file_ = std::ifstream(files_[at_].path, std::ios::binary);
    if (!file_.is_open())
        return Error(ErrorCode::kIo, "cannot open the file").with("file", files_[at_].path);
    open_ = true;
    left_ = files_[at_].bytes;
    return {};
}

Result<std::string> ImportBody::next() {
    std::string out;
    while (out.empty() && at_ < files_.size()) {
        const ImportFile& file = files_[at_];
        if (!open_) {
            TIDAL_TRY(open());
            if (tar_) out = tar_header(file);
        }
        std::string piece(std::min<std::uint64_t>(kPieceBytes, left_), '\0');
        file_.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        if (static_cast<std::size_t>(file_.gcount()) != piece.size())
            return Error(ErrorCode::kIo, "the file became shorter while it was read")
                .with("file", file.path);
        left_ -= piece.size();
        done_ += piece.size();
        out += piece;
        if (left_ > 0) continue;
        if (tar_) out.append((kBlock - file.bytes % kBlock) % kBlock, '\0');
        open_ = false;
        ++at_;
    }
    if (out.empty() && tar_ && !std::exchange(ended_, true)) out.append(2 * kBlock, '\0');
    return out;
}

}  // namespace tidal::ctl
