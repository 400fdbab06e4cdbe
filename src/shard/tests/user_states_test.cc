// What signals with a user leave behind: against a model of the log, over checkpoints and restarts.
#include <map>
#include <set>

#include "shard/tests/random_log.h"
#include "shard/tests/state_fixture.h"

namespace tidal::shard {
namespace user_states_test {

using audience::StateId;

constexpr SignalTypeId kHide{2}, kSave{3};

record::SignalBody by(const EntityId& user, std::uint64_t item, SignalTypeId type) {
    record::SignalBody body = like(item);
    body.signal = type;
    body.user = user;
    return body;
}

class UserStates : public testing::Test {
protected:
    UserStates() {
        schema::Schema next = test_schema();
        schema::SignalSpec hide = next.signals[1];
        hide.id = kHide;
        hide.name = "hide";
        hide.sets_state = {"hidden"};
        next.signals.push_back(hide);
        schema::SignalSpec save = next.signals[1];
        save.id = kSave;
        save.name = "save";
        save.sets_state = {"saved"};
        next.signals.push_back(save);
        next.version = SchemaVersion(2);
        shard_.apply(record::SchemaBody{schema::encode_schema(next)});
        for (const std::uint64_t item : {1, 2, 3}) shard_.upsert(item);
    }
    bool holds(const EntityId& user, std::string_view state, std::uint64_t item) {
        const auto slot = shard_.state().entities(EntityKind::kItem).find(EntityId(item));
        auto& states = shard_.state().user_states();
        return slot && states.holds(user, *states.names().find(state), *slot);
    }
    Outcome undo(std::uint64_t item, const std::string& key) {
        return shard_.apply(record::UndoBody{EntityId(item), key});
    }

