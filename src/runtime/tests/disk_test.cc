// The contract of runtime/disk.h, held by the real and by the simulated disk alike.
#include <gtest/gtest.h>

#include <filesystem>

#include "runtime/disk.h"
#include "runtime/internal/posix_disk.h"
#include "runtime/sim_disk.h"

namespace tidal::runtime {
namespace disk_test {

struct DiskUnderTest {
    virtual ~DiskUnderTest() = default;
    virtual Disk& disk() = 0;
};

struct RealDisk final : DiskUnderTest {
    RealDisk() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "tidal-disk-XXXXXX").string();
        folder = ::mkdtemp(pattern.data());
        impl = std::move(internal::make_posix_disk(folder + "/data")).value();
    }
    ~RealDisk() override { std::filesystem::remove_all(folder); }
    Disk& disk() override { return *impl; }
    std::string folder;
    std::unique_ptr<Disk> impl;
};

struct SimulatedDisk final : DiskUnderTest {
    Disk& disk() override { return impl; }
    SimDisk impl;
};

template <typename T>
class DiskContract : public ::testing::Test {
protected:
    Disk& disk() { return under_test_.disk(); }
    std::unique_ptr<File> make(std::string_view path) {
        return std::move(disk().open(path, OpenMode::kCreate)).value();
    }
    T under_test_;
};

using Implementations = ::testing::Types<RealDisk, SimulatedDisk>;
TYPED_TEST_SUITE(DiskContract, Implementations);

template <typename T>
ErrorCode code_of(const Result<T>& result) {
    return result.ok() ? ErrorCode::kInternal : result.error().code();
}

std::string read_all(Disk& disk, std::string_view path) {
    auto bytes = read_file(disk, path);
    return bytes.ok() ? *bytes : bytes.error().to_string();
}

TYPED_TEST(DiskContract, ReadsBackWhatWasWritten) {
    auto file = this->make("a");
    ASSERT_TRUE(file->write_at(0, "hello").ok());
    ASSERT_TRUE(file->write_at(7, "world").ok());
    EXPECT_EQ(*file->size(), 12U);
    char buffer[20];
    EXPECT_EQ(*file->read_at(0, buffer), 12U);
    EXPECT_EQ(std::string_view(buffer, 12), std::string_view("hello\0\0world", 12));
    EXPECT_EQ(*file->read_at(10, buffer), 2U);
    EXPECT_EQ(*file->read_at(12, buffer), 0U);
    EXPECT_EQ(*file->read_at(100, buffer), 0U);
}

TYPED_TEST(DiskContract, AMappedFileStaysWhateverBecomesOfItsName) {
    auto file = this->make("a");
    EXPECT_EQ((*file->map())->bytes(), "");
    ASSERT_TRUE(file->write_at(0, "hello").ok());
    const auto mapped = std::move(file->map()).value();
    EXPECT_EQ(mapped->bytes(), "hello");
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mapped->bytes().data()) % 64, 0U);
    file.reset();
    ASSERT_TRUE(write_file(this->disk(), "a", "other").ok());
    EXPECT_EQ(mapped->bytes(), "hello");
    ASSERT_TRUE(this->disk().remove("a").ok());
    EXPECT_EQ(mapped->bytes(), "hello");
    mapped->leave(1, 3);
    EXPECT_EQ(mapped->bytes(), "hello");
}

TYPED_TEST(DiskContract, TruncateShrinksAndGrowsWithZeros) {
    auto file = this->make("a");
    ASSERT_TRUE(file->write_at(0, "hello").ok());
    ASSERT_TRUE(file->truncate(2).ok());
    ASSERT_TRUE(file->truncate(4).ok());
    EXPECT_EQ(read_all(this->disk(), "a"), std::string("he\0\0", 4));
}

TYPED_TEST(DiskContract, CreateRefusesAnExistingNameAndAnAbsentFolder) {
    this->make("a");
    EXPECT_EQ(code_of(this->disk().open("a", OpenMode::kCreate)), ErrorCode::kConflict);
    EXPECT_EQ(code_of(this->disk().open("no/a", OpenMode::kCreate)), ErrorCode::kNotFound);
    EXPECT_EQ(code_of(this->disk().open("b", OpenMode::kRead)), ErrorCode::kNotFound);
    EXPECT_EQ(code_of(this->disk().open("b", OpenMode::kReadWrite)), ErrorCode::kNotFound);
    EXPECT_EQ(code_of(this->disk().open("a/b", OpenMode::kRead)), ErrorCode::kNotFound);
}

