// An import writes every row exactly once, however often it is interrupted.
#include "api/import.h"

#include "api/tests/sim_node.h"

namespace tidal::api {
namespace import_test {

using runtime::CrashSpec;

constexpr std::uint64_t kItems = 40;
constexpr int kRatings = 5000;  // three chunks

constexpr std::string_view kMapping = R"(
files:
  - file: items.csv
    items:
      id: id
      creator: creator
      fields: {title: title}
  - file: ratings.csv
    signals:
      item: item
      user: user
      at: {column: at, unit: s}
      emit: [view]
)";

struct Files {
    std::string items = "id,creator,title\n";
    std::string ratings = "item,user,at\n";
    std::map<std::uint64_t, std::int64_t> per_item, per_creator;
};

Files make_files() {
    Files files;
    for (std::uint64_t id = 1; id <= kItems; ++id)
        files.items +=
            std::to_string(id) + "," + std::to_string(id % 7) + ",t" + std::to_string(id) + "\n";
    for (int i = 0; i < kRatings; ++i) {
        const std::uint64_t id = 1 + static_cast<std::uint64_t>(i * 37 + i / 11) % kItems;
        files.ratings += std::to_string(id) + "," + std::to_string(i % 100) + "," +
                         std::to_string(1'690'000'000 + i) + "\n";
        ++files.per_item[id];
        ++files.per_creator[id % 7];
    }
    return files;
}

class StringReader final : public ByteReader {
public:
    explicit StringReader(std::string text) : text_(std::move(text)) {}
    Result<std::string> read() override {
        const std::string piece = text_.substr(at_, 10'000);
        at_ += piece.size();
        return piece;
    }

private:
    const std::string text_;
    std::size_t at_ = 0;
};

ImportSource source(std::string name, const std::string& text) {
    return {std::move(name), text.size(), [text]() -> Result<std::unique_ptr<ByteReader>> {
                return std::unique_ptr<ByteReader>(std::make_unique<StringReader>(text));
            }};
}

ImportSpec spec(const Files& files, bool shift = false) {
    ImportSpec spec;
    spec.id = "the import";
    auto mapping = transfer::parse_mapping(kMapping);
    EXPECT_TRUE(mapping.ok());
    spec.mapping = std::move(*mapping);
    spec.sources = {source("items.csv", files.items), source("ratings.csv", files.ratings)};
    spec.shift_end_to_now = shift;
    return spec;
}

using Answer = std::optional<Result<ImportProgress>>;

runtime::Task<void> import_into(Database& database, runtime::Clock& clock, ImportSpec spec,
                                std::shared_ptr<Answer> answer, ImportObserver observer) {
    auto result = co_await import_files(database, clock, std::move(spec), std::move(observer));
    answer->emplace(std::move(result));
}

/// The import's end, or nothing when the node died under it.
Answer run_import(SimNode& node, ImportSpec spec, ImportObserver observer = {}) {
    auto answer = std::make_shared<Answer>();
    runtime::spawn(
        import_into(*node, node.runtime().clock(), std::move(spec), answer, std::move(observer)));
    node.world().run_until([&] { return answer->has_value() || node.crashed(); });
    return *answer;
}

void expect_exact(SimNode& node, const Files& files, const std::string& when) {
    node.rest();
    for (const auto& [id, count] : files.per_item)
        ASSERT_EQ(node.count(id, "view"), count) << "item " << id << " " << when;
    for (const auto& [id, count] : files.per_creator)
        ASSERT_EQ(node.count(EntityKind::kCreator, id, "view"), count)
            << "creator " << id << " " << when;
}

/// A node whose log files hold a chunk, and are several.
class ImportNode : public SimNode {
public:
    explicit ImportNode(std::uint64_t seed = 1)
        : SimNode({.shards = 2, .executors = 2, .checkpoint_events = 700}, seed) {
        options().log.file_bytes = 128 << 10;
    }
};

TEST(Import, WritesEveryRowOnceAndNothingASecondTime) {
    const Files files = make_files();
    ImportNode node;
    ASSERT_OK(node.open());
    const Answer first = run_import(node, spec(files));
    ASSERT_TRUE(first.has_value());
    ASSERT_OK(*first);
    EXPECT_EQ((*first)->accepted, kItems + kRatings);
    EXPECT_EQ((*first)->skipped, 0u);
    EXPECT_EQ((*first)->rejected, 0u);
    EXPECT_FALSE((*first)->complete_before);
    expect_exact(node, files, "after it");
    ASSERT_OK(node.crash_and_open());
    const Answer second = run_import(node, spec(files));
    ASSERT_TRUE(second.has_value());
    ASSERT_OK(*second);
    EXPECT_TRUE((*second)->complete_before);
    expect_exact(node, files, "after a second one");
}

TEST(Import, GoesOnAfterACrashAnywhere) {
    const Files files = make_files();
    std::uint64_t operations = 0;
    {
        ImportNode node;
        ASSERT_OK(node.open());
        const std::uint64_t before = node.disk().mutating_ops();
        ASSERT_TRUE(run_import(node, spec(files)).has_value());
        operations = node.disk().mutating_ops() - before;
    }
    runtime::SeededRandom random(1);
    std::uint64_t skipped = 0;
    for (int trial = 0; trial < 12; ++trial) {
        ImportNode node(static_cast<std::uint64_t>(trial) + 1);
        ASSERT_OK(node.open());
        for (int crashes = 0; crashes < 3; ++crashes) {
            node.disk().set_crash_after(1 + random.below(operations * 2 / 3));
            const Answer answer = run_import(node, spec(files));
            if (answer.has_value() && answer->ok()) skipped += (*answer)->skipped;
            if (answer.has_value() && !node.crashed()) break;
            ASSERT_OK(node.crash_and_open({.seed = random.u64()}));
        }
        node.disk().set_crash_after(0);
        const Answer last = run_import(node, spec(files));
        ASSERT_TRUE(last.has_value());
        ASSERT_OK(*last);
        skipped += (*last)->skipped;
        expect_exact(node, files, "in trial " + std::to_string(trial));
    }
    EXPECT_GT(skipped, 0u) << "some imports had to go on";
}

TEST(Import, GoesOnAfterAFullDisk) {
    const Files files = make_files();
    ImportNode node;
    ASSERT_OK(node.open());
    node.disk().set_capacity(node.disk().used_bytes() + 60'000);
    const Answer stopped = run_import(node, spec(files));
    ASSERT_TRUE(stopped.has_value());
    ASSERT_FALSE(stopped->ok());
    EXPECT_EQ(stopped->error().code(), ErrorCode::kDiskFull);
    node.disk().set_capacity(~0ULL);
    node.world().advance(kSecondNs);  // writes resume by themselves
    const Answer last = run_import(node, spec(files));
    ASSERT_TRUE(last.has_value());
    ASSERT_OK(*last);
    expect_exact(node, files, "after the second try");
}

TEST(Import, BeginsAgainWhileAChunkIsStillUnderWay) {
    const Files files = make_files();
    ImportNode node;
    ASSERT_OK(node.open());
    // The first caller gives up while its chunk waits for the disk; nobody knows its fate.
    auto first = std::make_shared<Answer>();
    runtime::spawn(import_into(*node, node.runtime().clock(), spec(files), first, {}));
    const Answer second = run_import(node, spec(files));
    ASSERT_TRUE(second.has_value());
    node.world().run_until([&] { return first->has_value(); });
    ASSERT_FALSE(second->ok());
    EXPECT_EQ(second->error().code(), ErrorCode::kConflict);
    EXPECT_EQ(second->error().reason(), "import_under_way");
    const Answer last = run_import(node, spec(files));
    ASSERT_TRUE(last.has_value());
    ASSERT_OK(*last);
    expect_exact(node, files, "after two at once");
}

TEST(Import, ARowThatCannotBeIsRejectedAndTheRestKept) {
    Files files = make_files();
    ImportNode node;
    ASSERT_OK(node.open());
    const UnixMillis now_s = node.runtime().clock().wall_ms() / 1000;
    files.ratings += "1,5," + std::to_string(now_s + 3600) + "\n";  // an hour ahead
    files.ratings += "9999,5,1690000000\n";                         // no such item
    files.ratings += "1,5,not a time\n";
    files.ratings += "1,5,1690000001\n";
    ++files.per_item[1];
    ++files.per_creator[1];
    const Answer answer = run_import(node, spec(files));
    ASSERT_TRUE(answer.has_value());
    ASSERT_OK(*answer);
    EXPECT_EQ((*answer)->rejected, 3u);
    EXPECT_EQ((*answer)->accepted, kItems + kRatings + 1);
    expect_exact(node, files, "with bad rows");
}

void expect_refused(SimNode& node, ImportSpec other, const std::string& what) {
    const Answer answer = run_import(node, std::move(other));
    ASSERT_TRUE(answer.has_value());
    ASSERT_FALSE(answer->ok()) << what;
    EXPECT_EQ(answer->error().code(), ErrorCode::kIdempotencyMismatch) << what;
    EXPECT_EQ(answer->error().reason(), "import_differs") << what;
    const std::string text = answer->error().to_string();
    EXPECT_NE(text.find("import=the import"), std::string::npos) << text;
    EXPECT_NE(text.find("rows_before=" + std::to_string(kItems + kRatings)), std::string::npos)
        << text;
}

TEST(Import, RefusesOtherDataUnderTheSameId) {
    Files files = make_files();
    ImportNode node;
    ASSERT_OK(node.open());
    const Answer first = run_import(node, spec(files));
    ASSERT_TRUE(first.has_value());
    ASSERT_OK(*first);
    ASSERT_OK(node.crash_and_open());
    for (const std::size_t at : {std::size_t{20}, files.ratings.size() / 2}) {
        Files other = files;
        const std::size_t digit = other.ratings.find(',', at) + 1;
        other.ratings[digit] = other.ratings[digit] == '3' ? '4' : '3';
        expect_refused(node, spec(other), "another rating");
    }
    Files less = files;
    less.ratings.resize(less.ratings.size() - 17);
    expect_refused(node, spec(less), "a shorter file");
    ImportSpec weighted = spec(files);
    weighted.mapping = transfer::parse_mapping(std::string(kMapping) + "# another\n").value();
    expect_refused(node, std::move(weighted), "another mapping");
    ImportSpec moved = spec(files);
    moved.shift_ms = 1000;
    expect_refused(node, std::move(moved), "another shift");
    expect_exact(node, files, "after what was refused");
    files.ratings += "1,5,1690000001\n";
    ++files.per_item[1];
    ++files.per_creator[1];
    const Answer more = run_import(node, spec(files));
    ASSERT_TRUE(more.has_value());
    ASSERT_OK(*more);
    EXPECT_EQ((*more)->accepted, 1u);
    expect_exact(node, files, "with a row more");
}

TEST(Import, OfABuildThatKnewNothingOfItsRowsStaysComplete) {
    ImportNode node;
    ASSERT_OK(node.open());
    ASSERT_OK(node.wait([&](Database::Done done) {
        node->put_import_note("the import/done", 1, std::move(done));
    }));
    const Answer answer = run_import(node, spec(make_files()));
    ASSERT_TRUE(answer.has_value());
    ASSERT_OK(*answer);
    EXPECT_TRUE((*answer)->complete_before);
    EXPECT_EQ((*answer)->accepted, 0u);
}

/// Rows of no item and rows that are none, from the first chunk to the last.
Files with_bad_rows(Files files, std::set<std::string>* bad) {
    std::string ratings;
    std::size_t row = 0;
    for (std::size_t at = 0; at < files.ratings.size(); ++row) {
        const std::size_t end = files.ratings.find('\n', at) + 1;
        ratings += files.ratings.substr(at, end - at);
        at = end;
        if (row % 150 != 100) continue;
        bad->insert("9999," + std::to_string(row) + ",1690000000");
        bad->insert("1," + std::to_string(row) + ",never");
        ratings += "9999," + std::to_string(row) + ",1690000000\n";
        ratings += "1," + std::to_string(row) + ",never\n";
    }
    files.ratings = ratings;
    return files;
}

/// What each run of an import says of the whole of it.
void expect_all_told(SimNode& node, const Files& files, const std::set<std::string>& bad,
                     const std::string& when) {
    std::multiset<std::string> rejected;
    ImportObserver observer;
    observer.on_rejected = [&](const std::string&, const transfer::RejectedRow& row) {
        rejected.insert(std::string(row.text));
    };
    const Answer answer = run_import(node, spec(files), observer);
    ASSERT_TRUE(answer.has_value());
    ASSERT_OK(*answer);
    EXPECT_EQ(std::multiset<std::string>(bad.begin(), bad.end()), rejected) << when;
    EXPECT_EQ((*answer)->rejected, bad.size()) << when;
    EXPECT_EQ((*answer)->accepted + (*answer)->skipped, kItems + kRatings) << when;
}

TEST(Import, TellsEveryRejectedRowAfterACrashAndASecondTime) {
    std::set<std::string> bad;
    const Files files = with_bad_rows(make_files(), &bad);
    runtime::SeededRandom random(2);
    for (int trial = 0; trial < 8; ++trial) {
        ImportNode node(static_cast<std::uint64_t>(trial) + 1);
        ASSERT_OK(node.open());
        node.disk().set_crash_after(5 + random.below(60));
        run_import(node, spec(files));
        ASSERT_OK(node.crash_and_open({.seed = random.u64()}));
        node.disk().set_crash_after(0);
        const std::string when = "in trial " + std::to_string(trial);
        expect_all_told(node, files, bad, when + " after a crash");
        expect_exact(node, files, when);
        Files later;
        later.items += "9999,1,later\n";
        ImportSpec item = spec(later);
        item.id = "what was not there";
        ASSERT_TRUE(run_import(node, std::move(item)).has_value());
        expect_all_told(node, files, bad, when + " a second time");
        expect_exact(node, files, when + " a second time");
    }
}

TEST(Import, ShiftsEveryTryByTheSameAmount) {
    const Files files = make_files();
    ImportNode node;
    ASSERT_OK(node.open());
    const UnixMillis began_ms = node.runtime().clock().wall_ms();
    node.disk().set_crash_after(6);
    run_import(node, spec(files, true));
    ASSERT_TRUE(node.crashed());
    ASSERT_OK(node.crash_and_open());
    node.world().advance(24 * 3600 * kSecondNs);
    const Answer last = run_import(node, spec(files, true));
    ASSERT_TRUE(last.has_value());
    ASSERT_OK(*last);
    UnixMillis newest = 0;
    ExportRequest request;
    request.limit = 100'000;
    const auto page = node->export_signals(request);
    ASSERT_OK(page);
    for (const auto& one : page->signals) newest = std::max(newest, one.at_ms);
    EXPECT_NEAR(static_cast<double>(newest), static_cast<double>(began_ms), 60'000.0);
}

TEST(Import, WithRowsOfMoreBytesThanOneBatchOfTheLogHolds) {
    Files files;
    constexpr int kLong = 1200;  // at 8 KiB each: 9.6 MiB, in one chunk
    for (int i = 1; i <= kLong; ++i)
        files.items += std::to_string(i) + ",1," + std::string(8192, 'x') + "\n";
    SimNode node;
    node.options().log.file_bytes = wal::kLogFileBytes;
    ASSERT_OK(node.open());
    const Answer answer = run_import(node, spec(files));
    ASSERT_TRUE(answer.has_value());
    ASSERT_OK(*answer);
    EXPECT_EQ((*answer)->accepted, static_cast<std::uint64_t>(kLong));
    EXPECT_EQ(node->stats().items, static_cast<std::uint64_t>(kLong));
}

/// Rows (1, 0), (2, 0), ... of vectors whose ids are in another file, beside the items of that
/// file.
ImportSpec vectors_spec(const std::string& format, const std::string& ids, std::uint32_t rows) {
    std::string vectors;
    for (std::uint32_t row = 1; row <= rows; ++row) {
        const std::uint32_t dimensions = 2;
        const float values[dimensions] = {static_cast<float>(row), 0};
        vectors.append(reinterpret_cast<const char*>(&dimensions), sizeof(dimensions));
        vectors.append(reinterpret_cast<const char*>(values), sizeof(values));
    }
    ImportSpec spec;
    spec.id = "vectors";
    auto mapping = transfer::parse_mapping(
        "files:\n"
        "  - {file: ids, format: " +
        format +
        ", items: {id: id}}\n"
        "  - {file: v, format: fvecs, vectors: {ids: {file: ids, column: id}}}\n");
    EXPECT_TRUE(mapping.ok()) << mapping.error().to_string();
    spec.mapping = std::move(*mapping);
    spec.sources = {source("ids", ids), source("v", vectors)};
    return spec;
}

class VectorNode : public SimNode {
public:
    VectorNode() : SimNode({.shards = 2}) {
        options().log.file_bytes = wal::kLogFileBytes;
        options().schema = R"(
items:
  fields: {title: text}
  embeddings:
    default: {dimensions: 2, metric: l2}
signals:
  view: {polarity: neutral, half_life: 1d}
)";
    }
    Result<void> put_profile() {
        return wait([&](Database::Done done) {
            (*this)->put_profile(
                "profile near version 1 { candidates ann(default) limit 1; score "
                "similarity(default); }",
                false, [done = std::move(done)](auto reply) mutable {
                    done(reply.ok() ? Result<void>() : Result<void>(reply.take_error()));
                });
        });
    }
    std::string nearest_to_row(std::uint32_t row) {
        FeedCall call;
        call.profile = "near";
        call.vector = {static_cast<double>(row), 0};
        call.limit = 1;
        const auto reply = (*this)->feed(call);
        if (!reply.ok()) return reply.error().to_string();
        return reply->items.empty() ? "nothing" : reply->items[0].entity.id.to_string();
    }
    std::uint64_t vectors() {
        std::uint64_t sum = 0;
        for (const auto& shard : (*this)->stats().shards) sum += shard.vectors;
        return sum;
    }
};

TEST(Import, GivesVectorsToTheIdsOfTheirRows) {
    VectorNode node;
    ASSERT_OK(node.open());
    ASSERT_OK(node.put_profile());
    const Answer answer =
        run_import(node, vectors_spec("csv",
                                      "\nid,title\n71,\"two\n\nlines\"\n\"\",no id\nx,no number\n"
                                      "74,four\n\n",
                                      4));
    ASSERT_TRUE(answer.has_value());
    ASSERT_OK(*answer);
    EXPECT_EQ((*answer)->accepted, 4u) << "two items and their vectors";
    EXPECT_EQ((*answer)->rejected, 4u);
    EXPECT_EQ(node.vectors(), 2u);
    EXPECT_EQ(node.nearest_to_row(1), "71");
    EXPECT_EQ(node.nearest_to_row(4), "74");
}

TEST(Import, EndsBeforeAVectorIsGivenToTheIdOfAnotherRow) {
    constexpr std::uint32_t kRows = 3000;  // more than one chunk of writes
    struct Case {
        std::string format, ids, before, behind, error;
    };
    const Case cases[] = {
        {"csv", "id\n1\n\n3\n", "", "", "ids line 4: behind a blank line"},
        {"csv", "id\n\n2\n3\n", "", "", "ids line 3: behind a blank line"},
        {"csv", "id,t\n1,\"a\n2,\"b\"\n3,c\n", "", ",t", "ids line 2: text after a closing quote"},
        {"csv", "id,t\n1,a\n2,b,c\n3,c\n", "", ",t", "ids line 3: 3 fields"},
        {"ndjson", "{\"id\":1}\n \n{\"id\":3}\n", "{\"id\":", "}",
         "ids line 3: behind a blank line"},
        {"ndjson", "{\"id\":1}\n{\"id\":2\n{\"id\":3}\n", "{\"id\":", "}", "ids line 2: not JSON"},
    };
    for (const Case& each : cases) {
        std::string ids = each.ids;
        for (std::uint32_t id = 4; id <= kRows; ++id)
            ids += each.before + std::to_string(id) + each.behind + "\n";
        VectorNode node;
        ASSERT_OK(node.open());
        const Answer answer = run_import(node, vectors_spec(each.format, ids, kRows));
        ASSERT_TRUE(answer.has_value());
        ASSERT_FALSE(answer->ok()) << each.error;
        EXPECT_EQ(answer->error().code(), ErrorCode::kInvalidArgument);
        EXPECT_NE(answer->error().to_string().find(each.error), std::string::npos)
            << answer->error().to_string();
        EXPECT_EQ(node.vectors(), 0u) << each.error;
    }
}

TEST(Import, WithoutAFileOfItsMappingIsRefused) {
    ImportNode node;
    ASSERT_OK(node.open());
    ImportSpec incomplete = spec(make_files());
    incomplete.sources.pop_back();
    const Answer answer = run_import(node, std::move(incomplete));
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->error().code(), ErrorCode::kNotFound);
    EXPECT_NE(answer->error().to_string().find("ratings.csv"), std::string::npos);
}

}  // namespace import_test
}  // namespace tidal::api