    const EntityId ada_{"ada"}, bob_{"bob"};
    OneShard shard_;
};

TEST_F(UserStates, ASignalSetsWhatItsTypeSays) {
    shard_.apply(by(ada_, 1, kLike));
    shard_.apply(like(2));
    EXPECT_TRUE(holds(ada_, "liked", 1));
    EXPECT_TRUE(holds(ada_, "seen", 1));
    EXPECT_FALSE(holds(ada_, "hidden", 1));
    EXPECT_FALSE(holds(bob_, "liked", 1));
    EXPECT_FALSE(holds(ada_, "liked", 2));
}

TEST_F(UserStates, AnUndoClearsWhatNothingElseHolds) {
    shard_.apply(by(ada_, 1, kHide), "one");
    shard_.apply(by(ada_, 1, kHide), "two");
    EXPECT_TRUE(undo(1, "one").ok());
    EXPECT_TRUE(undo(1, "one").repeated);
    EXPECT_TRUE(holds(ada_, "hidden", 1));
    shard_.checkpoint();
    shard_.restart();
    EXPECT_TRUE(undo(1, "two").ok());
    EXPECT_FALSE(holds(ada_, "hidden", 1));
    shard_.apply(by(ada_, 2, kHide), "three");
    shard_.apply(by(ada_, 2, kHide));
    undo(2, "three");
    EXPECT_TRUE(holds(ada_, "hidden", 2)) << "once without a key is for good";
}

TEST_F(UserStates, GoWithTheItem) {
    shard_.apply(by(ada_, 1, kHide), "one");
    shard_.apply(by(bob_, 1, kLike));
    shard_.apply(by(bob_, 2, kLike));
    shard_.checkpoint();
    shard_.erase(1);
    shard_.upsert(1);
    EXPECT_FALSE(holds(ada_, "hidden", 1));
    EXPECT_FALSE(holds(bob_, "liked", 1));
    EXPECT_TRUE(holds(bob_, "liked", 2));
    shard_.apply(by(ada_, 1, kHide), "again");
    undo(1, "one");
    EXPECT_TRUE(holds(ada_, "hidden", 1)) << "that undo is of an item that is gone";
    shard_.restart();
    EXPECT_TRUE(holds(ada_, "hidden", 1));
    EXPECT_FALSE(holds(bob_, "liked", 1));
}

TEST_F(UserStates, GoWithTheUserInEveryShard) {
    std::set<bool> owned;
    for (int i = 0; owned.size() < 2; ++i) {
        const EntityId user("user " + std::to_string(i));
        const VShard vshard = record::vshard_of(kDefaultTenant, EntityKind::kUser, user);
        owned.insert(vshard.value() < kOwnedEnd);
        shard_.apply(by(user, 1, kHide));
        shard_.apply(by(user, 2, kLike));
        const Outcome erased =
            shard_.apply(record::DeleteBody{EntityKind::kUser, user, std::nullopt});
        EXPECT_EQ(erased.ok(), vshard.value() >= kOwnedEnd) << "nobody created them here";
        EXPECT_FALSE(holds(user, "hidden", 1));
        EXPECT_FALSE(holds(user, "liked", 2));
    }
    EXPECT_EQ(shard_.state().user_states().stats().rows, 0u);
    shard_.restart();
    EXPECT_EQ(shard_.state().user_states().stats().rows, 0u);
}

TEST_F(UserStates, AVersionNotMetLeavesTheUserAsTheyAre) {
    const EntityId user = [&] {
        for (int i = 0;; ++i) {
            EntityId id("user " + std::to_string(i));
            if (record::vshard_of(kDefaultTenant, EntityKind::kUser, id).value() < kOwnedEnd)
                return id;
        }
    }();
    record::UpsertBody body;
    body.kind = EntityKind::kUser;
    body.id = user;
    shard_.apply(body);
    shard_.apply(by(user, 1, kHide));
    const Outcome refused =
        shard_.apply(record::DeleteBody{EntityKind::kUser, user, HybridTime::from_bits(1)});
    EXPECT_FALSE(refused.ok());
    EXPECT_TRUE(holds(user, "hidden", 1));
}

TEST_F(UserStates, ARelationshipIsTheSameStateAsTheSignalWrites) {
    const auto relate = [&](record::RelationshipKind kind, bool ends, std::uint64_t item) {
        return shard_.apply(record::RelationshipBody{kind, ends, ada_, EntityId(item)});
    };
    shard_.apply(by(ada_, 1, kHide), "one");
    EXPECT_TRUE(relate(record::RelationshipKind::kHides, true, 1).ok());
    EXPECT_FALSE(holds(ada_, "hidden", 1));
    EXPECT_TRUE(relate(record::RelationshipKind::kHides, false, 1).ok());
    EXPECT_TRUE(holds(ada_, "hidden", 1));
    undo(1, "one");
    EXPECT_TRUE(holds(ada_, "hidden", 1)) << "the relationship holds it";
    EXPECT_TRUE(relate(record::RelationshipKind::kSaves, false, 2).ok());
    EXPECT_TRUE(holds(ada_, "saved", 2));
    EXPECT_EQ(relate(record::RelationshipKind::kHides, false, 9).refused->reason(), "unknown_item");
    shard_.restart();
    EXPECT_TRUE(holds(ada_, "hidden", 1));
    EXPECT_TRUE(holds(ada_, "saved", 2));
    EXPECT_EQ(shard_.count(2), 0) << "it counts nothing";
}

/// Of a session in another shard: a save was answered before it arrives here, a hide is when it
/// has.
TEST_F(UserStates, WhatASessionSetElsewhereComesInTheOrderOfItsAnswers) {
    const HybridTime saved = shard_.stamper.last();
    for (const auto kind : {record::RelationshipKind::kSaves, record::RelationshipKind::kHides})
        shard_.apply(record::RelationshipBody{kind, true, ada_, EntityId(1)});
    record::RelayRow row;
    row.sequence = 1;
    row.effect = record::RelayEffect::kSignal;
    row.target = EntityId(1);
    row.signal = kSave;
    row.weight = record::kWeightOne;
    row.user = ada_;
    row.stamp = saved;
    row.event_time_ms = saved.wall_ms();
    record::RelayRow hide = row;
    hide.sequence = 2;
    hide.signal = kHide;
    EXPECT_EQ(shard_.apply(record::RelayBody{kOther, Incarnation(1), VShard(0), {row, hide}}).mark,
              2u);
    EXPECT_FALSE(holds(ada_, "saved", 1)) << "its end was answered later";
    EXPECT_TRUE(holds(ada_, "hidden", 1)) << "its end was answered earlier";
}

TEST(UserStatesBudget, AHideThatCannotBeKeptIsRefused) {
    OneShard shard({.shard = kHere, .memory = {.user_states = 300}});
    schema::Schema next = test_schema();
    next.signals[1].id = kHide;
    next.signals[1].name = "hide";
    next.signals[1].sets_state = {"hidden"};
    next.signals.insert(next.signals.begin() + 1, test_schema().signals[1]);
    next.version = SchemaVersion(2);
    shard.apply(record::SchemaBody{schema::encode_schema(next)});
    shard.upsert(1);
    shard.upsert(2);
    EXPECT_TRUE(shard.apply(by(EntityId("ada"), 1, kHide)).ok());
    const Outcome refused = shard.apply(by(EntityId("ada"), 2, kHide));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.refused->reason(), "user_states_full");
    EXPECT_EQ(shard.count(2, kHide), 0) << "nor is it counted";
    EXPECT_TRUE(shard.apply(by(EntityId("ada"), 2, kLike)).ok());
    EXPECT_EQ(shard.count(2), 1);
    EXPECT_EQ(shard.state().user_states().stats().refused, 2u) << "liked and seen";
}

/// From records and their outcomes alone.
class Model {
public:
    void take(const record::Record& record, const Outcome& outcome) {
        if (const auto* gone = std::get_if<record::DeleteBody>(&record.body))
            return take_delete(record, *gone, outcome);
        if (!outcome.ok() || outcome.repeated) return;
        const auto& envelope = record.envelope;
        if (const auto* erased = std::get_if<record::EraseUserBody>(&record.body)) {
            forget(record, erased->user);
        } else if (const auto* relation = std::get_if<record::RelationshipBody>(&record.body)) {
            if (!record::is_of_items(relation->kind)) return take_relation(*relation);
            const bool hides = relation->kind == record::RelationshipKind::kHides;
            auto& held = held_[{relation->user, hides ? "hidden" : "saved", relation->target}];
            if (relation->ends)
                held.clear();
            else
                held.push_back({++ids_, true});
        } else if (const auto* signal = std::get_if<record::SignalBody>(&record.body)) {
            const std::string& client_key = envelope.idempotency_key;
            const Held held{++ids_, client_key.empty()};
            if (!client_key.empty()) by_key_[envelope.principal + "\n" + client_key] = held.id;
            if (signal->user) mark(*signal->user, signal->item, signal->signal, held);
        } else if (const auto* upsert = std::get_if<record::UpsertBody>(&record.body)) {
            if (upsert->kind == EntityKind::kItem && outcome.created)
                items_[upsert->id] = envelope.stamp;
        } else if (const auto* session = std::get_if<record::SessionBody>(&record.body)) {
            if (session->act == record::SessionAct::kOpen)
                sessions_[session->session] = *session->user;
        } else if (const auto* under = std::get_if<record::SessionSignalBody>(&record.body)) {
            take_session_signal(envelope, *under);
        } else if (const auto* rows = std::get_if<record::RelayBody>(&record.body)) {
            take_rows(*rows);
        } else if (const auto* undo = std::get_if<record::UndoBody>(&record.body)) {
            take_back(by_key_.at(envelope.principal + "\n" + undo->key));
        } else if (const auto* back = std::get_if<record::SessionUndoBody>(&record.body)) {
            take_back(by_key_.at(envelope.principal + "\n" + back->key));
        }
    }
    bool holds(const EntityId& user, const std::string& state, const EntityId& item) const {
        const auto found = held_.find({user, state, item});
        return found != held_.end() && !found->second.empty();
    }

