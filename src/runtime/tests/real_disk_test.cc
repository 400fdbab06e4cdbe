// What only the operating system's disk does.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/internal/posix_error.h"
#include "runtime/real_runtime.h"

namespace tidal::runtime {
namespace real_disk_test {

class RealDisk : public ::testing::Test {
protected:
    RealDisk() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "tidal-real-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        runtime_ = std::move(make_real_runtime({.root = folder_ + "/a/b/data"})).value();
    }
    ~RealDisk() override {
        runtime_.reset();
        std::filesystem::remove_all(folder_);
    }
    Disk& disk() { return runtime_->disk(); }

    std::string folder_;
    std::unique_ptr<Runtime> runtime_;
};

TEST_F(RealDisk, MakesItsRootAndSaysWhereFilesLie) {
    ASSERT_TRUE(write_file(disk(), "NODE", "bytes").ok());
    const auto real = std::filesystem::canonical(folder_) / "a/b/data";
    EXPECT_EQ(disk().native_path(""), real);
    EXPECT_EQ(disk().native_path("NODE"), real / "NODE");
    EXPECT_TRUE(std::filesystem::exists(disk().native_path("NODE")));
}

std::uint64_t pages_of_files() {
    std::ifstream in("/proc/self/statm");
    std::uint64_t size = 0, resident = 0, shared = 0;
    in >> size >> resident >> shared;
    return shared;
}

TEST_F(RealDisk, WhatIsMappedIsTheProcesssFromWhenItIsReadUntilItLeaves) {
    constexpr std::size_t kPage = 4096, kPages = 8192, kOthers = 1024;
    std::string bytes(kPages * kPage, 'x');
    ASSERT_TRUE(write_file(disk(), "a", bytes).ok());
    auto file = std::move(disk().open("a", OpenMode::kRead)).value();
    const auto mapped = std::move(file->map()).value();
    const std::uint64_t before = pages_of_files();
    EXPECT_EQ(mapped->bytes(), bytes);
    EXPECT_GT(pages_of_files(), before + kPages - kOthers);
    mapped->leave(kPage / 2, bytes.size() - kPage);
    EXPECT_LT(pages_of_files(), before + kOthers);
    EXPECT_EQ(mapped->bytes(), bytes);
    mapped->leave(0, bytes.size());
    EXPECT_LT(pages_of_files(), before + kOthers);
}

TEST_F(RealDisk, ASecondProcessIsRefusedAndToldWhoHoldsTheLock) {
    int ready[2], done[2];
    ASSERT_EQ(::pipe(ready), 0);
    ASSERT_EQ(::pipe(done), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        auto held = disk().lock("LOCK");
        char byte = held.ok() ? 'y' : 'n';
        if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
        ::close(done[1]);
        if (::read(done[0], &byte, 1) < 0) ::_exit(1);
        ::_exit(0);
    }
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    ASSERT_EQ(byte, 'y');
    const auto refused = disk().lock("LOCK");
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kConflict);
    EXPECT_NE(refused.error().to_string().find(std::to_string(child)), std::string::npos)
        << refused.error().to_string();
    for (const int fd : {done[0], done[1], ready[0], ready[1]}) ::close(fd);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(disk().lock("LOCK").ok()) << "a dead process holds no lock";
}

TEST(PosixError, NamesTheOperationThePathAndWhatToDo) {
    using internal::posix_error;
    EXPECT_EQ(posix_error(ENOENT, "open", "a").code(), ErrorCode::kNotFound);
    EXPECT_EQ(posix_error(ENOSPC, "write", "a").code(), ErrorCode::kDiskFull);
    EXPECT_EQ(posix_error(EDQUOT, "write", "a").code(), ErrorCode::kDiskFull);
    EXPECT_EQ(posix_error(EEXIST, "open", "a").code(), ErrorCode::kConflict);
    const auto error = posix_error(EROFS, "write", "wal/00000001.log");
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_EQ(error.message(), "write failed: Read-only file system");
    EXPECT_NE(error.to_string().find("wal/00000001.log"), std::string::npos);
    EXPECT_FALSE(error.hint().empty());
    EXPECT_FALSE(posix_error(EACCES, "open", "a").hint().empty());
    EXPECT_NE(posix_error(EMFILE, "open", "a").hint().find("ulimit -n"), std::string::npos);
}

}  // namespace real_disk_test
}  // namespace tidal::runtime