TYPED_TEST(DiskContract, AFileOpenedForReadingRefusesWrites) {
    this->make("a");
    auto file = std::move(this->disk().open("a", OpenMode::kRead)).value();
    EXPECT_EQ(code_of(file->write_at(0, "x")), ErrorCode::kInvalidArgument);
    EXPECT_EQ(code_of(file->truncate(0)), ErrorCode::kInvalidArgument);
}

TYPED_TEST(DiskContract, BadPathsAreRefusedEverywhere) {
    const std::string_view bad[] = {
        "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", std::string_view("a\0b", 3)};
    for (const auto path : bad) {
        SCOPED_TRACE(path);
        EXPECT_EQ(code_of(this->disk().open(path, OpenMode::kCreate)), ErrorCode::kInvalidArgument);
        EXPECT_EQ(code_of(this->disk().rename(path, "b")), ErrorCode::kInvalidArgument);
        EXPECT_EQ(code_of(this->disk().rename("b", path)), ErrorCode::kInvalidArgument);
        EXPECT_EQ(code_of(this->disk().remove(path)), ErrorCode::kInvalidArgument);
        EXPECT_EQ(code_of(this->disk().create_directories(path)), ErrorCode::kInvalidArgument);
        EXPECT_EQ(code_of(this->disk().sync_directory(path)), ErrorCode::kInvalidArgument);
        EXPECT_EQ(code_of(this->disk().list(path)), ErrorCode::kInvalidArgument);
        EXPECT_EQ(code_of(this->disk().exists(path)), ErrorCode::kInvalidArgument);
        EXPECT_EQ(code_of(this->disk().lock(path)), ErrorCode::kInvalidArgument);
        EXPECT_EQ(code_of(write_file(this->disk(), path, "x")), ErrorCode::kInvalidArgument);
    }
    EXPECT_EQ(code_of(this->disk().open("", OpenMode::kCreate)), ErrorCode::kInvalidArgument);
    EXPECT_EQ(code_of(this->disk().remove("")), ErrorCode::kInvalidArgument);
}

TYPED_TEST(DiskContract, RenameReplacesAtomicallyAndOpenHandlesFollow) {
    auto a = this->make("a");
    ASSERT_TRUE(a->write_at(0, "A").ok());
    auto b = this->make("b");
    ASSERT_TRUE(b->write_at(0, "B").ok());
    ASSERT_TRUE(this->disk().rename("a", "b").ok());
    EXPECT_FALSE(*this->disk().exists("a"));
    EXPECT_EQ(read_all(this->disk(), "b"), "A");
    ASSERT_TRUE(a->write_at(1, "!").ok());
    EXPECT_EQ(read_all(this->disk(), "b"), "A!");
    char byte;
    EXPECT_EQ(*b->read_at(0, std::span(&byte, 1)), 1U);
    EXPECT_EQ(byte, 'B');
    EXPECT_EQ(code_of(this->disk().rename("a", "c")), ErrorCode::kNotFound);
}

TYPED_TEST(DiskContract, RemoveForgetsTheNameAndKeepsOpenHandles) {
    auto a = this->make("a");
    ASSERT_TRUE(a->write_at(0, "A").ok());
    ASSERT_TRUE(this->disk().remove("a").ok());
    EXPECT_EQ(code_of(this->disk().remove("a")), ErrorCode::kNotFound);
    EXPECT_FALSE(*this->disk().exists("a"));
    char byte;
    EXPECT_EQ(*a->read_at(0, std::span(&byte, 1)), 1U);
}

