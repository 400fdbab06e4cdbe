// Collections, through the database: what is in each equals a model, through lost power, clean
// stops and deletes, whichever shards are involved.
#include <map>
#include <random>

#include "sim_node.h"

namespace tidal::api {
namespace collections_test {

constexpr std::uint64_t kItems = 20;
constexpr const char* kNames[] = {"staff picks", "later", "jazz"};

constexpr const char* kPicks =
    "profile picks version 1 { candidates collection('staff picks'); score rank(collection); }";

class CollectionsOfDatabase : public testing::TestWithParam<std::uint16_t> {
protected:
    CollectionsOfDatabase() : node_(options()) {}
    static DatabaseOptions options() {
        DatabaseOptions out;
        out.shards = GetParam();
        return out;
    }
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

    static auto told(Database::Done done) {
        return [done = std::move(done)](Result<CatalogReply> reply) mutable {
            done(reply.ok() ? Result<void>() : Result<void>(reply.take_error()));
        };
    }
    Result<void> put(const std::string& name, const std::string& description = "") {
        return node_.wait([&](Database::Done done) {
            node_->put_collection(name, description, told(std::move(done)));
        });
    }
    Result<void> put_profile(const std::string& text) {
        return node_.wait(
            [&](Database::Done done) { node_->put_profile(text, false, told(std::move(done))); });
    }
    Result<void> drop(const std::string& name) {
        return node_.wait(
            [&](Database::Done done) { node_->delete_collection(name, std::move(done)); });
    }
    CollectionMemberWrite member(const std::string& name, std::uint64_t id, double position = 0,
                                 bool ends = false) {
        CollectionMemberWrite write;
        write.collection = name;
        write.id = id;
        write.position = position;
        write.ends = ends;
        return write;
    }
    /// In order, by pages of some items.
    std::vector<std::uint64_t> items_of(const std::string& name, std::uint32_t limit) {
        std::vector<std::uint64_t> out;
        CollectionItemsRequest request{name, limit, {}};
        do {
            const auto page = node_->collection_items(request);
            EXPECT_TRUE(page.ok()) << page.error().to_string();
            if (!page.ok()) return out;
            for (const auto& each : page->items) out.push_back(each.id.number());
            request.cursor = page->next_cursor;
        } while (!request.cursor.empty());
        return out;
    }
    std::vector<std::uint64_t> feed(const FeedCall& call) {
        const auto page = node_->feed(call);
        EXPECT_TRUE(page.ok()) << page.error().to_string();
        std::vector<std::uint64_t> out;
        if (page.ok())
            for (const FeedItem& item : page->items) out.push_back(item.entity.id.number());
        return out;
    }

    using Model = std::map<std::string, std::map<std::uint64_t, double>>;
    static std::vector<std::uint64_t> in_order(const std::map<std::uint64_t, double>& members) {
        std::vector<std::pair<double, std::uint64_t>> sorted;
        for (const auto& [id, position] : members) sorted.emplace_back(position, id);
        std::ranges::sort(sorted);
        std::vector<std::uint64_t> out;
        for (const auto& each : sorted) out.push_back(each.second);
        return out;
    }

    void write_something() {
        const std::string name = kNames[below(3)];
        const std::uint64_t id = 1 + below(kItems);
        const std::uint64_t what = below(20);
        if (what == 0) {
            // The first one is in use by the profile.
            const std::string gone = kNames[1 + below(2)];
            ASSERT_OK(drop(gone));
            ASSERT_OK(put(gone));
            model_[gone].clear();
        } else if (what == 1) {
            EntityDelete gone;
            gone.id = id;
            node_.put(gone);
            node_.put(item(id));
            for (auto& [each, members] : model_) members.erase(id);
        } else if (what < 7) {
            const auto reply = node_.write_one(member(name, id, 0, true));
            ASSERT_EQ(reply.ok(), model_[name].erase(id) == 1);
        } else {
            const double position = static_cast<double>(below(6)) - 2.5;
            node_.put(member(name, id, position));
            model_[name][id] = position;
        }
    }

    void compare() {
        for (const std::string name : kNames) {
            const auto wanted = in_order(model_[name]);
            ASSERT_EQ(items_of(name, 1 + static_cast<std::uint32_t>(below(7))), wanted) << name;
            ASSERT_EQ(node_->collection(name)->items, wanted.size());
            FeedCall call;
            call.profile = "old";
            call.limit = kItems;
            call.filter = "in_collection('" + name + "')";
            auto found = feed(call);
            auto sorted = wanted;
            std::ranges::sort(found);
            std::ranges::sort(sorted);
            ASSERT_EQ(found, sorted) << name;
            call.filter = "NOT in_collection('" + name + "')";
            ASSERT_EQ(feed(call).size(), kItems - wanted.size());
        }
        FeedCall call;
        call.profile = "picks";
        call.limit = kItems;
        ASSERT_EQ(feed(call), in_order(model_[kNames[0]]));
    }

