// What only the real engine can show: a process killed in the middle of commits, a disk that is
// full and has room again, a disk that refuses single operations, and a second process.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <rocksdb/file_system.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <map>

#include "runtime/seeded_random.h"
#include "storage/internal/rocksdb_rows.h"
#include "storage/tests/rocks_directory.h"
#include "storage/tests/store_fixture.h"

namespace tidal::storage {
namespace rocksdb_rows_test {

using internal::RowsAccess;
using rocksdb::IOStatus;

/// Refuses as a full or failing disk would.
struct Faults {
    std::atomic<std::int64_t> bytes_left = INT64_MAX;
    std::atomic<std::int64_t> fail_in = INT64_MAX;  ///< Operations until one fails with kIo.

    IOStatus operation() {
        return fail_in.fetch_sub(1) == 1 ? IOStatus::IOError("injected") : IOStatus::OK();
    }
    IOStatus write(std::size_t bytes) {
        if (auto status = operation(); !status.ok()) return status;
        if (bytes_left.load() == INT64_MAX) return IOStatus::OK();
        if (bytes_left.fetch_sub(static_cast<std::int64_t>(bytes)) >=
            static_cast<std::int64_t>(bytes))
            return IOStatus::OK();
        bytes_left = 0;
        return IOStatus::NoSpace("injected");
    }
};

class FaultFile final : public rocksdb::FSWritableFileOwnerWrapper {
public:
    FaultFile(std::unique_ptr<rocksdb::FSWritableFile> file, Faults& faults)
        : FSWritableFileOwnerWrapper(std::move(file)), faults_(faults) {}
    using FSWritableFileOwnerWrapper::Append;
    IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                    rocksdb::IODebugContext* debug) override {
        if (auto status = faults_.write(data.size()); !status.ok()) return status;
        return FSWritableFileOwnerWrapper::Append(data, options, debug);
    }
    IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                    const rocksdb::DataVerificationInfo&, rocksdb::IODebugContext* debug) override {
        return Append(data, options, debug);
    }
    IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
        if (auto status = faults_.operation(); !status.ok()) return status;
        return FSWritableFileOwnerWrapper::Sync(options, debug);
    }

private:
    Faults& faults_;
};

class FaultFileSystem final : public rocksdb::FileSystemWrapper {
public:
    explicit FaultFileSystem(Faults& faults)
        : FileSystemWrapper(rocksdb::FileSystem::Default()), faults_(faults) {}
    const char* Name() const override { return "FaultFileSystem"; }
    IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                             std::unique_ptr<rocksdb::FSWritableFile>* file,
                             rocksdb::IODebugContext* debug) override {
        if (auto status = faults_.operation(); !status.ok()) return status;
        auto made = FileSystemWrapper::NewWritableFile(name, options, file, debug);
        if (made.ok()) *file = std::make_unique<FaultFile>(std::move(*file), faults_);
        return made;
    }
    IOStatus LinkFile(const std::string& from, const std::string& to,
                      const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
        if (auto status = faults_.operation(); !status.ok()) return status;
        return FileSystemWrapper::LinkFile(from, to, options, debug);
    }
    IOStatus RenameFile(const std::string& from, const std::string& to,
                        const rocksdb::IOOptions& options,
                        rocksdb::IODebugContext* debug) override {
        if (auto status = faults_.operation(); !status.ok()) return status;
        return FileSystemWrapper::RenameFile(from, to, options, debug);
    }
    /// Not the target's, whose files this one would not see.
    IOStatus NewLogger(const std::string& name, const rocksdb::IOOptions& options,
                       std::shared_ptr<rocksdb::Logger>* logger,
                       rocksdb::IODebugContext* debug) override {
        return FileSystem::NewLogger(name, options, logger, debug);
    }

private:
    Faults& faults_;
};

using Rows = std::map<std::string, std::string>;

Rows read_all(RowEngine& engine) {
    Rows rows;
    must(engine.scan("", "", [&](std::string_view key, std::string_view value) {
        rows.emplace(key, value);
        return true;
    }));
    return rows;
}

/// Every row of a batch carries its number, so that a mixture is seen.
std::vector<RowEngine::Change> batch(std::uint64_t number, std::uint64_t rows) {
    std::vector<RowEngine::Change> changes;
    runtime::SeededRandom random(number);
    for (std::uint64_t row = 0; row < rows; ++row) {
        std::string value = std::to_string(number) + " ";
        for (int i = 0; i < 20; ++i) value += std::to_string(random.u64());
        changes.push_back({"row" + std::to_string(row), value});
    }
    return changes;
}

/// The one batch all rows are of; 0 for none.
std::uint64_t batch_held(RowEngine& engine, std::uint64_t rows) {
    const Rows held = read_all(engine);
    if (held.empty()) return 0;
    EXPECT_EQ(held.size(), rows);
    const std::uint64_t number = std::stoull(held.begin()->second);
    for (const auto& change : batch(number, rows)) EXPECT_EQ(held.at(change.key), change.value);
    return number;
}

