// One contract, every engine: order, atomicity, durability, large batches and values, scans that
// see one moment.
#include "storage/row_engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <thread>

#include "runtime/real_runtime.h"
#include "storage/tests/rocks_directory.h"
#include "storage/tests/store_fixture.h"

namespace tidal::storage {
namespace row_engine_test {

using Rows = std::map<std::string, std::string>;

/// An engine that can be closed and opened again.
class Bench {
public:
    virtual ~Bench() = default;
    virtual std::unique_ptr<RowEngine> open() = 0;
};

class SimpleBench final : public Bench {
public:
    std::unique_ptr<RowEngine> open() override {
        auto rows = open_simple_rows(medium_, "rows");
        EXPECT_TRUE(rows.ok());
        return std::move(rows).value();
    }

private:
    runtime::SimDisk medium_;
};

class RocksBench final : public Bench {
public:
    std::unique_ptr<RowEngine> open() override {
        auto rows = open_rocksdb_rows(directory_.path());
        if (!rows.ok()) ADD_FAILURE() << rows.error().to_string();
        return std::move(rows).value();
    }

private:
    RocksDirectory directory_;
};

/// Whose long scans are read ahead on a thread of their own.
class ReadAheadBench final : public Bench {
public:
    std::unique_ptr<RowEngine> open() override {
        auto rows = open_rocksdb_rows(directory_.path(), &runtime_->executors());
        if (!rows.ok()) ADD_FAILURE() << rows.error().to_string();
        return std::move(rows).value();
    }

private:
    RocksDirectory directory_;
    std::unique_ptr<runtime::Runtime> runtime_ = must(runtime::make_real_runtime({}));
};

struct Kind {
    const char* name;
    std::uint64_t histories;
    std::function<std::unique_ptr<Bench>()> make;
};

Rows read_all(RowEngine& engine, std::string_view begin = "", std::string_view end = "") {
    Rows rows;
    must(engine.scan(begin, end, [&](std::string_view key, std::string_view value) {
        EXPECT_TRUE(rows.empty() || rows.rbegin()->first < key);
        rows.emplace(key, value);
        return true;
    }));
    return rows;
}

class RowEngineContract : public testing::TestWithParam<Kind> {
protected:
    std::unique_ptr<Bench> bench_ = GetParam().make();
    std::unique_ptr<RowEngine> engine_ = bench_->open();
    void reopen() {
        engine_.reset();
        engine_ = bench_->open();
    }
};

/// Copies what it reads from the engine while the commit draws, and may give up at the end.
class ReadingSource final : public RowEngine::Source {
public:
    ReadingSource(RowEngine& engine, bool gives_up) : engine_(engine), gives_up_(gives_up) {}
    bool next(std::string_view& key, std::optional<std::string_view>& value) override {
        if (drawn_++ == 3) return false;
        key_ = "copy" + std::to_string(drawn_);
        value_ = must(engine_.get("row")).value_or("none");
        EXPECT_EQ(must(engine_.get("copy1")), std::nullopt) << "the batch shows before its time";
        key = key_;
        value = value_;
        return true;
    }
    Result<void> finish() override {
        if (gives_up_) return Error(ErrorCode::kCorruption, "given up");
        return {};
    }

private:
    RowEngine& engine_;
    const bool gives_up_;
    int drawn_ = 0;
    std::string key_, value_;
};

TEST_P(RowEngineContract, ASourceMayReadAndMayGiveUp) {
    must(engine_->commit({{"row", "value"}}));
    ReadingSource gives_up(*engine_, true);
    EXPECT_EQ(engine_->commit(gives_up).error().code(), ErrorCode::kCorruption);
    EXPECT_EQ(read_all(*engine_), (Rows{{"row", "value"}}));
    reopen();
    EXPECT_EQ(read_all(*engine_), (Rows{{"row", "value"}}));
    ReadingSource goes_on(*engine_, false);
    must(engine_->commit(goes_on));
    reopen();
    EXPECT_EQ(read_all(*engine_),
              (Rows{{"copy1", "value"}, {"copy2", "value"}, {"copy3", "value"}, {"row", "value"}}));
}

TEST_P(RowEngineContract, AbsentRowsAreNoError) {
    EXPECT_EQ(must(engine_->get("nothing")), std::nullopt);
    EXPECT_TRUE(read_all(*engine_).empty());
    must(engine_->commit(std::vector<RowEngine::Change>{}));
    must(engine_->commit({{"gone", std::nullopt}}));
    EXPECT_EQ(must(engine_->get("gone")), std::nullopt);
    must(engine_->settle());
    must(engine_->verify());
}

TEST_P(RowEngineContract, CommitsSurviveReopening) {
    must(engine_->commit({{"b", "2"}, {"a", "1"}, {"c", ""}}));
    must(engine_->commit({{"b", std::nullopt}, {"d", "4"}}));
    const Rows expected{{"a", "1"}, {"c", ""}, {"d", "4"}};
    EXPECT_EQ(read_all(*engine_), expected);
    reopen();
    EXPECT_EQ(read_all(*engine_), expected);
    EXPECT_EQ(must(engine_->get("c")), "");
    EXPECT_EQ(must(engine_->get("b")), std::nullopt);
    must(engine_->verify());
}

TEST_P(RowEngineContract, OfEqualKeysInOneBatchTheLastWins) {
    must(engine_->commit(
        {{"k", "1"}, {"j", "x"}, {"k", std::nullopt}, {"k", "3"}, {"j", std::nullopt}}));
    EXPECT_EQ(read_all(*engine_), (Rows{{"k", "3"}}));
}

TEST_P(RowEngineContract, ScansAreHalfOpenInByteOrderAndStopWhenTold) {
    const std::string high("\xff\xff", 2), zero("\0", 1);
    must(engine_->commit({{"a", "1"}, {"ab", "2"}, {"b", "3"}, {high, "4"}, {zero, "5"}}));
    EXPECT_EQ(read_all(*engine_, "a", "b"), (Rows{{"a", "1"}, {"ab", "2"}}));
    EXPECT_EQ(read_all(*engine_, "b"), (Rows{{"b", "3"}, {high, "4"}}));
    EXPECT_TRUE(read_all(*engine_, "b", "b").empty());
    int seen = 0;
    must(engine_->scan("", "", [&](std::string_view, std::string_view) { return ++seen < 2; }));
    EXPECT_EQ(seen, 2);
}

TEST_P(RowEngineContract, AScanSeesOneMoment) {
    must(engine_->commit({{"a", "1"}, {"b", "1"}, {"c", "1"}}));
    Rows seen;
    must(engine_->scan("", "", [&](std::string_view key, std::string_view value) {
        if (seen.empty())
            std::thread([&] {
                must(engine_->commit({{"b", "2"}, {"c", std::nullopt}, {"d", "2"}}));
            }).join();
        seen.emplace(key, value);
        return true;
    }));
    EXPECT_EQ(seen, (Rows{{"a", "1"}, {"b", "1"}, {"c", "1"}}));
    EXPECT_EQ(read_all(*engine_), (Rows{{"a", "1"}, {"b", "2"}, {"d", "2"}}));
}

TEST_P(RowEngineContract, LargeValuesAndBinaryKeys) {
    const std::string large(1 << 20, 'v');
    const std::string key("\x00\x01\xff r\n", 6);
    must(engine_->commit({{key, large}, {std::string(1000, 'k'), "long key"}}));
    reopen();
    EXPECT_EQ(must(engine_->get(key)), large);
    EXPECT_EQ(must(engine_->get(std::string(1000, 'k'))), "long key");
}

/// Draws its rows, as a checkpoint does.
class NumberSource final : public RowEngine::Source {
public:
    explicit NumberSource(std::uint32_t count) : count_(count) {}
    bool next(std::string_view& key, std::optional<std::string_view>& value) override {
        if (at_ == count_) return false;
        key_ = std::to_string(10'000'000 + at_++);
        value_ = "value of " + key_;
        key = key_;
        value = value_;
        return true;
    }

private:
    const std::uint32_t count_;
    std::uint32_t at_ = 0;
    std::string key_, value_;
};

TEST_P(RowEngineContract, ABatchOfManyRowsIsDrawnOnce) {
    constexpr std::uint32_t kCount = 30'000;
    NumberSource source(kCount);
    must(engine_->commit(source));
    reopen();
    std::uint32_t seen = 0;
    must(engine_->scan("", "", [&](std::string_view key, std::string_view value) {
        EXPECT_EQ(key, std::to_string(10'000'000 + seen));
        EXPECT_EQ(value, "value of " + std::string(key));
        ++seen;
        return true;
    }));
    EXPECT_EQ(seen, kCount);
}

TEST_P(RowEngineContract, LongScansOfSeveralThreadsSeeTheirOwnRows) {
    constexpr std::uint32_t kCount = 30'000;
    NumberSource source(kCount);
    must(engine_->commit(source));
    std::vector<std::thread> readers;
    std::atomic<std::uint32_t> wrong = 0;
    for (std::uint32_t first = 0; first < 3; ++first)
        readers.emplace_back([&, first] {
            std::uint32_t at = first * 5'000;
            must(engine_->scan(std::to_string(10'000'000 + at), "", [&](auto key, auto) {
                if (key != std::to_string(10'000'000 + at++)) ++wrong;
                return true;
            }));
            if (at != kCount) ++wrong;
        });
    for (auto& reader : readers) reader.join();
    EXPECT_EQ(wrong, 0u);
}

void random_history(Bench& bench, std::uint64_t seed, int commits) {
    runtime::SeededRandom random(seed);
    auto engine = bench.open();
    Rows model = read_all(*engine);
    for (int i = 0; i < commits; ++i) {
        std::vector<RowEngine::Change> changes;
        for (std::uint64_t left = random.below(12); left > 0; --left) {
            const std::string key = std::to_string(random.below(15));
            if (random.below(3) == 0) {
                changes.push_back({key, std::nullopt});
                model.erase(key);
            } else {
                changes.push_back(
                    {key, std::string(random.below(9000), static_cast<char>('a' + i % 26))});
                model[key] = *changes.back().value;
            }
        }
        must(engine->commit(changes));
        ASSERT_EQ(read_all(*engine), model);
        if (random.below(6) != 0) continue;
        engine.reset();
        engine = bench.open();
        ASSERT_EQ(read_all(*engine), model) << "after reopening";
    }
}

TEST_P(RowEngineContract, RandomBatchesMatchAMap) {
    engine_.reset();
    // Opening a real database takes some 20 ms: few long histories for it, many for the simple one.
    for (std::uint64_t seed = 1; seed <= GetParam().histories; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        ASSERT_NO_FATAL_FAILURE(random_history(*bench_, seed, 30));
    }
}

TEST_P(RowEngineContract, CommitsOfSeveralThreadsAllStand) {
    std::vector<std::thread> writers;
    std::atomic<int> failures = 0;
    for (int shard = 0; shard < 4; ++shard)
        writers.emplace_back([&, shard] {
            for (int i = 0; i < 10; ++i) {
                const std::string key = std::to_string(shard) + "/" + std::to_string(i);
                if (!engine_->commit({{key, "v"}}).ok() || !engine_->get(key).value()) ++failures;
            }
        });
    for (auto& writer : writers) writer.join();
    EXPECT_EQ(failures, 0);
    EXPECT_EQ(read_all(*engine_).size(), 40u);
}

INSTANTIATE_TEST_SUITE_P(
    Engines, RowEngineContract,
    testing::Values(Kind{"Simple", 200, [] { return std::make_unique<SimpleBench>(); }},
                    Kind{"RocksDb", 1, [] { return std::make_unique<RocksBench>(); }},
                    Kind{"ReadAhead", 1, [] { return std::make_unique<ReadAheadBench>(); }}),
    [](const auto& kind) { return kind.param.name; });

}  // namespace row_engine_test
}  // namespace tidal::storage
