#include "audience/user_states.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "entity/tests/memory_store.h"

namespace tidal::audience {
namespace user_states_test {

constexpr std::string_view kSchema = R"(
items: {ids: u64, fields: {title: text}}
users: {ids: u64}
creators: {ids: u64}
signals:
  view: {polarity: neutral, half_life: 1d, windows: [all], sets: [in_progress, seen]}
  like: {polarity: positive, half_life: 1d, windows: [all], sets: [liked, seen]}
  hide: {polarity: negative, half_life: 1d, windows: [all], sets: [hidden]}
)";

const schema::Schema& schema() {
    static const schema::Schema kParsed = schema::parse_schema(kSchema).value();
    return kParsed;
}
HybridTime at(std::uint64_t bits) {
    return HybridTime::from_bits(bits);
}
const EntityId kAda(1), kBob("bob");

TEST(StateNames, AreNumberedInTheOrderOfTheSchema) {
    const StateNames names(schema());
    EXPECT_EQ(names.find("hidden"), kHidden);
    EXPECT_EQ(names.find("saved"), kSaved) << "relationships need no signal";
    EXPECT_EQ(names.find("in_progress"), StateId(2));
    EXPECT_EQ(names.find("seen"), StateId(3));
    EXPECT_EQ(names.find("liked"), StateId(4));
    EXPECT_EQ(names.size(), 5u);
    const auto view = schema().find_signal("view")->id;
    EXPECT_EQ(std::vector(names.of(view).begin(), names.of(view).end()),
              (std::vector{StateId(2), StateId(3)}));
    EXPECT_TRUE(names.of(SignalTypeId(99)).empty());
}

TEST(StateNames, TellWhoGaveASignalWhereItAloneSetsThem) {
    const StateNames names(schema());
    const auto of = [&](std::string_view signal) {
        return names.of_engagement(schema(), schema().find_signal(signal)->id);
    };
    EXPECT_EQ(of("view"), (std::vector{StateId(2)})) << "a like sets `seen` as well";
    EXPECT_EQ(of("like"), (std::vector{StateId(4)}));
    EXPECT_EQ(of("hide"), (std::vector{kHidden}));
    EXPECT_EQ(names.of_engagement(schema(), std::nullopt),
              (std::vector{StateId(2), StateId(3), StateId(4)}));
}

TEST(StateNames, SayWhatTheSchemaLacksWhereNoneTells) {
    const auto parsed = schema::parse_schema(
        "items: {ids: u64}\nsignals:\n  share: {half_life: 1d, windows: [all]}\n"
        "  like: {half_life: 1d, windows: [all], sets: [liked]}\n"
        "  love: {half_life: 1d, windows: [all], sets: [liked]}\n");
    ASSERT_TRUE(parsed) << parsed.error().to_string();
    const StateNames names(*parsed);
    const auto lacks = [&](std::string_view signal) {
        const SignalTypeId id = parsed->find_signal(signal)->id;
        EXPECT_TRUE(names.of_engagement(*parsed, id).empty());
        return names.lacks_for_engagement(*parsed, id);
    };
    EXPECT_EQ(
        lacks("share"),
        "`share` sets no state; declare it with one of its own in a new schema, `share: {..., "
        "sets: [gave_share]}`: a signal that is stored does not change");
    EXPECT_EQ(lacks("love"),
              "each state that `love` sets is set by `like` too; declare it with one of its own in "
              "a new schema, `love: {..., sets: [gave_love]}`: a signal that is stored does not "
              "change");
}

class States : public testing::Test {
protected:
    void SetUp() override { reopen(); }
    void reopen(std::uint64_t bytes_max = 1 << 20) {
        if (states_ != nullptr) states_->prepare_checkpoint();
        states_ = UserStates::open({.bytes_max = bytes_max}, store_, schema()).value();
    }
    entity::MemoryStore store_;
    std::unique_ptr<UserStates> states_;
};

TEST_F(States, HoldUntilCleared) {
    EXPECT_EQ(states_->find(kAda, kHidden), nullptr);
    ASSERT_TRUE(states_->set(kAda, kHidden, Slot(5), at(10), Hold::kForGood).ok());
    EXPECT_TRUE(states_->holds(kAda, kHidden, Slot(5)));
    EXPECT_FALSE(states_->holds(kBob, kHidden, Slot(5)));
    EXPECT_FALSE(states_->holds(kAda, kSaved, Slot(5)));
    EXPECT_EQ(states_->since(kAda, kHidden, Slot(5)).value(), at(10));
    ASSERT_TRUE(states_->clear(kAda, kHidden, Slot(5), at(11)).ok());
    EXPECT_FALSE(states_->holds(kAda, kHidden, Slot(5)));
    reopen();
    EXPECT_FALSE(states_->holds(kAda, kHidden, Slot(5)));
    ASSERT_TRUE(states_->set(kAda, kHidden, Slot(5), at(11), Hold::kForGood).ok());
    EXPECT_TRUE(states_->holds(kAda, kHidden, Slot(5))) << "a tie excludes";
}

TEST_F(States, TheGreatestStampsDecideInAnyOrderOfArrival) {
    ASSERT_TRUE(states_->clear(kAda, kHidden, Slot(5), at(20)).ok());
    ASSERT_TRUE(states_->set(kAda, kHidden, Slot(5), at(19), Hold::kForGood).ok());
    EXPECT_FALSE(states_->holds(kAda, kHidden, Slot(5)));
    ASSERT_TRUE(states_->set(kAda, kHidden, Slot(5), at(30), Hold::kUntilUndone).ok());
    ASSERT_TRUE(states_->clear(kAda, kHidden, Slot(5), at(25)).ok());
    EXPECT_TRUE(states_->holds(kAda, kHidden, Slot(5)));
    reopen();
    EXPECT_TRUE(states_->holds(kAda, kHidden, Slot(5)));
}

TEST_F(States, AnUndoClearsOnlyWhatNothingElseHolds) {
    const Slot slot(5);
    ASSERT_TRUE(states_->set(kAda, kHidden, slot, at(10), Hold::kUntilUndone).ok());
    ASSERT_TRUE(states_->set(kAda, kHidden, slot, at(11), Hold::kUntilUndone).ok());
    ASSERT_TRUE(states_->take_back(kAda, kHidden, slot, at(10)).ok());
    EXPECT_TRUE(states_->holds(kAda, kHidden, slot)) << "the other one holds it";
    reopen();
    ASSERT_TRUE(states_->take_back(kAda, kHidden, slot, at(11)).ok());
    EXPECT_FALSE(states_->holds(kAda, kHidden, slot));
    EXPECT_TRUE(store_.rows.empty());
    ASSERT_TRUE(states_->set(kAda, kHidden, slot, at(12), Hold::kUntilUndone).ok());
    ASSERT_TRUE(states_->set(kAda, kHidden, slot, at(13), Hold::kForGood).ok());
    ASSERT_TRUE(states_->take_back(kAda, kHidden, slot, at(12)).ok());
    EXPECT_TRUE(states_->holds(kAda, kHidden, slot)) << "what cannot be undone holds it";
    ASSERT_TRUE(states_->clear(kAda, kHidden, slot, at(14)).ok());
    ASSERT_TRUE(states_->set(kAda, kHidden, slot, at(15), Hold::kUntilUndone).ok());
    ASSERT_TRUE(states_->take_back(kAda, kHidden, slot, at(12)).ok());
    EXPECT_TRUE(states_->holds(kAda, kHidden, slot)) << "that one was cleared already";
}

TEST_F(States, GoWithTheirItemAndTheirUser) {
    for (const EntityId& user : {kAda, kBob})
        for (const std::uint32_t slot : {1U, 258U, 70'000U})
            for (const StateId state : {kHidden, kSaved})
                ASSERT_TRUE(states_->set(user, state, Slot(slot), at(9), Hold::kForGood).ok());
    ASSERT_TRUE(states_->clear(kAda, kSaved, Slot(1), at(10)).ok());
    ASSERT_TRUE(states_->drop_item(Slot(258)).ok());
    EXPECT_FALSE(states_->holds(kBob, kSaved, Slot(258)));
    EXPECT_TRUE(states_->holds(kBob, kSaved, Slot(70'000)));
    EXPECT_EQ(states_->stats().rows, 8u);
    EXPECT_TRUE(states_->erase_user(kAda));
    EXPECT_FALSE(states_->erase_user(kAda));
    EXPECT_EQ(states_->stats().rows, 4u);
    states_->prepare_checkpoint();
    EXPECT_EQ(store_.rows.size(), 4u);
    reopen();
    EXPECT_EQ(states_->stats().rows, 4u);
    EXPECT_EQ(states_->stats().users, 1u);
    EXPECT_EQ(states_->find(kAda, kHidden), nullptr);
}

TEST_F(States, ARepeatWritesNothing) {
    const StateId seen(3);
    ASSERT_TRUE(states_->set(kAda, seen, Slot(5), at(10), Hold::kForGood).ok());
    const auto writes = store_.writes;
    ASSERT_TRUE(states_->set(kAda, seen, Slot(5), at(11), Hold::kForGood).ok());
    ASSERT_TRUE(states_->set(kAda, seen, Slot(5), at(12), Hold::kUntilUndone).ok());
    EXPECT_EQ(store_.writes, writes);
}

TEST_F(States, NewRowsFollowInSlicesThatComeToAnEnd) {
    const StateId seen(3);
    for (std::uint32_t slot = 0; slot < 10; ++slot)
        ASSERT_TRUE(states_->set(kAda, seen, Slot(slot), at(10 + slot), Hold::kForGood).ok());
    EXPECT_TRUE(store_.rows.empty());
    EXPECT_EQ(states_->since(kAda, seen, Slot(3)).value(), at(13));
    EXPECT_FALSE(states_->write_rows(4));
    EXPECT_EQ(store_.rows.size(), 4u);
    ASSERT_TRUE(states_->set(kBob, seen, Slot(99), at(30), Hold::kForGood).ok());
    EXPECT_EQ(store_.rows.size(), 5u) << "written at once while slices go on";
    EXPECT_FALSE(states_->write_rows(4));
    EXPECT_TRUE(states_->write_rows(4));
    EXPECT_EQ(store_.rows.size(), 11u);
    ASSERT_TRUE(states_->set(kBob, seen, Slot(98), at(31), Hold::kForGood).ok());
    EXPECT_EQ(store_.rows.size(), 11u);
}

TEST_F(States, AnItemThatManySeeIsWrittenOnItsWay) {
    const StateId seen(3);
    for (std::uint64_t user = 0; user < UnwrittenHolds::kItemMax; ++user)
        ASSERT_TRUE(states_->set(EntityId(user), seen, Slot(7), at(user + 1), Hold::kForGood).ok());
    EXPECT_EQ(store_.rows.size(), UnwrittenHolds::kItemMax);
    reopen();
    EXPECT_EQ(states_->since(EntityId(9), seen, Slot(7)).value(), at(10));
}

TEST_F(States, AboveTheBudgetNewStatesAreCountedAndHidesNotAdmitted) {
    reopen(256 + 64);
    const StateId hide[] = {kHidden}, seen[] = {StateId(3)};
    EXPECT_TRUE(states_->admits(kAda, hide, Slot(1)));
    ASSERT_TRUE(states_->set(kAda, kHidden, Slot(1), at(1), Hold::kForGood).ok());
    EXPECT_FALSE(states_->admits(kAda, hide, Slot(2)));
    EXPECT_TRUE(states_->admits(kAda, hide, Slot(1))) << "it is there";
    EXPECT_TRUE(states_->admits(kAda, seen, Slot(2)));
    ASSERT_TRUE(states_->set(kAda, seen[0], Slot(2), at(2), Hold::kForGood).ok());
    EXPECT_FALSE(states_->holds(kAda, seen[0], Slot(2)));
    EXPECT_EQ(states_->stats().refused, 1u);
    ASSERT_TRUE(states_->clear(kAda, kHidden, Slot(1), at(3)).ok());
    EXPECT_FALSE(states_->holds(kAda, kHidden, Slot(1)));
    states_->erase_user(kAda);
    EXPECT_TRUE(states_->admits(kAda, hide, Slot(2)));
}

TEST_F(States, DamageStopsTheStart) {
    ASSERT_TRUE(states_->set(kAda, kHidden, Slot(1), at(1), Hold::kForGood).ok());
    states_->prepare_checkpoint();
    store_.rows.begin()->second = "xx";
    EXPECT_FALSE(UserStates::open({}, store_, schema()).ok());
}

TEST_F(States, TheHashKnowsNoSlots) {
    const std::vector<EntityId> here = {EntityId(1), EntityId(2)},
                                there = {EntityId(2), EntityId(1)};
    entity::MemoryStore other_store;
    auto other = UserStates::open({}, other_store, schema()).value();
    ASSERT_TRUE(states_->set(kAda, kHidden, Slot(0), at(1), Hold::kForGood).ok());
    ASSERT_TRUE(states_->set(kBob, kSaved, Slot(1), at(2), Hold::kForGood).ok());
    ASSERT_TRUE(other->set(kBob, kSaved, Slot(0), at(2), Hold::kForGood).ok());
    const auto hash = [](UserStates& states, const std::vector<EntityId>& items) {
        return states
            .content_hash([&](Slot slot) -> const EntityId& { return items[slot.value()]; })
            .value();
    };
    EXPECT_NE(hash(*states_, here), hash(*other, there));
    ASSERT_TRUE(other->set(kAda, kHidden, Slot(1), at(1), Hold::kForGood).ok());
    EXPECT_EQ(hash(*states_, here), hash(*other, there));
}

/// Everything that ever held a state, looked at one by one.
struct Model {
    struct Held {
        std::uint64_t stamp;
        bool undone = false;
    };
    struct One {
        std::vector<Held> held;
        std::uint64_t cleared = 0;
        bool holds() const {
            return std::ranges::any_of(
                held, [&](const Held& one) { return !one.undone && one.stamp >= cleared; });
        }
    };
    std::map<std::tuple<EntityId, StateId, std::uint32_t>, One> all;
};

RC_GTEST_PROP(UserStates, EqualAModelOverRandomHistories, ()) {
    entity::MemoryStore store;
    auto states = UserStates::open({}, store, schema()).value();
    Model model;
    struct Keyed {
        EntityId user;
        StateId state;
        std::uint32_t slot;
        std::uint64_t stamp;
    };
    std::vector<Keyed> keyed;
    const auto steps =
        *rc::gen::container<std::vector<std::uint32_t>>(200, rc::gen::arbitrary<std::uint32_t>());
    std::uint64_t stamp = 1;
    for (const std::uint32_t step : steps) {
        const EntityId user(step % 3);
        const StateId state(static_cast<std::uint16_t>(step / 3 % 3));
        const std::uint32_t slot = step / 9 % 4 * 50'000;
        Model::One& one = model.all[{user, state, slot}];
        ++stamp;
        switch (step / 36 % 12) {
            default: {
                const bool undoable = step / 500 % 2 == 0;
                ASSERT_TRUE(states
                                ->set(user, state, Slot(slot), at(stamp),
                                      undoable ? Hold::kUntilUndone : Hold::kForGood)
                                .ok());
                if (undoable) keyed.push_back({user, state, slot, stamp});
                one.held.push_back({stamp});
                break;
            }
            case 0:
                ASSERT_TRUE(states->clear(user, state, Slot(slot), at(stamp)).ok());
                one.cleared = stamp;
                break;
            case 1:
            case 2:
            case 3: {
                if (keyed.empty()) break;
                const std::size_t which = step / 500 % keyed.size();
                const Keyed key = keyed[which];
                keyed.erase(keyed.begin() + static_cast<std::ptrdiff_t>(which));
                ASSERT_TRUE(
                    states->take_back(key.user, key.state, Slot(key.slot), at(key.stamp)).ok());
                for (auto& held : model.all[{key.user, key.state, key.slot}].held)
                    if (held.stamp == key.stamp) held.undone = true;
                break;
            }
            case 4: {
                ASSERT_TRUE(states->drop_item(Slot(slot)).ok());
                std::erase_if(model.all,
                              [&](const auto& at) { return std::get<2>(at.first) == slot; });
                break;
            }
            case 5:
                states->erase_user(user);
                std::erase_if(model.all,
                              [&](const auto& at) { return std::get<0>(at.first) == user; });
                break;
            case 6:
                states->prepare_checkpoint();
                states = UserStates::open({}, store, schema()).value();
                break;
            case 7:
                states->write_rows(step / 500 % 4);
                break;
        }
        for (std::uint64_t u = 0; u < 3; ++u)
            for (std::uint16_t s = 0; s < 3; ++s)
                for (std::uint32_t i = 0; i < 4; ++i) {
                    const auto found = model.all.find({EntityId(u), StateId(s), i * 50'000});
                    const bool expected = found != model.all.end() && found->second.holds();
                    RC_ASSERT(states->holds(EntityId(u), StateId(s), Slot(i * 50'000)) == expected);
                }
    }
    states->prepare_checkpoint();
    RC_ASSERT(states->stats().rows == store.rows.size());
}

}  // namespace user_states_test
}  // namespace tidal::audience