TYPED_TEST(DiskContract, FoldersNestListAndRefuseRemovalWhileFull) {
    ASSERT_TRUE(this->disk().create_directories("x/y").ok());
    ASSERT_TRUE(this->disk().create_directories("x/y").ok());
    ASSERT_TRUE(this->disk().create_directories("").ok());
    this->make("x/2");
    this->make("x/1");
    this->make("x/y/3");
    this->make("xz");
    EXPECT_EQ(*this->disk().list("x"), (std::vector<std::string>{"1", "2", "y"}));
    EXPECT_EQ(*this->disk().list(""), (std::vector<std::string>{"x", "xz"}));
    EXPECT_EQ(code_of(this->disk().list("none")), ErrorCode::kNotFound);
    EXPECT_EQ(*list_if_there(this->disk(), "x"), *this->disk().list("x"));
    EXPECT_EQ(*list_if_there(this->disk(), "none"), std::vector<std::string>());
    EXPECT_EQ(code_of(list_if_there(this->disk(), "/")), ErrorCode::kInvalidArgument);
    EXPECT_TRUE(*this->disk().exists("x"));
    EXPECT_TRUE(*this->disk().exists(""));
    EXPECT_EQ(code_of(this->disk().remove("x/y")), ErrorCode::kConflict);
    ASSERT_TRUE(this->disk().remove("x/y/3").ok());
    ASSERT_TRUE(this->disk().remove("x/y").ok());
    EXPECT_FALSE(*this->disk().exists("x/y"));
    EXPECT_EQ(code_of(this->disk().create_directories("xz/w")), ErrorCode::kConflict);
    EXPECT_EQ(code_of(this->disk().open("x", OpenMode::kRead)), ErrorCode::kInvalidArgument);
    ASSERT_TRUE(this->disk().sync_directory("x").ok());
    ASSERT_TRUE(this->disk().sync_directory("").ok());
    EXPECT_EQ(code_of(this->disk().sync_directory("none")), ErrorCode::kNotFound);
}

TYPED_TEST(DiskContract, ALockExcludesTheNextAndIsGivenBack) {
    auto first = this->disk().lock("LOCK");
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(code_of(this->disk().lock("LOCK")), ErrorCode::kConflict);
    EXPECT_TRUE(this->disk().lock("OTHER").ok());
    first->reset();
    EXPECT_TRUE(this->disk().lock("LOCK").ok());
}

TYPED_TEST(DiskContract, ALockToReadExcludesTheSameAndMakesNothing) {
    EXPECT_EQ(code_of(this->disk().lock_to_read("LOCK")), ErrorCode::kNotFound);
    EXPECT_FALSE(*this->disk().exists("LOCK"));
    auto server = this->disk().lock("LOCK");
    ASSERT_TRUE(server.ok());
    EXPECT_EQ(code_of(this->disk().lock_to_read("LOCK")), ErrorCode::kConflict);
    server->reset();
    const std::string held = read_all(this->disk(), "LOCK");
    auto reader = this->disk().lock_to_read("LOCK");
    ASSERT_TRUE(reader.ok());
    EXPECT_EQ(code_of(this->disk().lock("LOCK")), ErrorCode::kConflict);
    EXPECT_EQ(read_all(this->disk(), "LOCK"), held);
    reader->reset();
    EXPECT_TRUE(this->disk().lock("LOCK").ok());
}

TYPED_TEST(DiskContract, WriteFileReplacesWholeAndClearsLeftovers) {
    ASSERT_TRUE(write_file(this->disk(), "NODE", "one").ok());
    this->make("NODE.tmp");
    ASSERT_TRUE(write_file(this->disk(), "NODE", "2").ok());
    EXPECT_EQ(read_all(this->disk(), "NODE"), "2");
    EXPECT_FALSE(*this->disk().exists("NODE.tmp"));
    EXPECT_EQ(code_of(read_file(this->disk(), "none")), ErrorCode::kNotFound);
    EXPECT_EQ(code_of(write_file(this->disk(), "none/a", "x")), ErrorCode::kNotFound);
    ASSERT_TRUE(write_file(this->disk(), "empty", "").ok());
    EXPECT_EQ(read_all(this->disk(), "empty"), "");
}

TYPED_TEST(DiskContract, FreeBytesIsKnown) {
    EXPECT_GT(*this->disk().free_bytes(), 0U);
}

TYPED_TEST(DiskContract, SyncSucceeds) {
    auto file = this->make("a");
    ASSERT_TRUE(file->write_at(0, std::string(100'000, 'x')).ok());
    ASSERT_TRUE(file->sync().ok());
    ASSERT_TRUE(file->sync().ok());
}

}  // namespace disk_test
}  // namespace tidal::runtime
