// A folder of a test's own, and libraries in it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tidal/tidal.h"

namespace tidal {

class OnDisk : public testing::Test {
protected:
    OnDisk() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "tidal_embed_XXXXXX").string();
        EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
        root_ = pattern;
    }
    ~OnDisk() override { std::filesystem::remove_all(root_); }

    std::string path(const std::string& name) const { return (root_ / name).string(); }
    OpenOptions on_disk(const std::string& name = "data") const {
        OpenOptions options;
        options.directory = path(name);
        return options;
    }

    std::filesystem::path root_;
};

}  // namespace tidal