class RocksFaultTest : public testing::Test {
protected:
    std::unique_ptr<RowEngine> open() {
        return must(
            internal::open_rocksdb_rows_in(system_, directory_.path(), RowsAccess::kReadWrite));
    }
    RocksDirectory directory_;
    Faults faults_;
    std::shared_ptr<rocksdb::FileSystem> system_ = std::make_shared<FaultFileSystem>(faults_);
};

TEST_F(RocksFaultTest, AFullDiskLeavesTheOldStateAndRoomAgainIsEnough) {
    constexpr std::uint64_t kRows = 200;
    auto engine = open();
    std::uint64_t held = 1;
    must(engine->commit(batch(held, kRows)));
    int refused = 0;
    for (std::int64_t room = 0; room < 110'000; room += 6003) {
        faults_.bytes_left = room;
        const auto committed = engine->commit(batch(held + 1, kRows));
        if (committed.ok()) {
            ++held;
        } else {
            ++refused;
            EXPECT_EQ(committed.error().code(), ErrorCode::kDiskFull)
                << committed.error().to_string();
        }
        EXPECT_EQ(batch_held(*engine, kRows), held) << "room " << room;
        faults_.bytes_left = INT64_MAX;
        if (!committed.ok() && room % 2 == 0) {
            engine.reset();
            engine = open();
            const std::uint64_t after = batch_held(*engine, kRows);
            EXPECT_TRUE(after == held || after == held + 1) << "room " << room;
            held = after;
        }
        if (room % 3 == 0) {
            must(engine->commit(batch(++held, kRows)));
            EXPECT_EQ(batch_held(*engine, kRows), held);
        }
    }
    EXPECT_GT(refused, 5);
    must(engine->settle());
    engine.reset();
    engine = open();
    EXPECT_EQ(batch_held(*engine, kRows), held);
    must(engine->verify());
}

TEST_F(RocksFaultTest, AStartWithHoweverLittleRoomIsRefusedOrServesWhatIsThere) {
    constexpr std::uint64_t kRows = 20;
    must(open()->commit(batch(1, kRows)));
    int refused = 0, opened = 0;
    for (std::int64_t room = 0; room < 40'000; room += room < 600 ? 7 : 1511) {
        faults_.bytes_left = room;
        auto engine =
            internal::open_rocksdb_rows_in(system_, directory_.path(), RowsAccess::kReadWrite);
        if (engine.ok()) {
            ++opened;
            EXPECT_EQ(batch_held(**engine, kRows), 1) << "room " << room;
        } else {
            ++refused;
            EXPECT_EQ(engine.error().code(), ErrorCode::kDiskFull) << engine.error().to_string();
        }
        faults_.bytes_left = INT64_MAX;
    }
    EXPECT_GT(refused, 5);
    EXPECT_GT(opened, 5);
    auto engine = open();
    EXPECT_EQ(batch_held(*engine, kRows), 1);
    must(engine->verify());
    must(engine->commit(batch(2, kRows)));
}

TEST_F(RocksFaultTest, EveryRefusedOperationLeavesOneWholeBatch) {
    constexpr std::uint64_t kRows = 20;
    std::uint64_t held = 0;
    for (std::int64_t nth = 1; nth < 40; ++nth) {
        auto engine = open();
        held = batch_held(*engine, kRows);
        faults_.fail_in = nth;
        const auto committed = engine->commit(batch(held + 1, kRows));
        const bool reached = faults_.fail_in <= 0;
        faults_.fail_in = INT64_MAX;
        const std::uint64_t seen = batch_held(*engine, kRows);
        EXPECT_EQ(seen, committed.ok() ? held + 1 : held) << nth;
        engine.reset();
        engine = open();
        const std::uint64_t after = batch_held(*engine, kRows);
        EXPECT_TRUE(after == seen || (!committed.ok() && after == held + 1)) << nth;
        if (!reached) return;
    }
    FAIL() << "a commit takes more than 40 operations";
}

TEST_F(RocksFaultTest, ASecondOpenIsRefusedAndReadingIsNot) {
    auto engine = open();
    must(engine->commit({{"a", "1"}}));
    EXPECT_EQ(open_rocksdb_rows(directory_.path()).error().code(), ErrorCode::kConflict);
    const auto names = directory_.names();
    const auto reader = must(open_rocksdb_rows_read_only(directory_.path()));
    EXPECT_EQ(must(reader->get("a")), "1");
    must(reader->verify());
    EXPECT_EQ(directory_.names(), names) << "reading leaves no trace";
    EXPECT_EQ(reader->commit({{"b", "2"}}).error().code(), ErrorCode::kUnsupported);
}

