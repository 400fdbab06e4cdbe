// A signal of a session that is taken back: judged once in its user's shard, by its key; carried to
// its item's, where everything goes that came of it there.
#include "shard/tests/state_fixture.h"

namespace tidal::shard {
namespace session_undo_test {

EntityId user_here() {
    for (int i = 0;; ++i) {
        EntityId id("user " + std::to_string(i));
        const VShard vshard = record::vshard_of(kDefaultTenant, EntityKind::kUser, id);
        if (vshard.value() < kOwnedEnd) return id;
    }
}
VShard home_of(std::uint64_t item) {
    return record::vshard_of(kDefaultTenant, EntityKind::kItem, EntityId(item));
}
std::uint64_t item_where(bool owned, std::uint64_t from = 1) {
    while ((home_of(from).value() < kOwnedEnd) != owned) ++from;
    return from;
}

class SessionUndo : public testing::Test {
protected:
    SessionUndo() {
        record::SessionBody opens;
        opens.user = ada_;
        opens.session = session_;
        opens.limits.burst = 4;
        opens.limits.per_minute = 1;
        EXPECT_TRUE(shard_.apply(opens).ok());
        shard_.upsert(here_, creator_where(true, 0));
    }
    Outcome send(const record::SignalBody& body, const std::string& key,
                 std::uint64_t sequence = 0) {
        record::Record record =
            shard_.stamper.stamp(record::SessionSignalBody{session_, body}, key);
        record.envelope.session_sequence = sequence;
        record.envelope.cohorts = {CohortId(4)};
        return shard_.apply(record);
    }
    Outcome undo(std::uint64_t item, const std::string& key) {
        return shard_.apply(
            record::SessionUndoBody{session_, EntityKind::kItem, EntityId(item), key});
    }
    std::string reason(const Outcome& outcome) {
        return outcome.ok() ? outcome.repeated ? "repeated" : ""
                            : std::string(outcome.refused->reason());
    }
    audience::Session session() { return *shard_.state().sessions().get(session_); }
    bool holds(const EntityId& user, std::uint64_t item, const std::string& state = "liked") {
        const auto id = shard_.state().user_states().names().find(state);
        const auto slot = shard_.state().entities(EntityKind::kItem).find(EntityId(item));
        return slot && shard_.state().user_states().holds(user, *id, *slot);
    }
    std::int64_t in_cohort(std::uint64_t item) {
        const auto slot = shard_.state().entities(EntityKind::kItem).find(EntityId(item));
        audience::CohortLedgers::Sum sum;
        shard_.state().cohorts().read(CohortId(4), kLike, schema::Window::k24h, {&*slot, 1},
                                      shard_.stamper.last().wall_ms(), {&sum, 1});
        return sum.count;
    }
    std::vector<record::RelayRow> rows_to(VShard target) {
        const auto& streams = shard_.state().outbox().streams();
        const auto found = streams.find(target);
        if (found == streams.end()) return {};
        return {found->second.begin(), found->second.end()};
    }

