// Pages by cursor past what a token holds, while scores move: nothing comes twice, and where the
// list of what was shown is not kept, that is said.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "api/tests/sim_node.h"

namespace tidal::api {
namespace long_walk_test {

constexpr std::uint64_t kItems = 2'300, kUsers = 40, kAda = 1;

class LongWalk : public testing::Test {
protected:
    LongWalk() : node_(options()) { node_.options().log.file_bytes = 4 << 20; }
    static DatabaseOptions options() {
        DatabaseOptions out;
        out.shards = 2;
        return out;
    }

    void SetUp() override {
        ASSERT_OK(node_.open());
        std::vector<Write> writes;
        for (std::uint64_t id = 1; id <= kItems; ++id) {
            writes.emplace_back(item(id, 100 + id % 50));
            EmbeddingWrite vector;
            vector.id = id;
            for (int d = 0; d < 4; ++d)
                vector.values.push_back(static_cast<double>(1 + random_() % 100));
            writes.emplace_back(vector);
        }
        for (int n = 0; n < 3'000; ++n) writes.emplace_back(event(of_somebody()));
        for (int n = 0; n < 20; ++n) writes.emplace_back(event(kAda));
        for (const auto& reply : node_.write(std::move(writes)))
            ASSERT_TRUE(reply.ok()) << reply.error().to_string();
        node_.rest();
    }

    std::uint64_t of_somebody() { return kAda + 1 + random_() % kUsers; }
    SignalWrite event(std::uint64_t user) {
        const char* const signals[] = {"view", "like", "share"};
        const std::uint64_t id = 1 + random_() % kItems;
        SignalWrite write = signal(id, signals[random_() % 3]);
        write.user_id = IdInput(user);
        return write;
    }
    /// Of others than Ada.
    void move_scores() {
        std::vector<Write> writes;
        for (int n = 0; n < 60; ++n) writes.emplace_back(event(of_somebody()));
        for (const auto& reply : node_.write(std::move(writes)))
            ASSERT_TRUE(reply.ok()) << reply.error().to_string();
    }

    static FeedCall call(const std::string& profile, std::uint32_t limit = 100) {
        FeedCall out;
        out.profile = profile;
        out.limit = limit;
        out.fields.emplace();
        return out;
    }
    struct Walk {
        std::set<EntityId> shown;
        FeedCall next;      ///< For the page behind the last.
        std::string error;  ///< Why there is none; empty = it was the last, or enough.
    };
    /// Until there is no page, or so many were shown.
    Walk walk(FeedCall call, std::size_t enough = kItems + 1) {
        Walk out{.shown = {}, .next = std::move(call), .error = {}};
        while (out.shown.size() < enough) {
            const auto page = node_->feed(out.next);
            if (!page.ok()) {
                out.error = page.error().reason();
                EXPECT_EQ(page.error().code(), ErrorCode::kGone) << page.error().to_string();
                return out;
            }
            for (const FeedItem& shown : page->items)
                EXPECT_TRUE(out.shown.insert(shown.entity.id).second)
                    << shown.entity.id.to_string() << " comes twice, at " << shown.rank;
            if (page->next_cursor.empty()) return out;
            out.next.cursor = page->next_cursor;
            move_scores();
        }
        return out;
    }

    std::mt19937_64 random_{7};
    SimNode node_;
};

TEST_F(LongWalk, OfAScanEndsAtTwoThousand) {
    const Walk all = walk(call("most_viewed"));
    EXPECT_EQ(all.shown.size(), 2'000u);
    EXPECT_EQ(all.error, "cursor_exhausted");
    const Walk odd = walk(call("trending", 170));
    EXPECT_EQ(odd.shown.size(), 12u * 170) << "the page that reaches 2,000 is whole";
    EXPECT_EQ(odd.error, "cursor_exhausted");
}

TEST_F(LongWalk, OfTextsAndVectorsAndWhatIsPopularEndsThereToo) {
    ASSERT_OK(node_.wait([&](Database::Done done) {
        node_->put_profile(
            "profile mixed version 1 { candidates union(text(query) limit 2000, ann(default, "
            "vector) limit 2000, popular limit 2000); score fused + log1p(positive(all)) / 100; }",
            false, [done = std::move(done)](auto reply) mutable {
                done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
            });
    }));
    FeedCall mixed = call("mixed");
    mixed.query = "title";
    mixed.vector = {1, 2, 3, 4};
    const Walk all = walk(std::move(mixed));
    EXPECT_EQ(all.shown.size(), 2'000u);
    EXPECT_EQ(all.error, "cursor_exhausted");
}

TEST_F(LongWalk, ForAUserEndsWithItsLists) {
    FeedCall mine = call("for_you", 30);
    mine.user_id = IdInput(kAda);
    const Walk all = walk(std::move(mine));
    EXPECT_GT(all.shown.size(), 200u);
    EXPECT_EQ(all.error, "");
}

TEST_F(LongWalk, WhatWasShownIsKeptForTenMinutes) {
    const Walk in_token = walk(call("most_viewed"), 1'000), kept = walk(call("most_viewed"), 1'100);
    EXPECT_TRUE(node_->feed(kept.next).ok());
    node_.world().advance(601 * kSecondNs);
    EXPECT_EQ(node_->feed(kept.next).error().reason(), "cursor_gone");
    EXPECT_TRUE(node_->feed(in_token.next).ok());
}

/// Else the page would leave out what the other sequence has shown, and repeat.
TEST_F(LongWalk, AfterARestartAHandleStandsForNoOtherSequence) {
    const Walk before = walk(call("most_viewed"), 1'100);
    ASSERT_OK(node_.crash_and_open());
    FeedCall other = call("most_liked");
    other.seed = 3;
    const Walk after = walk(std::move(other), 1'100);
    EXPECT_TRUE(node_->feed(after.next).ok());
    const auto page = node_->feed(before.next);
    ASSERT_FALSE(page.ok()) << "a page of " << page->items.size();
    EXPECT_EQ(page.error().reason(), "cursor_gone");
}

}  // namespace long_walk_test
}  // namespace tidal::api