TEST_F(RocksFaultTest, AnAbsentDirectoryCannotBeReadAndIsNotMade) {
    EXPECT_EQ(open_rocksdb_rows_read_only(directory_.path()).error().code(), ErrorCode::kNotFound);
    EXPECT_FALSE(std::filesystem::exists(directory_.path()));
    EXPECT_FALSE(open_rocksdb_rows("/proc/nothing/rows").ok());
}

/// As one that is stopped: takes work and never runs it.
class StoppedExecutor final : public runtime::Executor {
public:
    void post(runtime::Work) override { ++posted; }
    TimerId post_after(std::uint64_t, runtime::Work) override { return 0; }
    bool cancel(TimerId) override { return false; }
    void stop() override {}
    int posted = 0;
};

TEST_F(RocksFaultTest, ALongScanWithoutItsReaderIsReadByWhoVisits) {
    constexpr int kRows = 20'000;
    must(open()->commit(batch(1, kRows)));
    auto stopped = std::make_unique<StoppedExecutor>();
    const StoppedExecutor& reader = *stopped;
    const auto engine = must(internal::open_rocksdb_rows_in(
        system_, directory_.path(), RowsAccess::kReadWrite, std::move(stopped)));
    std::string last;
    int seen = 0;
    must(engine->scan("", "", [&](std::string_view key, std::string_view) {
        EXPECT_LT(last, key);
        last = key;
        return ++seen > 0;
    }));
    EXPECT_EQ(seen, kRows);
    EXPECT_GT(reader.posted, 1) << "shorter than a block";
}

TEST_F(RocksFaultTest, AFlippedBitIsFoundByVerify) {
    {
        auto engine = open();
        must(engine->commit(batch(1, 500)));
    }
    int flipped = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
        if (entry.path().extension() != ".sst") continue;
        std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(5000);
        const char byte = static_cast<char>(file.get() ^ 4);
        file.seekp(5000);
        file.put(byte);
        ++flipped;
    }
    ASSERT_EQ(flipped, 1);
    auto engine = open();
    const auto verified = engine->verify();
    ASSERT_FALSE(verified.ok());
    EXPECT_EQ(verified.error().code(), ErrorCode::kCorruption) << verified.error().to_string();
}

// Killed in the middle of commits.

constexpr std::uint64_t kKillRows = 300;
constexpr int kKillPipe = 3;
constexpr char kKillVariable[] = "TIDAL_STORAGE_KILL_DIRECTORY";

/// The child: commits until it is killed, and says so after each.
TEST(RocksKillChild, DISABLED_Commits) {
    const char* const directory = std::getenv(kKillVariable);
    ASSERT_NE(directory, nullptr) << "runs only as the child of RocksKill";
    auto engine = must(open_rocksdb_rows(directory));
    for (std::uint64_t number = batch_held(*engine, kKillRows) + 1;; ++number) {
        must(engine->commit(batch(number, kKillRows)));
        const auto written = ::write(kKillPipe, &number, sizeof number);
        if (written != sizeof number) ::_exit(1);
    }
}

/// Starts the child, lets it commit `commits` batches and kills it `delay_us` later; returns the
/// last batch it said was durable.
std::uint64_t run_and_kill(const std::string& directory, std::uint64_t commits,
                           std::uint64_t delay_us) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return 0;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], kKillPipe);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    std::string variable = std::string(kKillVariable) + "=" + directory;
    std::string filter = "--gtest_filter=RocksKillChild.*",
                disabled = "--gtest_also_run_disabled_tests";
    char program[] = "storage_test";
    char* arguments[] = {program, filter.data(), disabled.data(), nullptr};
    char* variables[] = {variable.data(), nullptr};
    pid_t child = 0;
    const int spawned =
        ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, arguments, variables);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    EXPECT_EQ(spawned, 0);

    std::uint64_t last = 0, number = 0;
    for (std::uint64_t heard = 0; heard < commits; ++heard)
        if (::read(ends[0], &number, sizeof number) == sizeof number) last = number;
    ::usleep(static_cast<useconds_t>(delay_us));  // allowed: the moment of the kill
    ::kill(child, SIGKILL);
    while (::read(ends[0], &number, sizeof number) == sizeof number) last = number;
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child ended by itself";
    return last;
}

TEST(RocksKill, AcknowledgedBatchesSurviveWholeAndNoneInPart) {
    RocksDirectory directory;
    std::filesystem::create_directories(directory.root());
    runtime::SeededRandom random(1);
    std::uint64_t held = 0;
    for (int life = 0; life < 8; ++life) {
        const std::uint64_t said =
            run_and_kill(directory.path(), 1 + random.below(4), random.below(20'000));
        EXPECT_GT(said, held);
        auto engine = must(open_rocksdb_rows(directory.path()));
        held = batch_held(*engine, kKillRows);
        EXPECT_TRUE(held == said || held == said + 1) << "said " << said << ", held " << held;
        must(engine->verify());
    }
}

}  // namespace rocksdb_rows_test
}  // namespace tidal::storage