    using Relations = std::set<std::tuple<EntityId, record::RelationshipKind, EntityId>>;
    const Relations& relations() const { return relations_; }

    inline static const std::vector<std::vector<std::string>> kSets = {
        {"seen"}, {"liked", "seen"}, {"seen"}};  ///< What is added to the schema is like a view.

private:
    struct Held {
        std::uint64_t id;
        bool for_good;
    };

    void take_back(std::uint64_t id) {
        for (auto& [at, all] : held_)
            std::erase_if(all, [&](const Held& one) { return one.id == id; });
    }

    void mark(const EntityId& user, const EntityId& item, SignalTypeId signal, Held held) {
        for (const std::string& state : kSets.at(std::min<std::size_t>(signal.value(), 2)))
            held_[{user, state, item}].push_back(held);
    }

    /// Of an item that is at home elsewhere it is that shard's business.
    void take_session_signal(const record::Envelope& envelope,
                             const record::SessionSignalBody& body) {
        const record::SignalBody& signal = body.signal;
        const VShard home = record::vshard_of(envelope.tenant, EntityKind::kItem, signal.item);
        const Held held{++ids_, envelope.idempotency_key.empty()};
        if (!held.for_good) by_key_[envelope.principal + "\n" + envelope.idempotency_key] = held.id;
        if (home.value() < kOwnedEnd)
            take_under_session(sessions_.at(body.session), signal.item, signal.signal,
                               envelope.generation, envelope.stamp, held);
    }
    void take_rows(const record::RelayBody& body) {
        std::uint64_t& mark = marks_[{body.source_incarnation, body.target}];
        for (const record::RelayRow& row : body.rows) {
            if (row.sequence != mark + 1) continue;
            mark = row.sequence;
            if (!record::is_of_session(row.effect)) continue;
            if (row.count < 0) {
                const auto found = by_stamp_.find({*row.user, row.stamp});
                if (found != by_stamp_.end()) take_back(found->second);
                continue;
            }
            const Held held{++ids_, row.effect == record::RelayEffect::kSignal};
            if (!held.for_good) by_stamp_[{*row.user, row.stamp}] = held.id;
            take_under_session(*row.user, row.target, row.signal, row.generation, row.stamp, held);
        }
    }
    /// Unless its item is gone, and another one has its id by now.
    void take_under_session(const EntityId& user, const EntityId& item, SignalTypeId signal,
                            HybridTime generation, HybridTime stamp, Held held) {
        const auto found = items_.find(item);
        if (found == items_.end()) return;
        const bool of_another = generation != HybridTime() && generation != found->second;
        if (of_another && stamp < found->second) return;
        mark(user, item, signal, held);
    }