    std::mt19937_64 random_{4711};
    SimNode node_;
    Model model_;
};

TEST_P(CollectionsOfDatabase, EqualAModelThroughRestartsAndDeletes) {
    ASSERT_OK(node_.open());
    for (const char* name : kNames) ASSERT_OK(put(name));
    ASSERT_OK(put_profile(kPicks));
    for (std::uint64_t id = 1; id <= kItems; ++id) node_.put(item(id));
    for (int step = 0; step < 300; ++step) {
        ASSERT_NO_FATAL_FAILURE(write_something());
        if (step % 25 == 24) {
            ASSERT_NO_FATAL_FAILURE(compare());
        }
        if (step % 90 == 50) {
            ASSERT_OK(node_.checkpoint());
        }
        if (step % 60 == 59) {
            ASSERT_OK(node_.crash_and_open());
        }
    }
    ASSERT_NO_FATAL_FAILURE(compare());
}

TEST_P(CollectionsOfDatabase, AreKnownByNameAlone) {
    ASSERT_OK(node_.open());
    node_.put(item(1));
    const auto write = [&](const std::string& name, std::uint64_t id) {
        return node_.write_one(member(name, id));
    };
    EXPECT_EQ(write("staff picks", 1).error().reason(), "unknown_collection");
    ASSERT_OK(put("staff picks", "What we like."));
    EXPECT_EQ(write("staf picks", 1).error().hint(), "did you mean `staff picks`?");
    EXPECT_EQ(write("staff picks", 2).error().code(), ErrorCode::kNotFound) << "no such item";
    EXPECT_EQ(put("").error().reason(), "bad_name");
    EXPECT_EQ(put("a\nb").error().reason(), "bad_name");
    EXPECT_EQ(put(std::string(64, 'x')).error().reason(), "bad_name");
    ASSERT_OK(write("staff picks", 1));

    FeedCall call;
    call.profile = "old";
    call.filter = "in_collection('staff pics')";
    const auto refused = node_->feed(call);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().reason(), "unknown_collection");
    EXPECT_EQ(refused.error().hint(), "did you mean `staff picks`?");
    EXPECT_EQ(put_profile("profile p version 1 { candidates collection(later); score 1; }")
                  .error()
                  .reason(),
              "unknown_collection");
    ASSERT_OK(put_profile(kPicks));
    EXPECT_EQ(drop("staff picks").error().reason(), "collection_in_use");

    ASSERT_OK(put("staff picks", "Described anew."));
    EXPECT_EQ(node_->collection("staff picks")->items, 1u) << "what is in it stays";
    EXPECT_EQ(node_->collection("staff picks")->collection.description, "Described anew.");
    ASSERT_OK(node_.wait([&](Database::Done done) {
        node_->retire(record::CatalogKind::kProfile, "picks", std::move(done));
    }));
    ASSERT_OK(drop("staff picks"));
    EXPECT_EQ(drop("staff picks").error().reason(), "unknown_collection");
    ASSERT_OK(put("staff picks"));
    EXPECT_EQ(node_->collection("staff picks")->items, 0u) << "one made anew is empty";
    ASSERT_OK(node_.crash_and_open());
    EXPECT_EQ(node_->collections()->all().size(), 1u);
    CollectionItemsRequest request{"staff picks", 0, {}};
    EXPECT_EQ(node_->collection_items(request).error().field(), "limit");
    request = {"staff picks", 1, "x"};
    EXPECT_EQ(node_->collection_items(request).error().reason(), "invalid_cursor");
}

TEST_P(CollectionsOfDatabase, WhatAShardDidNotForgetGoesAtTheNextStart) {
    ASSERT_OK(node_.open());
    for (std::uint64_t id = 1; id <= kItems; ++id) node_.put(item(id));
    ASSERT_OK(put("later"));
    for (std::uint64_t id = 1; id <= kItems; ++id) node_.put(member("later", id));
    // The name goes, and with it nothing: as if the node had died in between.
    ASSERT_OK(node_.wait([&](Database::Done done) {
        node_->retire(record::CatalogKind::kCollection, "later", std::move(done));
    }));
    const auto rows = [&] {
        std::uint64_t out = 0;
        for (const auto& shard : node_->stats().shards) out += shard.collection_members;
        return out;
    };
    EXPECT_EQ(rows(), kItems);
    ASSERT_OK(node_.crash_and_open());
    EXPECT_TRUE(node_.world().run_until([&] { return rows() == 0; }));
}

/// Two calls at once: the second is checked while the first is on its way into the log.
class CollectionRaces : public CollectionsOfDatabase {
protected:
    /// So many that dropping them takes each shard several records.
    static constexpr std::uint64_t kMany = 1'300;
    using Answer = std::optional<Result<void>>;

