#include "api/internal/copy_file.h"

#include "base/crc32c.h"

namespace tidal::api {

Result<void> read_chunks(runtime::Disk& disk, const std::string& path, const ChunkVisitor& visit) {
    TIDAL_ASSIGN(const auto file, disk.open(path, runtime::OpenMode::kRead));
    std::string chunk(kCopyChunkBytes, '\0');
    for (std::uint64_t at = 0;;) {
        TIDAL_ASSIGN(const std::size_t got, file->read_at(at, chunk));
        if (got == 0) return {};
        TIDAL_TRY(visit(std::string_view(chunk).substr(0, got)));
        at += got;
    }
}

Result<FileWriter> FileWriter::create(runtime::Disk& disk, const std::string& path) {
    TIDAL_TRY(disk.create_directories(parent_of(path)));
    FileWriter writer;
    TIDAL_ASSIGN(writer.file_, disk.open(path, runtime::OpenMode::kCreate));
    return writer;
}

Result<void> FileWriter::write(std::string_view bytes) {
    TIDAL_TRY(file_->write_at(written_.bytes, bytes));
    written_.crc = crc32c_extend(written_.crc, bytes);
    written_.bytes += bytes.size();
    return {};
}

Result<BackupFile> FileWriter::finish(std::string path) {
    TIDAL_TRY(file_->sync());
    written_.path = std::move(path);
    return written_;
}

std::string parent_of(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return std::string(path.substr(0, slash == std::string_view::npos ? 0 : slash));
}

}  // namespace tidal::api