    void take_relation(const record::RelationshipBody& body) {
        if (body.ends)
            relations_.erase({body.user, body.kind, body.target});
        else
            relations_.insert({body.user, body.kind, body.target});
    }

    void take_delete(const record::Record& record, const record::DeleteBody& gone,
                     const Outcome& outcome) {
        if (!outcome.ok() &&
            (gone.kind != EntityKind::kUser || outcome.refused->code() != ErrorCode::kNotFound))
            return;
        if (outcome.repeated || gone.kind == EntityKind::kCreator) return;
        if (gone.kind == EntityKind::kUser) return forget(record, gone.id);
        items_.erase(gone.id);
        std::erase_if(held_, [&](const auto& at) { return std::get<2>(at.first) == gone.id; });
    }

    void forget(const record::Record& record, const EntityId& user) {
        // Relationships to creators lie with their user.
        if (record::vshard_of(record.envelope.tenant, EntityKind::kUser, user).value() < kOwnedEnd)
            std::erase_if(relations_, [&](const auto& one) { return std::get<0>(one) == user; });
        std::erase_if(relations_, [&](const auto& one) {
            return std::get<1>(one) == record::RelationshipKind::kFriends &&
                   std::get<2>(one) == user;
        });
        std::erase_if(held_, [&](const auto& at) { return std::get<0>(at.first) == user; });
    }

    std::map<std::tuple<EntityId, std::string, EntityId>, std::vector<Held>> held_;
    std::map<std::string, std::uint64_t> by_key_;
    std::map<std::pair<EntityId, HybridTime>, std::uint64_t> by_stamp_;
    std::uint64_t ids_ = 0;                 ///< Of what holds states.
    std::map<EntityId, HybridTime> items_;  ///< And their generations.
    std::map<std::uint64_t, EntityId> sessions_;
    std::map<std::pair<Incarnation, VShard>, std::uint64_t> marks_;
    Relations relations_;
};

/// @return how many states hold.
std::size_t compare(ShardState& state, const Model& model) {
    auto& states = state.user_states();
    std::size_t held = 0;
    for (int u = 0; u < 9; ++u)
        for (const char* name : {"seen", "liked", "hidden", "saved"})
            for (std::uint64_t i = 1; i <= 6; ++i) {
                const EntityId user("user " + std::to_string(u)), item(i);
                const auto slot = state.entities(EntityKind::kItem).find(item);
                const auto id = states.names().find(name);
                const bool holds = slot && id && states.holds(user, *id, *slot);
                EXPECT_EQ(holds, model.holds(user, name, item)) << name << " " << u << " " << i;
                held += holds ? 1 : 0;
            }
    std::size_t relations = 0;
    for (int u = 0; u < 9; ++u)
        for (std::size_t kind = 2; kind < record::kRelationshipKindCount; ++kind) {
            const EntityId user("user " + std::to_string(u));
            const auto of = static_cast<record::RelationshipKind>(kind);
            for (const auto& [creator, since] : state.relationships().of(user, of)) {
                EXPECT_TRUE(model.relations().contains({user, of, creator}));
                ++relations;
            }
        }
    EXPECT_EQ(relations, model.relations().size());
    return held + relations;
}

TEST(UserStatesModel, EqualAModelOfTheLogOverCheckpointsAndRestarts) {
    std::size_t held = 0;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const auto log = RandomLog(seed, false).make(200);
        runtime::SeededRandom random(seed);
        StateLives lives;
        std::vector<Model> after(1);  // By records applied.
        while (lives.state().applied().value() < log.size()) {
            const auto at = static_cast<std::size_t>(lives.state().applied().value());
            const auto outcomes = lives.apply(std::span(log).subspan(at, 1));
            after.resize(at + 1);
            after.push_back(after[at]);
            after.back().take(log[at], outcomes[0]);
            if (random.below(30) == 0) lives.checkpoint();
            if (random.below(40) == 0) lives.reopen();
            const auto applied = static_cast<std::size_t>(lives.state().applied().value());
            if (applied >= 2) held += compare(lives.state(), after[applied]);
            if (testing::Test::HasFailure()) return;
        }
    }
    EXPECT_GT(held, 2'000u);
}

}  // namespace user_states_test
}  // namespace tidal::shard
