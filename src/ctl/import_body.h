// ctl/import_body.h: local files as the body of POST /import.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidal::ctl {

/// A local file and the name it goes by.
struct ImportFile {
    std::string path;
    std::string name;
    std::uint64_t bytes = 0;
};

/// kNotFound with the path.
Result<ImportFile> import_file(const std::string& path);

/// The files one after the other, in pieces of 64 KiB; as a tar archive, or just their bytes.
class ImportBody {
public:
    ImportBody(std::vector<ImportFile> files, bool tar) : files_(std::move(files)), tar_(tar) {}

    /// Empty at the end. kIo: a file cannot be read, or changed its size meanwhile.
    Result<std::string> next();
    std::uint64_t bytes_done() const { return done_; }
    std::uint64_t bytes_total() const;

private:
    Result<void> open();

    const std::vector<ImportFile> files_;
    const bool tar_;
    std::size_t at_ = 0;
    std::ifstream file_;
    bool open_ = false, ended_ = false;
    std::uint64_t left_ = 0;  ///< Of the file that is open.
    std::uint64_t done_ = 0;
};

}  // namespace tidal::ctl