    OneShard shard_;
    const EntityId ada_ = user_here();
    const std::uint64_t session_ =
        (77ULL << 10) + record::vshard_of(kDefaultTenant, EntityKind::kUser, ada_).value();
    const std::uint64_t here_ = item_where(true), elsewhere_ = item_where(false);
};

TEST_F(SessionUndo, TakesBackAllThatCameOfTheSignal) {
    ASSERT_EQ(reason(send(like(here_, 24), "key", 3)), "");
    ASSERT_TRUE(holds(ada_, here_));
    ASSERT_EQ(in_cohort(here_), 1);
    const std::uint64_t tokens = session().units;
    shard_.checkpoint();
    shard_.restart();
    const Outcome first = undo(here_, "key");
    ASSERT_EQ(reason(first), "");
    EXPECT_EQ(shard_.total(EntityKind::kItem, EntityId(here_), kLike).sum, 0);
    EXPECT_EQ(shard_.count(here_), 0);
    EXPECT_EQ(shard_.count(creator_where(true, 0)), 0);
    EXPECT_FALSE(holds(ada_, here_));
    EXPECT_EQ(in_cohort(here_), 0);
    EXPECT_TRUE(shard_.state().tastes().find(ada_)->parts().positives.empty());
    const audience::Session after = session();
    EXPECT_TRUE(after.likes.empty());
    EXPECT_TRUE(after.counts.empty());
    EXPECT_EQ(after.reward, 0);
    EXPECT_EQ(after.units, tokens) << "nothing is refunded";
    EXPECT_EQ(after.last_sequence, 3u);
    shard_.restart();
    const Outcome second = undo(here_, "key");
    EXPECT_EQ(reason(second), "repeated") << "also after a restart";
    EXPECT_EQ(second.index, first.index);
    EXPECT_EQ(shard_.count(here_), 0);
    EXPECT_EQ(reason(send(like(here_, 24), "key", 4)), "repeated") << "its key still answers";
    EXPECT_EQ(reason(send(like(here_, 24), "", 3)), "repeated") << "and so does its number";
    EXPECT_EQ(shard_.count(here_), 0);
}

TEST_F(SessionUndo, IsRefusedWhereTheSessionDidNothing) {
    ASSERT_EQ(reason(send(like(here_), "key", 7)), "");
    ASSERT_EQ(reason(send(like(here_), "stale", 7)), "repeated");
    record::SignalBody plain = like(here_);
    plain.user = ada_;
    ASSERT_TRUE(shard_.apply(plain, "plain").ok());
    EXPECT_EQ(reason(undo(here_, "never")), "unknown_undo_key");
    EXPECT_EQ(reason(undo(here_, "stale")), "unknown_undo_key") << "that number was another's";
    EXPECT_EQ(reason(undo(here_, "plain")), "unknown_undo_key") << "of no session";
    shard_.stamper.advance(4 * 60'000);  // for four tokens
    EXPECT_EQ(reason(undo(elsewhere_, "key")), "unknown_undo_key") << "another item";
    EXPECT_EQ(reason(shard_.apply(record::UndoBody{EntityId(here_), "key"})), "unknown_undo_key")
        << "without the session";
    record::SessionUndoBody body{session_ + kVShardCount, EntityKind::kItem, EntityId(here_),
                                 "key"};
    EXPECT_EQ(reason(shard_.apply(body)), "unknown_session");
    record::Record mallory = shard_.stamper.stamp(
        record::SessionUndoBody{session_, EntityKind::kItem, EntityId(here_), "key"});
    mallory.envelope.principal = "mallory";
    EXPECT_EQ(reason(shard_.apply(mallory)), "unknown_undo_key");
    EXPECT_EQ(shard_.count(here_), 2);
    EXPECT_EQ(session().counts.front().second, 1u);
}

TEST_F(SessionUndo, OfAKeyThatIsNotKnownCostsAToken) {
    ASSERT_EQ(reason(send(like(here_), "key")), "");  // one of four
    EXPECT_EQ(reason(undo(here_, "key")), "") << "its signal has paid";
    EXPECT_EQ(session().tokens_at(shard_.stamper.last().wall_ms()), 3.0);
    EXPECT_EQ(reason(undo(here_, "key")), "repeated");
    EXPECT_EQ(session().tokens_at(shard_.stamper.last().wall_ms()), 3.0);
    for (const char* guess : {"a", "b", "c"})
        EXPECT_EQ(reason(undo(here_, guess)), "unknown_undo_key");
    const Outcome flood = undo(here_, "d");
    EXPECT_EQ(reason(flood), "session_rate");
    EXPECT_EQ(flood.refused->code(), ErrorCode::kOverloaded);
    EXPECT_EQ(reason(undo(here_, "key")), "repeated") << "which changes nothing";
    EXPECT_EQ(reason(send(like(here_), "late")), "session_rate");
    shard_.stamper.advance(60'000);
    ASSERT_EQ(reason(send(like(here_), "last")), "");
    EXPECT_EQ(reason(undo(here_, "last")), "") << "though no token is left";
}

TEST_F(SessionUndo, IsAnsweredBeforeTheLogWhereThatIsCertain) {
    const auto early = [&](const std::string& key) {
        const auto answer = shard_.state().answer_session_undo(
            {}, {session_, EntityKind::kItem, EntityId(here_), key},
            shard_.stamper.last().wall_ms());
        return !answer->has_value() ? "to be logged" : reason(**answer);
    };
    ASSERT_EQ(reason(send(like(here_), "key")), "");
    EXPECT_EQ(early("key"), "to be logged");
    EXPECT_EQ(early("guess"), "to be logged") << "a record on its way may have it";
    ASSERT_EQ(reason(undo(here_, "key")), "");
    EXPECT_EQ(early("key"), "repeated");
    for (const char* guess : {"a", "b", "c"}) undo(here_, guess);
    EXPECT_EQ(early("guess"), "session_rate");
}

TEST_F(SessionUndo, DoesNotReachASignalOfABuildThatKnewNone) {
    record::Record old =
        shard_.stamper.stamp(record::SessionSignalBody{session_, like(elsewhere_)}, "old");
    old.envelope.apply_version = ApplyVersion(kSessionUndoSince.value() - 1);
    ASSERT_TRUE(shard_.apply(old).ok());
    EXPECT_EQ(rows_to(home_of(elsewhere_)).front().effect, record::RelayEffect::kSignal)
        << "as that build applied it";
    EXPECT_EQ(reason(undo(elsewhere_, "old")), "unknown_undo_key");
}

TEST_F(SessionUndo, OfABuildToComeStopsTheNode) {
    record::Record newer = shard_.stamper.stamp(
        record::SessionUndoBody{session_, EntityKind::kItem, EntityId(here_), "key"});
    newer.envelope.apply_version = ApplyVersion(kApplyVersion.value() + 1);
    std::vector<Outcome> outcomes;
    const auto applied = shard_.state().apply({&newer, 1}, &outcomes);
    ASSERT_FALSE(applied.ok());
    EXPECT_EQ(applied.error().code(), ErrorCode::kIncompatible);
    EXPECT_NE(applied.error().to_string().find("apply_version=3"), std::string::npos)
        << applied.error().to_string();
}

TEST_F(SessionUndo, HoldsAfterTheSessionsEndAndUntilItIsForgotten) {
    ASSERT_EQ(reason(send(like(here_), "one")), "");
    ASSERT_EQ(reason(send(like(here_), "two")), "");
    record::SessionBody closes;
    closes.act = record::SessionAct::kClose;
    closes.session = session_;
    ASSERT_TRUE(shard_.apply(closes).ok());
    EXPECT_EQ(reason(undo(here_, "one")), "");
    EXPECT_EQ(shard_.count(here_), 1);
    EXPECT_EQ(session().end, audience::SessionEnd::kClosed);
    shard_.stamper.advance(25LL * 3600 * 1000);
    shard_.apply(record::TickBody{});
    EXPECT_EQ(reason(undo(here_, "two")), "unknown_session");
    EXPECT_EQ(shard_.count(here_), 1);
}

TEST_F(SessionUndo, FollowsItsSignalToTheShardOfTheItem) {
    ASSERT_EQ(reason(send(like(elsewhere_, 24), "key")), "");
    const HybridTime sent = shard_.stamper.last();
    const Outcome undone = undo(elsewhere_, "key");
    ASSERT_EQ(undone.relayed.size(), 1u) << "a token waits for it";
    const auto rows = rows_to(home_of(elsewhere_));
    ASSERT_EQ(rows.size(), 2u);
    record::RelayRow expected = rows[0];
    EXPECT_EQ(expected.effect, record::RelayEffect::kKeyedSignal);
    EXPECT_EQ(expected.stamp, sent);
    expected.sequence = 2;
    expected.count = -1;
    EXPECT_EQ(rows[1], expected);
    EXPECT_EQ(reason(undo(elsewhere_, "key")), "repeated");
    EXPECT_EQ(rows_to(home_of(elsewhere_)).size(), 2u);
}

/// The side of the item: rows of a user whose shard is another.
class SessionUndoRows : public SessionUndo {
protected:
    SessionUndoRows() {
        row_.effect = record::RelayEffect::kKeyedSignal;
        row_.target = EntityId(here_);
        row_.signal = kLike;
        row_.weight = record::kWeightOne;
        row_.event_time_ms = shard_.stamper.last().wall_ms();
        row_.user = EntityId("nina");
        row_.cohorts = {CohortId(4)};
        row_.stamp = shard_.stamper.last();
    }
    void arrive(std::int32_t count) {
        row_.sequence = ++sequence_;
        row_.count = count;
        const Outcome arrived =
            shard_.apply(record::RelayBody{kOther, Incarnation(1), home_of(here_), {row_}});
        EXPECT_EQ(arrived.mark, sequence_);
    }

    record::RelayRow row_;
    std::uint64_t sequence_ = 0;
};

TEST_F(SessionUndoRows, TakeBackFromWhatTheSignalReached) {
    arrive(1);
    EXPECT_TRUE(holds(*row_.user, here_));
    // Another creator has the item by now.
    shard_.upsert(here_, creator_where(true, 1));
    shard_.checkpoint();
    shard_.restart();
    arrive(-1);
    EXPECT_EQ(shard_.count(here_), 0);
    EXPECT_EQ(shard_.count(creator_where(true, 0)), 0);
    EXPECT_EQ(shard_.count(creator_where(true, 1)), 0);
    EXPECT_FALSE(holds(*row_.user, here_));
    EXPECT_EQ(in_cohort(here_), 0);
}

TEST_F(SessionUndoRows, DoNotReachAnItemMadeAnew) {
    const EntityId creator = creator_where(true, 0);
    arrive(1);
    shard_.erase(here_);
    shard_.upsert(here_, creator);
    shard_.apply(like(here_));
    arrive(-1);
    EXPECT_EQ(shard_.count(here_), 1) << "the signal counted for the item before";
    EXPECT_EQ(shard_.count(creator), 1) << "two signals, one taken back";
}

TEST_F(SessionUndoRows, TakeNothingBackOfASignalThatWasDropped) {
    shard_.erase(here_);
    arrive(1);
    shard_.upsert(here_, creator_where(true, 0));
    shard_.apply(like(here_));
    arrive(-1);
    EXPECT_EQ(shard_.count(here_), 1);
    EXPECT_EQ(shard_.count(creator_where(true, 0)), 1);
}

TEST_F(SessionUndoRows, ComeThroughThoughNobodyKnowsTheSignalAnyMore) {
    arrive(1);
    // The relay was cut for longer than keys are kept.
    shard_.stamper.advance(25LL * 3600 * 1000);
    shard_.apply(record::TickBody{});
    arrive(-1);
    EXPECT_EQ(shard_.count(here_), 0);
    EXPECT_EQ(shard_.count(creator_where(true, 0)), 0);
}

}  // namespace session_undo_test
}  // namespace tidal::shard
