// A temporary directory of the operating system for one RocksDB, removed at the end.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

namespace tidal::storage {

class RocksDirectory {
public:
    RocksDirectory() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "tidal_rows_XXXXXX").string();
        const char* const made = ::mkdtemp(pattern.data());
        if (made == nullptr) ADD_FAILURE() << "cannot make " << pattern;
        root_ = pattern;
    }
    RocksDirectory(const RocksDirectory&) = delete;
    RocksDirectory& operator=(const RocksDirectory&) = delete;
    ~RocksDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }
    std::string path() const { return root_ + "/rows"; }
    std::set<std::string> names() const {
        std::set<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(path()))
            found.insert(entry.path().filename());
        return found;
    }
    const std::string& root() const { return root_; }

private:
    std::string root_;
};

}  // namespace tidal::storage
