// A user is erased in one step at home, and by rows of the relay everywhere else, behind all that
// was sent before.
#include "shard/tests/state_fixture.h"

namespace tidal::shard {
namespace erase_user_test {

/// The first vshards of three more shards.
const std::vector<VShard> kOthers{VShard(kOwnedEnd), VShard(700), VShard(900)};

EntityId user_where(bool owned) {
    for (int i = 0;; ++i) {
        EntityId id("user " + std::to_string(i));
        const VShard vshard = record::vshard_of(kDefaultTenant, EntityKind::kUser, id);
        if ((vshard.value() < kOwnedEnd) == owned) return id;
    }
}
std::uint64_t item_elsewhere() {
    for (std::uint64_t id = 1;; ++id)
        if (record::vshard_of(kDefaultTenant, EntityKind::kItem, EntityId(id)).value() >= kOwnedEnd)
            return id;
}

class EraseUser : public testing::Test {
protected:
    Outcome erase(std::optional<HybridTime> if_match = {}) {
        return shard_.apply(record::EraseUserBody{ada_, if_match, kOthers});
    }
    Outcome upsert() {
        record::UpsertBody body;
        body.kind = EntityKind::kUser;
        body.id = ada_;
        return shard_.apply(std::move(body));
    }
    /// A session of hers likes an item of another shard.
    void like_in_session(std::uint64_t item, const std::string& key = {}) {
        const VShard home = record::vshard_of(kDefaultTenant, EntityKind::kUser, ada_);
        record::SessionBody opens;
        opens.user = ada_;
        opens.session = (77ULL << 10) + home.value();
        shard_.apply(opens);
        ASSERT_TRUE(shard_.apply(record::SessionSignalBody{opens.session, like(item)}, key).ok());
    }
    std::vector<VShard> targets() {
        std::vector<VShard> out;
        for (const auto& [target, rows] : shard_.state().outbox().streams())
            if (rows.back().effect == record::RelayEffect::kErasure && rows.back().target == ada_)
                out.push_back(target);
        return out;
    }
    bool holds(std::uint64_t item) {
        const auto liked = shard_.state().user_states().names().find("liked");
        const auto slot = shard_.state().entities(EntityKind::kItem).find(EntityId(item));
        return shard_.state().user_states().holds(ada_, *liked, *slot);
    }

