// Sessions, collections and what was shown, through the library, also after the next open.
#include <gtest/gtest.h>

#include "embed/tests/on_disk.h"
#include "embed/tests/shop.h"

namespace tidal {
namespace sessions_test {

using LibrarySessions = OnDisk;
using LibraryCollections = OnDisk;
using LibraryExport = OnDisk;

api::SignalWrite signal(const std::string& name, std::uint64_t user, std::uint64_t item) {
    api::SignalWrite write;
    write.signal = name;
    write.user_id = api::IdInput(user);
    write.id = item;
    return write;
}

TEST_F(LibrarySessions, OneGoesOnAfterTheNextOpenUntilItIsClosed) {
    std::uint64_t id = 0;
    {
        auto library = shop(on_disk());
        EXPECT_TRUE(must(library.put_policy("brief", "per_minute 1\nburst 2\n")).created);
        api::SessionOpen open{
            .user_id = api::IdInput(std::uint64_t{7}), .agent = "helper", .policy = "brief"};
        id = must(library.open_session(open)).id;
        open.policy = "bref";
        EXPECT_EQ(library.open_session(open).error().code(), ErrorCode::kUnknownName);
        api::SignalWrite like = signal("like", 7, 2);
        like.session_id = std::to_string(id);
        like.sequence = 1;
        must(library.write(like));
        must(library.annotate_session({.session = id, .annotations = {{"goal", "laugh"}}}));
    }
    auto library = must(Library::open(on_disk()));
    const auto session = must(library.session(id));
    EXPECT_EQ(session.agent, "helper");
    EXPECT_EQ(session.policy, "brief@1");
    EXPECT_EQ(session.last_sequence, 1u);
    ASSERT_EQ(session.liked.size(), 1u);
    EXPECT_EQ(session.liked[0].number(), 2u);
    ASSERT_EQ(session.annotations.size(), 1u);
    EXPECT_EQ(session.annotations[0].second, "laugh");
    EXPECT_EQ(must(library.sessions(api::IdInput(std::uint64_t{7}))).size(), 1u);
    api::SignalWrite like = signal("like", 7, 3);
    like.session_id = std::to_string(id);
    like.idempotency_key = "third";
    must(library.write(like));
    EXPECT_EQ(must(library.session(id)).liked.size(), 2u);
    const api::SignalUndo undo{std::uint64_t{3}, "third", {}, like.session_id};
    EXPECT_FALSE(must(library.write(undo)).repeated);
    EXPECT_TRUE(must(library.write(undo)).repeated);
    EXPECT_EQ(must(library.session(id)).liked.size(), 1u);
    like.idempotency_key.clear();
    EXPECT_EQ(library.write(like).error().code(), ErrorCode::kOverloaded)
        << "two at once, and both are spent";
    EXPECT_FALSE(must(library.close_session(id)).repeated);
    EXPECT_TRUE(must(library.close_session(id)).repeated);
    EXPECT_EQ(library.write(like).error().code(), ErrorCode::kGone);
    EXPECT_EQ(library.session(id + 1).error().code(), ErrorCode::kNotFound);
}

TEST_F(LibraryCollections, MembersKeepTheirOrderAfterTheNextOpen) {
    {
        auto library = shop(on_disk());
        EXPECT_TRUE(must(library.put_collection("front", "what editors like")).created);
        must(library.write(api::CollectionMemberWrite{
            .collection = "front", .id = std::uint64_t{3}, .position = 1}));
        must(library.write(api::CollectionMemberWrite{
            .collection = "front", .id = std::uint64_t{1}, .position = 2}));
        EXPECT_EQ(
            library.write(api::CollectionMemberWrite{.collection = "frunt", .id = std::uint64_t{1}})
                .error()
                .code(),
            ErrorCode::kNotFound);
    }
    auto library = must(Library::open(on_disk()));
    ASSERT_EQ(must(library.collections()).size(), 1u);
    EXPECT_EQ(must(library.collections())[0].items, 2u);
    const auto items = must(library.collection_items({.name = "front"}));
    ASSERT_EQ(items.items.size(), 2u);
    EXPECT_EQ(items.items[0].id.number(), 3u);
    EXPECT_EQ(items.items[1].id.number(), 1u);
    EXPECT_EQ(
        must(library.query("RETRIEVE items USING new WHERE in_collection('front')")).items.size(),
        2u);
    must(library.write(
        api::CollectionMemberWrite{.collection = "front", .id = std::uint64_t{3}, .ends = true}));
    EXPECT_EQ(must(library.collection_items({.name = "front"})).items.size(), 1u);
    must(library.delete_collection("front"));
    EXPECT_EQ(library.collection_items({.name = "front"}).error().code(), ErrorCode::kNotFound);
}

TEST_F(LibraryExport, WhatWasShownComesWithWhatItsUserDid) {
    auto library = shop(on_disk());
    api::FeedCall call;
    call.profile = "new";
    call.user_id = api::IdInput(std::uint64_t{7});
    call.log_impressions = true;
    const auto page = must(library.feed(call));
    ASSERT_EQ(page.items.size(), 3u);
    must(library.write(signal("like", 7, page.items[1].entity.id.number())));
    const auto shown = must(library.export_shown({}));
    ASSERT_EQ(shown.items.size(), 3u);
    EXPECT_TRUE(shown.end);
    double reward = 0;
    for (const auto& item : shown.items) reward += item.reward;
    EXPECT_EQ(reward, 1);
    EXPECT_EQ(must(library.export_shown({.user_id = api::IdInput(std::uint64_t{8})})).items.size(),
              0u);
}

}  // namespace sessions_test
}  // namespace tidal
