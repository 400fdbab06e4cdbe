#include "server/local_files.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace tidal::server {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;

class FileReader final : public api::ByteReader {
public:
    explicit FileReader(const std::string& path) : path_(path), file_(path, std::ios::binary) {}
    bool open() const { return file_.is_open(); }
    Result<std::string> read() override {
        std::string piece(kPieceBytes, '\0');
        file_.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        if (file_.bad()) return Error(ErrorCode::kIo, "cannot read the file").with("file", path_);
        piece.resize(static_cast<std::size_t>(file_.gcount()));
        return piece;
    }

private:
    const std::string path_;
    std::ifstream file_;
};

Error cannot_open(const std::string& path) {
    return Error(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                 std::string("cannot open the file: ") + std::strerror(errno))
        .with("file", path);
}

}  // namespace

Result<std::string> read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file.is_open()) return cannot_open(path);
    std::ostringstream out;
    out << file.rdbuf();
    return out.str();
}

Result<api::ImportSource> local_source(const std::string& path, const std::string& name) {
    for (const std::string& candidate : {path, path + ".zst"}) {
        std::error_code error;
        const auto bytes = std::filesystem::file_size(candidate, error);
        if (error) continue;
        api::ImportSource source;
        source.name = name;
        source.bytes = bytes;
        source.open = [candidate]() -> Result<std::unique_ptr<api::ByteReader>> {
            auto reader = std::make_unique<FileReader>(candidate);
            if (!reader->open()) return cannot_open(candidate);
            return std::unique_ptr<api::ByteReader>(std::move(reader));
        };
        return source;
    }
    return Error(ErrorCode::kNotFound, "no such file")
        .with("file", path)
        .with_hint("neither " + path + " nor " + path + ".zst");
}

}  // namespace tidal::server