    OneShard shard_;
    EntityId ada_ = user_where(true);
};

TEST_F(EraseUser, TellsEveryOtherShardInTheSameStep) {
    upsert();
    const Outcome erased = erase();
    ASSERT_TRUE(erased.ok()) << erased.refused->to_string();
    EXPECT_EQ(targets(), kOthers);
    ASSERT_EQ(erased.relayed.size(), kOthers.size()) << "a token waits for them";
    for (std::size_t i = 0; i < kOthers.size(); ++i) {
        EXPECT_EQ(erased.relayed[i].target, kOthers[i]);
        EXPECT_EQ(erased.relayed[i].sequence, 1u);
    }
    shard_.restart();
    EXPECT_EQ(targets(), kOthers) << "replayed";
    shard_.checkpoint();
    shard_.reopen();
    EXPECT_EQ(targets(), kOthers) << "out of a checkpoint";
}

TEST_F(EraseUser, ComesBehindWhatSessionsHaveOnTheWay) {
    for (const std::string key : {"", "a key"}) {
        SCOPED_TRACE("with `" + key + "`");
        const std::uint64_t item = item_elsewhere();
        const VShard at = record::vshard_of(kDefaultTenant, EntityKind::kItem, EntityId(item));
        like_in_session(item, key);
        ASSERT_TRUE(erase().ok());
        const auto& rows = shard_.state().outbox().streams().at(at);
        ASSERT_GE(rows.size(), 2u);
        const record::RelayRow& sent = *(rows.end() - 2);
        EXPECT_EQ(sent.effect,
                  key.empty() ? record::RelayEffect::kSignal : record::RelayEffect::kKeyedSignal);
        EXPECT_EQ(rows.back().effect, record::RelayEffect::kErasure);
        EXPECT_EQ(rows.back().sequence, sent.sequence + 1);
        EXPECT_EQ(targets().size(), kOthers.size() + 1);
    }
}

TEST_F(EraseUser, WhomOnlySignalsNameIsErasedToo) {
    shard_.upsert(1);
    record::SignalBody body = like(1);
    body.user = ada_;
    shard_.apply(body);
    ASSERT_TRUE(holds(1));
    EXPECT_TRUE(erase().ok());
    EXPECT_FALSE(holds(1));
    EXPECT_FALSE(shard_.state().tastes().find(ada_)->parts().creators.size() > 0);
    EXPECT_TRUE(erase().ok()) << "twice is as once";
}

TEST_F(EraseUser, AVersionThatIsNotThereLeavesEverything) {
    shard_.upsert(1);
    record::SignalBody body = like(1);
    body.user = ada_;
    shard_.apply(body);
    const Outcome unknown = erase(HybridTime::from_bits(77));
    ASSERT_FALSE(unknown.ok());
    EXPECT_EQ(unknown.refused->reason(), "unknown_user");
    const Outcome made = upsert();
    const Outcome other = erase(HybridTime::from_bits(77));
    ASSERT_FALSE(other.ok());
    EXPECT_EQ(other.refused->code(), ErrorCode::kPreconditionFailed);
    EXPECT_TRUE(holds(1));
    EXPECT_TRUE(targets().empty());
    EXPECT_TRUE(erase(made.version).ok());
    EXPECT_FALSE(holds(1));
}

TEST_F(EraseUser, OfAnotherShardIsRefused) {
    ada_ = user_where(false);
    const Outcome refused = erase();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.refused->reason(), "wrong_shard");
}

TEST_F(EraseUser, ARowErasesStatesAndFriendsAndIsAppliedOnce) {
    ada_ = user_where(false);
    const EntityId bob = user_where(true);
    shard_.upsert(1);
    record::SignalBody body = like(1);
    body.user = ada_;
    shard_.apply(body);
    shard_.apply(record::RelationshipBody{record::RelationshipKind::kFriends, false, bob, ada_});
    record::RelayRow row;
    row.sequence = 1;
    row.effect = record::RelayEffect::kErasure;
    row.target = ada_;
    const record::RelayBody rows{kOther, Incarnation(1), VShard(0), {row}};
    EXPECT_EQ(shard_.apply(rows).mark, 1u);
    EXPECT_FALSE(holds(1));
    const auto& friends =
        shard_.state().relationships().of(bob, record::RelationshipKind::kFriends);
    EXPECT_TRUE(friends.empty());
    shard_.apply(body);
    EXPECT_EQ(shard_.apply(rows).mark, 1u);
    EXPECT_TRUE(holds(1)) << "who came back meanwhile keeps what is new";
}

TEST_F(EraseUser, ALikeOfTheSameMillisecondElsewhereStaysForgotten) {
    const VShard home = record::vshard_of(kDefaultTenant, EntityKind::kUser, ada_);
    erase();
    const HybridTime erased = shard_.stamper.last();
    record::RelayRow row;
    row.sequence = 1;
    row.effect = record::RelayEffect::kTaste;
    row.target = ada_;
    row.signal = kLike;
    row.weight = record::kWeightOne;
    row.item = EntityId(9);
    row.creator = EntityId("nina");
    row.stamp = HybridTime::from(erased.wall_ms(), 500);
    shard_.apply(record::RelayBody{kOther, Incarnation(1), home, {row}});
    EXPECT_EQ(shard_.state().tastes().find(ada_)->parts().creators.size(), 0u);
    row.sequence = 2;
    row.stamp = HybridTime::from(erased.wall_ms() + 1, 0);
    shard_.apply(record::RelayBody{kOther, Incarnation(1), home, {row}});
    EXPECT_EQ(shard_.state().tastes().find(ada_)->parts().creators.size(), 1u) << "made anew";
}

/// A log of before: a record in every shard, and rows for none.
TEST_F(EraseUser, RecordsOfBeforeApplyAsTheyDid) {
    const auto remove = [&] {
        return shard_.apply(record::DeleteBody{EntityKind::kUser, ada_, {}});
    };
    EXPECT_FALSE(remove().ok()) << "nobody of that name";
    upsert();
    EXPECT_TRUE(remove().ok());
    EXPECT_EQ(shard_.state().tastes().erased(ada_), shard_.stamper.last());
    EXPECT_TRUE(shard_.state().outbox().streams().empty());
}

}  // namespace erase_user_test
}  // namespace tidal::shard
