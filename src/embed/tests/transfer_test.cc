// Imports, exports and backups through the library, on real files.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "embed/tests/on_disk.h"
#include "embed/tests/shop.h"

namespace tidal {
namespace transfer_test {

namespace fs = std::filesystem;

class LibraryTransfer : public OnDisk {
protected:
    void put(const std::string& name, const std::string& text) const {
        std::ofstream(path(name), std::ios::binary) << text;
    }
    static std::int64_t views(Library& library, std::uint64_t id) {
        const auto readings = must(library.signals({EntityKind::kItem, id}));
        for (const auto& one : readings.signals)
            if (one.name == "view")
                return one.reading.windows[static_cast<std::size_t>(schema::Window::kAll)].count;
        return -1;
    }
};

constexpr char kMapping[] =
    "files:\n"
    "  - file: songs.csv\n"
    "    items:\n"
    "      id: song\n"
    "      fields: {title: name, year: year}\n"
    "  - file: plays.csv\n"
    "    signals: {item: song, user: user, at: {column: at, unit: s}, emit: [view]}\n";

TEST_F(LibraryTransfer, AnImportIsInOnceAndTellsItsBadRows) {
    put("songs.csv", "song,name,year\n1,Blue in Green,1959\n2,So What,1959\n3,Bad,never\n");
    put("plays.csv",
        "song,user,at\n1,7,1700000000\n1,8,1700000060\n2,7,1700000120\n9,7,1700000130\n");
    auto library = must(Library::open(on_disk()));
    ImportFiles files{.mapping = kMapping, .folder = path("")};
    std::vector<std::string> rejected;
    std::uint64_t told = 0;
    files.observer.on_progress = [&](const api::ImportProgress& progress) { told = progress.rows; };
    files.observer.on_rejected = [&](const std::string& file, const transfer::RejectedRow& row) {
        rejected.push_back(file + ":" + std::to_string(row.place.line));
    };
    const auto first = must(library.import(files));
    EXPECT_EQ(first.accepted, 5u);
    EXPECT_EQ(first.rejected, 2u);
    EXPECT_GT(told, 0u);
    EXPECT_EQ(rejected, (std::vector<std::string>{"songs.csv:4", "plays.csv:5"}));
    EXPECT_EQ(views(library, 1), 2);
    const auto second = must(library.import(files));
    EXPECT_TRUE(second.complete_before || second.accepted == 0);
    EXPECT_EQ(views(library, 1), 2);
    files.id = "again";
    must(library.import(files));
    EXPECT_EQ(views(library, 1), 4) << "another name is another import";

    files.folder = path("nowhere");
    EXPECT_EQ(library.import(files).error().code(), ErrorCode::kNotFound);
    EXPECT_FALSE(fs::exists(path("nowhere")));
    fs::remove(path("plays.csv"));
    files.folder = path("");
    EXPECT_EQ(library.import(files).error().code(), ErrorCode::kNotFound);
    files.mapping = "files: [";
    EXPECT_FALSE(library.import(files).ok());
}

TEST_F(LibraryTransfer, AnExportGivesEverySignalOnceOverPages) {
    auto library = shop(on_disk());
    for (std::uint64_t n = 0; n < 25; ++n) {
        api::SignalWrite view;
        view.id = n % 3 + 1;
        view.signal = "view";
        view.user_id = api::IdInput(n + 1);
        must(library.write(view));
    }
    api::ExportRequest request;
    request.limit = 10;
    std::set<std::string> users;
    for (bool end = false; !end;) {
        const auto page = must(library.export_signals(request));
        for (const auto& signal : page.signals) users.insert(signal.user_id->to_string());
        request.position = page.position;
        end = page.end;
    }
    EXPECT_EQ(users.size(), 25u);
}

TEST_F(LibraryTransfer, AnExperimentSaysWhatCameOfItsArmsAfterReopening) {
    std::string chosen;
    {
        auto library = shop(on_disk());
        must(library.put_experiment("experiment spring version 1 { arm new@1; arm old@1; }"));
        api::FeedCall call;
        call.experiment = "spring";
        call.user_id = api::IdInput(std::uint64_t{7});
        call.log_impressions = true;
        chosen = must(library.feed(call)).profile;
        api::SignalWrite like;
        like.id = std::uint64_t{2};
        like.signal = "like";
        like.user_id = api::IdInput(std::uint64_t{7});
        like.weight = 1.5;
        must(library.write(like));
    }
    auto library = must(Library::open(on_disk()));
    const auto results = must(library.experiment_results({.name = "spring"}));
    ASSERT_EQ(results.arms.size(), 2u);
    for (const api::ArmResults& arm : results.arms) {
        EXPECT_EQ(arm.impressions, arm.profile == chosen ? 3u : 0u) << arm.profile;
        EXPECT_EQ(arm.users, arm.profile == chosen ? 1u : 0u);
        if (arm.profile != chosen) continue;
        EXPECT_EQ(arm.positive, 1u);
        EXPECT_EQ(arm.reward, 0.5);
    }
    EXPECT_EQ(library.experiment_results({.name = "sprung"}).error().code(), ErrorCode::kNotFound);
}

TEST_F(LibraryTransfer, ABackupIsSoundAndItsCopyAnswersTheSame) {
    auto library = shop(on_disk());
    must(library.put_profile("profile own version 1 { score year; }"));
    const auto made = must(library.backup(path("backups/monday")));
    EXPECT_GT(made.files.size(), 2u);
    EXPECT_EQ(library.backup(path("backups/monday")).error().code(), ErrorCode::kConflict);
    EXPECT_TRUE(must(Library::verify_backup(path("backups/monday"))).empty());

    must(Library::restore(path("backups/monday"), path("restored")));
    EXPECT_EQ(Library::restore(path("backups/monday"), path("restored")).error().code(),
              ErrorCode::kConflict);
    auto copy = must(Library::open(on_disk("restored")));
    const auto feed = must(copy.feed({.profile = "own"}));
    ASSERT_EQ(feed.items.size(), 3u);
    EXPECT_EQ(feed.items[0].entity.id.to_string(), "3");

    EXPECT_EQ(Library::verify_backup(path("tuesday")).error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(Library::restore(path("tuesday"), path("other")).error().code(),
              ErrorCode::kNotFound);
    EXPECT_FALSE(fs::exists(path("other")));
    for (const auto& entry : fs::recursive_directory_iterator(path("backups/monday")))
        if (entry.path().extension() == ".log") {
            std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(100);
            file.put('\xff');
        }
    EXPECT_EQ(must(Library::verify_backup(path("backups/monday"))).size(), 1u);
    EXPECT_EQ(Library::restore(path("backups/monday"), path("other")).error().code(),
              ErrorCode::kCorruption);
}

TEST_F(LibraryTransfer, InMemoryThereIsNothingToBackUp) {
    auto library = shop();
    EXPECT_EQ(library.backup(path("b")).error().code(), ErrorCode::kUnsupported);
    EXPECT_FALSE(fs::exists(path("b")));
}

}  // namespace transfer_test
}  // namespace tidal