    void fill(const std::string& name) {
        constexpr std::uint64_t kAtOnce = 50;  // A batch is at most a file of the log.
        std::vector<Write> items, members;
        for (std::uint64_t id = 1; id <= kMany * GetParam(); ++id) {
            items.emplace_back(item(id));
            members.emplace_back(member(name, id, static_cast<double>(id)));
            if (id % kAtOnce != 0) continue;
            for (const auto& reply : node_.write(std::exchange(items, {}))) ASSERT_OK(reply);
            for (const auto& reply : node_.write(std::exchange(members, {}))) ASSERT_OK(reply);
        }
    }
    auto kept(Answer* answer) {
        return [answer](Result<void> result) { answer->emplace(std::move(result)); };
    }
    void until(const Answer& answer) {
        ASSERT_TRUE(node_.world().run_until([&] { return answer.has_value(); }));
    }
    std::uint64_t rows() {
        std::uint64_t out = 0;
        for (const auto& shard : node_->stats().shards) out += shard.collection_members;
        return out;
    }

    Answer put_, deleted_;
};

TEST_P(CollectionRaces, OneDescribedBehindItsDeletionIsAnotherOne) {
    ASSERT_OK(node_.open());
    for (const std::string description : {"What we like.", "Described anew."}) {
        SCOPED_TRACE(description);
        ASSERT_OK(put("later", "What we like."));
        ASSERT_NO_FATAL_FAILURE(fill("later"));
        put_.reset();
        deleted_.reset();
        node_->delete_collection("later", kept(&deleted_));
        node_->put_collection("later", description, told(kept(&put_)));
        ASSERT_NO_FATAL_FAILURE(until(put_));
        ASSERT_OK(*put_);
        // The last that the deletion comes to.
        const std::uint64_t last = kMany * GetParam();
        ASSERT_OK(node_.write_one(member("later", last)));
        ASSERT_NO_FATAL_FAILURE(until(deleted_));
        ASSERT_OK(*deleted_);
        node_.rest();
        EXPECT_EQ(items_of("later", 1000), std::vector<std::uint64_t>{last});
        ASSERT_OK(node_.crash_and_open());
        EXPECT_TRUE(node_.world().run_until([&] { return rows() == 1; }));
        EXPECT_EQ(items_of("later", 1000), std::vector<std::uint64_t>{last});
        ASSERT_OK(drop("later"));
    }
}

TEST_P(CollectionRaces, OneDescribedAheadOfItsDeletionIsDeleted) {
    ASSERT_OK(node_.open());
    ASSERT_OK(put("later", "What we like."));
    ASSERT_NO_FATAL_FAILURE(fill("later"));
    node_->put_collection("later", "Described anew.", told(kept(&put_)));
    node_->delete_collection("later", kept(&deleted_));
    ASSERT_NO_FATAL_FAILURE(until(put_));
    ASSERT_NO_FATAL_FAILURE(until(deleted_));
    ASSERT_OK(*put_);
    ASSERT_OK(*deleted_);
    const auto found = node_->collection("later");
    ASSERT_FALSE(found.ok()) << "deleted, and there with " << found->items << " items";
    EXPECT_EQ(found.error().reason(), "unknown_collection");
    EXPECT_TRUE(node_.world().run_until([&] { return rows() == 0; }));
}

TEST_P(CollectionRaces, OneIsDeletedOrNamedByAProfile) {
    ASSERT_OK(node_.open());
    ASSERT_OK(put("first"));
    ASSERT_OK(put("second"));
    node_->put_profile("profile p version 1 { candidates collection(first); score 1; }", false,
                       told(kept(&put_)));
    node_->delete_collection("first", kept(&deleted_));
    ASSERT_NO_FATAL_FAILURE(until(put_));
    ASSERT_NO_FATAL_FAILURE(until(deleted_));
    ASSERT_OK(*put_);
    ASSERT_FALSE(deleted_->ok());
    EXPECT_EQ(deleted_->error().reason(), "collection_in_use");

    put_.reset();
    deleted_.reset();
    node_->delete_collection("second", kept(&deleted_));
    node_->put_profile("profile q version 1 { candidates collection(second); score 1; }", false,
                       told(kept(&put_)));
    ASSERT_NO_FATAL_FAILURE(until(put_));
    ASSERT_NO_FATAL_FAILURE(until(deleted_));
    ASSERT_OK(*deleted_);
    ASSERT_FALSE(put_->ok());
    EXPECT_EQ(put_->error().reason(), "unknown_collection");
}

INSTANTIATE_TEST_SUITE_P(Shards, CollectionRaces, testing::Values(1, 4));
INSTANTIATE_TEST_SUITE_P(Shards, CollectionsOfDatabase, testing::Values(1, 4));

}  // namespace collections_test
}  // namespace tidal::api
