// What is personal, through the library: what a user likes, hides, blocks and keeps shapes their
// pages, also after the next open, and goes with them.
#include <gtest/gtest.h>

#include <algorithm>

#include "embed/tests/on_disk.h"
#include "embed/tests/shop.h"

namespace tidal {
namespace personal_test {

using LibraryPersonal = OnDisk;
using record::RelationshipKind;

const api::IdInput kAda(std::uint64_t{7}), kBob(std::uint64_t{8});

/// Six films by studios 101 to 106, called "film 1" to "film 6".
Library films(const OpenOptions& options) {
    Library library = must(Library::open(options));
    for (std::uint64_t id = 1; id <= 6; ++id) {
        api::EntityWrite film;
        film.id = id;
        film.metadata = {{"title", "film " + std::to_string(id)}};
        film.creator_id = std::optional(api::IdInput(100 + id));
        film.created_at_ms = static_cast<UnixMillis>(1'700'000'000'000 + id);
        must(library.write(film));
    }
    return library;
}

void like(Library& library, const api::IdInput& user, std::uint64_t item) {
    api::SignalWrite write;
    write.id = item;
    write.signal = "like";
    write.user_id = user;
    must(library.wait_for(must(library.write(write)).token));
}

void relate(Library& library, RelationshipKind kind, std::uint64_t target, bool ends = false) {
    must(library.write(api::RelationshipWrite{
        .user_id = kAda, .kind = kind, .target = api::IdInput(target), .ends = ends}));
}

std::vector<std::uint64_t> ids(const api::FeedReply& page) {
    std::vector<std::uint64_t> out;
    for (const api::FeedItem& item : page.items) out.push_back(item.entity.id.number());
    return out;
}
std::vector<std::uint64_t> page(Library& library, const std::string& profile,
                                const api::IdInput& user, const std::string& filter = "") {
    api::FeedCall call;
    call.profile = profile;
    call.user_id = user;
    call.filter = filter;
    return ids(must(library.feed(call)));
}
using Ids = std::vector<std::uint64_t>;

std::int64_t likes_of(Library& library, std::uint64_t item) {
    const auto readings = must(library.signals({.id = item}));
    for (const auto& signal : readings.signals)
        if (signal.name == "like")
            return signal.reading.windows[static_cast<std::size_t>(schema::Window::kAll)].count;
    return 0;
}

TEST_F(LibraryPersonal, WhatAUserHidesAndBlocksIsShownToOthersAlone) {
    const auto check = [](Library& library) {
        EXPECT_EQ(page(library, "new", kAda), (Ids{6, 5, 3, 1}));
        EXPECT_EQ(page(library, "new", kBob), (Ids{6, 5, 4, 3, 2, 1}));
        EXPECT_EQ(page(library, "new", kAda, "saved OR followed"), (Ids{5, 3}));
        EXPECT_EQ(page(library, "following", kAda), (Ids{5}));
        EXPECT_EQ(ids(must(library.query("SEARCH items FOR 'film' FOR USER 7"))).size(), 4u);
        const auto suggested = must(library.suggest({.query = "film", .user_id = kAda}));
        EXPECT_EQ(suggested.suggestions.size(), 4u);
        EXPECT_EQ(must(library.suggest({.query = "film", .limit = 5})).suggestions.size(), 5u);
        const auto all = must(library.relationships({.user_id = kAda}));
        EXPECT_EQ(all.relationships.size(), 4u);
        EXPECT_FALSE(all.more);
        const auto blocks =
            must(library.relationships({.user_id = kAda, .kind = RelationshipKind::kBlocks}));
        ASSERT_EQ(blocks.relationships.size(), 1u);
        EXPECT_EQ(blocks.relationships[0].target.number(), 104u);
        EXPECT_GT(blocks.relationships[0].since_ms, 0);
    };
    {
        auto library = films(on_disk());
        relate(library, RelationshipKind::kHides, 2);
        relate(library, RelationshipKind::kBlocks, 104);
        relate(library, RelationshipKind::kSaves, 3);
        relate(library, RelationshipKind::kFollows, 105);
        check(library);
        const api::RelationshipWrite hates_nobody{
            .user_id = kAda, .kind = RelationshipKind::kHides, .target = std::uint64_t{99}};
        EXPECT_EQ(library.write(hates_nobody).error().reason(), "unknown_item");
    }
    auto library = must(Library::open(on_disk()));
    check(library);
    relate(library, RelationshipKind::kHides, 2, true);
    relate(library, RelationshipKind::kBlocks, 104, true);
    EXPECT_EQ(page(library, "new", kAda).size(), 6u);
}

TEST_F(LibraryPersonal, LikesMakeAPageAndGoWithTheirUser) {
    {
        auto library = films(on_disk());
        for (std::uint64_t user = 20; user < 24; ++user) {
            like(library, user, 1);
            like(library, user, 2);
        }
        like(library, kBob, 5);
        const Ids before = page(library, "for_you", kAda);
        like(library, kAda, 1);
        const Ids after = page(library, "for_you", kAda);
        EXPECT_NE(before, after);
        ASSERT_FALSE(after.empty());
        EXPECT_EQ(after[0], 2u) << "liked together with what Ada likes";
        api::FeedCall call;
        call.profile = "for_you";
        call.user_id = kAda;
        call.explain = true;
        const auto explained = must(library.feed(call));
        const auto& terms = explained.items.at(0).explain->terms;
        const auto together = std::find_if(terms.begin(), terms.end(), [](const auto& term) {
            return term.text == "(1 - gap) * co_engagement";
        });
        ASSERT_NE(together, terms.end());
        EXPECT_GT(together->value, 0);
    }
    auto library = must(Library::open(on_disk()));
    EXPECT_EQ(page(library, "for_you", kAda).at(0), 2u);
    EXPECT_EQ(page(library, "new", kAda, "liked"), (Ids{1}));
    EXPECT_EQ(likes_of(library, 1), 5);
    api::EntityWrite ada;
    ada.kind = EntityKind::kUser;
    ada.id = kAda;
    must(library.write(ada));
    must(library.write(api::EntityDelete{.kind = EntityKind::kUser, .id = kAda}));
    EXPECT_EQ(page(library, "new", kAda, "liked"), Ids{});
    EXPECT_NE(page(library, "for_you", kAda).at(0), 2u);
    EXPECT_EQ(library.get({.kind = EntityKind::kUser, .id = kAda}).error().reason(),
              "unknown_user");
    EXPECT_EQ(likes_of(library, 1), 5) << "totals stay";
}

TEST_F(LibraryPersonal, BudgetsThatNoLogTakesAreRefusedAndTheDirectoryOpens) {
    { films(on_disk()); }
    for (const std::uint64_t bytes : {std::uint64_t{0}, (std::uint64_t{1} << 50) + 1}) {
        OpenOptions options = on_disk();
        options.memory.cohorts = bytes;
        const auto refused = Library::open(options);
        ASSERT_FALSE(refused.ok()) << bytes;
        EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
        EXPECT_EQ(refused.error().field(), "memory");
    }
    Library library = must(Library::open(on_disk()));
    EXPECT_EQ(page(library, "new", kAda).size(), 6u);
}

TEST_F(LibraryPersonal, SearchesThatAUserKeeps) {
    const auto keep = [](Library& library, std::optional<std::string> query, bool looked = false) {
        return library.write(api::SavedSearchWrite{
            .user_id = kAda, .name = "films", .query = std::move(query), .looked = looked});
    };
    {
        auto library = films(on_disk());
        must(keep(library, "SEARCH items FOR 'film' LIMIT 3"));
        EXPECT_EQ(keep(library, "SUGGEST 'film'").error().code(), ErrorCode::kInvalidArgument);
        relate(library, RelationshipKind::kHides, 6);
    }
    auto library = must(Library::open(on_disk()));
    const auto kept = must(library.saved_searches(kAda));
    ASSERT_EQ(kept.size(), 1u);
    EXPECT_EQ(kept[0].name, "films");
    EXPECT_EQ(kept[0].looked_ms, kept[0].saved_ms);
    EXPECT_TRUE(must(library.saved_searches(kBob)).empty());
    const auto found =
        must(library.run_saved_search({.user_id = kAda, .name = "films", .limit = 20}));
    EXPECT_EQ(found.items.size(), 5u) << "without what is hidden";
    EXPECT_EQ(must(library.run_saved_search({.user_id = kAda, .name = "films"})).items.size(), 3u);
    const api::SavedSearchRequest only_new{.user_id = kAda, .name = "films", .only_new = true};
    EXPECT_TRUE(must(library.run_saved_search(only_new)).items.empty());
    api::EntityWrite film;
    film.id = std::uint64_t{9};
    film.metadata = {{"title", "film 9"}};
    must(library.write(film));
    EXPECT_EQ(ids(must(library.run_saved_search(only_new))), (Ids{9}));
    must(keep(library, std::nullopt, true));
    EXPECT_GT(must(library.saved_searches(kAda)).at(0).looked_ms, kept[0].looked_ms);
    must(keep(library, std::nullopt));
    EXPECT_TRUE(must(library.saved_searches(kAda)).empty());
    EXPECT_EQ(library.run_saved_search(only_new).error().reason(), "unknown_saved_search");
}

TEST_F(LibraryPersonal, CohortsAreReadWhereEnoughIsKnown) {
    {
        auto library = films(on_disk());
        constexpr auto kFrench =
            "cohort french version 1 { tracks like; at_least 2 events; where language = 'fr'; }";
        EXPECT_TRUE(must(library.put_cohort(kFrench)).created);
        EXPECT_FALSE(must(library.put_cohort(kFrench)).created);
        must(
            library.put_cohort("cohort lyon version 1 { parent french; tracks like; at_least 9 "
                               "events; where region = 'lyon'; }"));
        EXPECT_EQ(library.put_cohort("cohort x version 1 { tracks lick; where language = 'x'; }")
                      .error()
                      .reason(),
                  "unknown_signal");
        for (const api::IdInput& id : {kAda, kBob}) {
            api::EntityWrite user;
            user.kind = EntityKind::kUser;
            user.id = id;
            user.metadata = {{"language", "fr"}};
            must(library.write(user));
            like(library, id, 4);
        }
    }
    auto library = must(Library::open(on_disk()));
    EXPECT_EQ(library.cohorts().size(), 2u);
    const auto french = must(library.cohort("french"));
    EXPECT_EQ(french.events_7d, 2);
    EXPECT_EQ(french.cohort.events_min, 2u);
    api::FeedCall call;
    call.profile = "cohort_trending";
    call.cohort = "lyon";
    const auto trending = must(library.feed(call));
    EXPECT_EQ(ids(trending), (Ids{4}));
    EXPECT_TRUE(std::any_of(
        trending.warnings.begin(), trending.warnings.end(), [](const std::string& warning) {
            return warning.find("its parent `french` is read instead") != std::string::npos;
        }));
    EXPECT_EQ(library.retire_cohort("french").error().code(), ErrorCode::kConflict);
    must(library.retire_cohort("lyon"));
    must(library.retire_cohort("french"));
    EXPECT_TRUE(library.cohorts().empty());
    EXPECT_FALSE(library.cohort("french").ok());
}

TEST_F(LibraryPersonal, PoliciesAreKeptAndRetired) {
    {
        auto library = films(on_disk());
        must(library.put_policy("brief", "per_minute 1"));
        EXPECT_EQ(must(library.put_policy("brief", "per_minute 2")).version, 2u);
        EXPECT_FALSE(library.put_policy("brief", "per_hour 2").ok());
    }
    auto library = must(Library::open(on_disk()));
    const auto all = library.policies();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].name, "brief");
    EXPECT_EQ(all[0].version, 2u);
    EXPECT_EQ(all[0].text, "per_minute 2");
    EXPECT_EQ(all[1].name, "default");
    must(library.retire_policy("brief"));
    EXPECT_EQ(library.policies().size(), 1u);
    EXPECT_FALSE(library.retire_policy("brief").ok());
}

}  // namespace personal_test
}  // namespace tidal
