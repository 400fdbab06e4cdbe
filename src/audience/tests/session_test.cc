#include "audience/session.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "audience/sessions.h"
#include "entity/tests/memory_store.h"

namespace tidal::audience {
namespace session_test {

constexpr UnixMillis kNow = 1'790'000'000'000;
const EntityId kAda("ada"), kBob(2);

HybridTime at(UnixMillis ms) {
    return HybridTime::from(ms, 0);
}

record::SessionBody opening(std::uint64_t id, std::uint32_t per_minute, std::uint32_t burst) {
    record::SessionBody body;
    body.session = id;
    body.user = kAda;
    body.limits.per_minute = per_minute;
    body.limits.burst = burst;
    return body;
}

schema::SignalSpec spec(schema::Polarity polarity) {
    schema::SignalSpec out;
    out.target = EntityKind::kItem;
    out.polarity = polarity;
    return out;
}
const schema::SignalSpec kLike = spec(schema::Polarity::kPositive);
const schema::SignalSpec kSkip = spec(schema::Polarity::kNegative);
const schema::SignalSpec kView = spec(schema::Polarity::kNeutral);

record::SignalBody signal(std::uint16_t type, std::uint64_t item,
                          record::FixedWeight weight = record::kWeightOne) {
    return {SignalTypeId(type), EntityId(item), weight, std::nullopt, std::nullopt, {}};
}

std::string reason_of(const Result<bool>& refused) {
    return refused.ok() ? "" : std::string(refused.error().reason());
}

std::string context_of(const Error& error, std::string_view key) {
    for (const auto& [name, value] : error.context())
        if (name == key) return value;
    return "";
}

TEST(Session, ATokenComesBackAtItsMillisecondAndNotBefore) {
    Session session = Session::begin(opening(1'024, 60, 2), at(kNow));
    for (int i = 0; i < 2; ++i) {
        ASSERT_TRUE(*session.admits(signal(0, 1), 0, kNow));
        session.count(signal(0, 1), kView, 0, at(kNow), kNow);
    }
    const auto refused = session.admits(signal(0, 1), 0, kNow);
    ASSERT_EQ(reason_of(refused), "session_rate");
    EXPECT_EQ(context_of(refused.error(), "retry_after_ms"), "1000");
    const auto early = session.admits(signal(0, 1), 0, kNow + 999);
    ASSERT_EQ(reason_of(early), "session_rate");
    EXPECT_EQ(context_of(early.error(), "retry_after_ms"), "1");
    EXPECT_TRUE(*session.admits(signal(0, 1), 0, kNow + 1'000));
    session.count(signal(0, 1), kView, 0, at(kNow + 1'000), kNow);
    EXPECT_EQ(session.tokens_at(kNow + 1'000), 0);
    EXPECT_EQ(session.tokens_at(kNow + 1'500), 0.5);
    EXPECT_EQ(session.tokens_at(kNow + 900'000), 2) << "never above the burst";
    EXPECT_EQ(session.tokens_at(kNow), 0) << "time goes one way";
}

TEST(Session, ANumberThatIsNotNewChangesNothingEvenAfterTheEnd) {
    Session session = Session::begin(opening(1'024, 60, 20), at(kNow));
    EXPECT_TRUE(*session.admits(7, kNow));
    session.count(signal(0, 1), kLike, 7, at(kNow), kNow);
    EXPECT_FALSE(*session.admits(7, kNow)) << "a duplicate";
    EXPECT_FALSE(*session.admits(signal(0, 9), 6, kNow)) << "a stale one";
    EXPECT_TRUE(*session.admits(9, kNow)) << "a gap is no matter";
    EXPECT_TRUE(*session.admits(0, kNow)) << "without a number";
    session.close(kNow + 5);
    EXPECT_FALSE(*session.admits(7, kNow + 6));
    EXPECT_EQ(reason_of(session.admits(8, kNow + 6)), "session_closed");
    Session overdue = Session::begin(opening(1'024, 60, 20), at(kNow));
    EXPECT_TRUE(*overdue.admits(1, overdue.expires_ms - 1));
    EXPECT_EQ(reason_of(overdue.admits(1, overdue.expires_ms)), "session_expired");
    overdue.close(overdue.expires_ms + 50);
    EXPECT_EQ(overdue.end, SessionEnd::kExpired);
    EXPECT_EQ(overdue.ended_ms, overdue.expires_ms) << "whenever somebody looked";
}

TEST(Session, APolicyNamesItsSignalsAndTheUserIsTheSessions) {
    record::SessionBody body = opening(1'024, 60, 20);
    body.limits.signals = {SignalTypeId(1), SignalTypeId(4)};
    const Session session = Session::begin(body, at(kNow));
    EXPECT_TRUE(*session.admits(signal(4, 1), 0, kNow));
    const auto refused = session.admits(signal(3, 1), 0, kNow);
    EXPECT_EQ(reason_of(refused), "signal_not_allowed");
    EXPECT_EQ(context_of(refused.error(), "policy"), "default@1");
    record::SignalBody foreign = signal(4, 1);
    foreign.user = kBob;
    EXPECT_EQ(reason_of(session.admits(foreign, 0, kNow)), "foreign_session");
    foreign.user = kAda;
    EXPECT_TRUE(*session.admits(foreign, 0, kNow));
}

TEST(Session, SumsUpWhatItsSignalsSay) {
    Session session = Session::begin(opening(1'024, 60'000, 60'000), at(kNow));
    session.count(signal(0, 1, 3 * record::kWeightOne), kLike, 0, at(kNow), kNow + 10);
    session.count(signal(0, 2), kLike, 0, at(kNow), kNow + 5);
    session.count(signal(1, 3), kSkip, 0, at(kNow), kNow);
    session.count(signal(2, 4), kView, 0, at(kNow), kNow);
    session.count(signal(0, 2), kLike, 0, at(kNow), kNow - 5);
    EXPECT_EQ(session.reward, 4 * record::kWeightOne);
    EXPECT_EQ(session.counts,
              (std::vector<std::pair<SignalTypeId, std::uint64_t>>{
                  {SignalTypeId(0), 3}, {SignalTypeId(1), 1}, {SignalTypeId(2), 1}}));
    EXPECT_EQ(session.likes, (std::vector<SessionLike>{{EntityId(1), kNow + 10, 1, at(kNow)},
                                                       {EntityId(2), kNow + 5, 2, at(kNow)}}));
    for (std::uint64_t item = 10; item < 40; ++item)
        session.count(signal(0, item), kLike, 0, at(kNow), kNow + static_cast<UnixMillis>(item));
    ASSERT_EQ(session.likes.size(), Session::kLikesMax);
    EXPECT_EQ(session.likes.front().item, EntityId(39));
    EXPECT_EQ(session.likes.back().item, EntityId(20));
}

TEST(Session, WhatIsTakenBackIsNoLongerSummedUp) {
    Session session = Session::begin(opening(1'024, 60'000, 100), at(kNow));
    const auto count = [&](const record::SignalBody& body, const schema::SignalSpec& spec,
                           UnixMillis ms) {
        session.count(body, spec, 0, at(kNow + ms), kNow + ms);
    };
    const auto heavy = signal(0, 1, 3 * record::kWeightOne);
    count(heavy, kLike, 0);
    count(signal(0, 1), kLike, 1);
    count(signal(1, 2), kSkip, 2);
    count(signal(2, 1), kView, 3);
    const std::uint64_t spent = session.units;
    session.take_back(heavy, kLike, at(kNow));
    ASSERT_EQ(session.likes.size(), 1u) << "another like holds it";
    session.take_back(signal(0, 1), kLike, at(kNow + 1));
    EXPECT_TRUE(session.likes.empty());
    session.take_back(signal(1, 2), kSkip, at(kNow + 2));
    EXPECT_EQ(session.reward, 0);
    EXPECT_EQ(session.counts,
              (std::vector<std::pair<SignalTypeId, std::uint64_t>>{{SignalTypeId(2), 1}}));
    EXPECT_EQ(session.units, spent) << "tokens stay spent";
    // Dropped for newer ones and liked again: the first like holds it no more.
    count(signal(0, 7), kLike, 10);
    for (std::uint64_t item = 20; item < 20 + Session::kLikesMax; ++item)
        count(signal(0, item), kLike, 11);
    count(signal(0, 7), kLike, 12);
    session.take_back(signal(0, 7), kLike, at(kNow + 10));
    EXPECT_EQ(session.likes.front().item, EntityId(7));
    session.take_back(signal(0, 7), kLike, at(kNow + 12));
    EXPECT_NE(session.likes.front().item, EntityId(7));
    EXPECT_EQ(*decode_session(encode_session(session)), session);
}

TEST(Session, AnnotationsAreBounded) {
    Session session = Session::begin(opening(1'024, 60, 20), at(kNow));
    EXPECT_TRUE(session.annotate({{"goal", "a present"}, {"page", "home"}}));
    EXPECT_TRUE(session.annotate({{"goal", ""}, {"page", "cart"}, {"x", ""}}));
    EXPECT_EQ(session.annotations, (record::Annotations{{"page", "cart"}}));
    const Session before = session;
    EXPECT_FALSE(session.annotate({{"long", std::string(1'020, 'x')}}));
    record::Annotations many;
    for (char c = '!'; many.size() < 32; ++c) many.emplace_back(std::string(1, c), "1");
    EXPECT_FALSE(session.annotate(many));
    EXPECT_EQ(session, before) << "all or nothing";
}

/// Tokens by adding them millisecond by millisecond.
RC_GTEST_PROP(Session, AdmitsWhatABucketFilledByTheMillisecondAdmits, ()) {
    const auto per_minute = *rc::gen::inRange<std::uint32_t>(1, 60'001);
    const auto burst = *rc::gen::inRange<std::uint32_t>(1, 6);
    Session session = Session::begin(opening(1'024, per_minute, burst), at(kNow));
    std::uint64_t units = burst * Session::kTokenUnits, last = 0, sent = 0;
    UnixMillis now = kNow;
    for (int step = 0; step < 60; ++step) {
        for (auto ms = *rc::gen::inRange(0, 40); ms > 0; --ms, ++now)
            units = std::min(units + per_minute, burst * Session::kTokenUnits);
        const auto sequence = *rc::gen::inRange<std::uint64_t>(0, 80);
        const bool repeat = sequence != 0 && sequence <= last;
        const auto admitted = session.admits(signal(0, 1), sequence, now);
        if (repeat) {
            RC_ASSERT(admitted.ok() && !*admitted);
            continue;
        }
        RC_ASSERT(admitted.ok() == (units >= Session::kTokenUnits));
        if (!admitted.ok()) continue;
        session.count(signal(0, 1), kLike, sequence, at(now), now);
        units -= Session::kTokenUnits;
        last = std::max(last, sequence);
        ++sent;
    }
    RC_ASSERT(session.last_sequence == last);
    RC_ASSERT(session.units_at(now) == units);
    RC_ASSERT(sent == 0 || session.counts.front().second == sent);
    RC_ASSERT(*decode_session(encode_session(session)) == session);
}

TEST(Session, RemembersTheNewestPagesOnly) {
    std::vector<EntityId> shown;
    add_shown({EntityId(1), EntityId(2), EntityId(1)}, &shown);
    add_shown({EntityId(3), EntityId(1)}, &shown);
    EXPECT_EQ(shown, (std::vector<EntityId>{EntityId(2), EntityId(3), EntityId(1)}));
    std::vector<EntityId> page;
    for (std::uint64_t i = 10; i < 1'010; ++i) page.emplace_back(i);
    add_shown(page, &shown);
    EXPECT_EQ(shown, page);
    add_shown({EntityId(7)}, &shown);
    EXPECT_EQ(shown.size(), record::kShownMax);
    EXPECT_EQ(shown.front(), EntityId(11));
    for (int i = 0; i < 100; ++i)
        add_shown({EntityId(std::string(255, 'x') + std::to_string(i))}, &shown);
    EXPECT_LT(shown.size(), 80u) << "long ids are fewer";
    EXPECT_EQ(*decode_shown(encode_shown(shown)), shown);
    EXPECT_FALSE(decode_shown("\x01\x01"));
}

std::string golden() {
    record::SessionBody body = opening(1'024, 30, 5);
    body.agent = "shopper";
    body.limits.policy = "checkout@2";
    body.limits.signals = {SignalTypeId(0), SignalTypeId(3)};
    body.annotations = {{"goal", "a present"}};
    Session session = Session::begin(body, at(kNow));
    session.count(signal(0, 9), kLike, 4, at(kNow + 10), kNow + 3);
    session.close(kNow + 20);
    return encode_session(session);
}

std::string kept(const std::string& name) {
    std::ifstream file(TIDAL_TESTDATA_DIR "/" + name);
    std::string hex, out;
    file >> hex;
    for (std::size_t at = 0; at < hex.size(); at += 2)
        out.push_back(static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16)));
    return out;
}

TEST(Session, RowsReadAsTheyWereFirstWritten) {
    EXPECT_EQ(golden(), kept("session_v2.txt"));
    const auto first = decode_session(kept("session_v1.txt"));
    ASSERT_TRUE(first) << "of the version before";
    Session expected = *decode_session(golden());
    expected.likes.front().first = HybridTime();
    EXPECT_EQ(*first, expected);
    EXPECT_TRUE(decode_session(golden()));
    EXPECT_FALSE(decode_session(golden() + "x"));
    EXPECT_FALSE(decode_session(golden().substr(1)));
}

class SessionsTest : public testing::Test {
protected:
    SessionsTest() { reopen(); }
    void reopen() { all_ = Sessions::open({.sessions_max = 150}, store_).value(); }
    /// "" = it changed something.
    std::string apply(const record::SessionBody& body, UnixMillis now, std::uint64_t sequence = 0) {
        const auto applied = all_->apply(body, sequence, at(now));
        return !applied.ok() ? reason_of(applied) : *applied ? "repeated" : "";
    }
    record::SessionBody act(record::SessionAct what, std::uint64_t id) {
        record::SessionBody body;
        body.act = what;
        body.session = id;
        return body;
    }

    entity::MemoryStore store_;
    std::unique_ptr<Sessions> all_;
};

TEST_F(SessionsTest, LiveAndEndAndAreForgotten) {
    EXPECT_EQ(apply(opening(7, 60, 9), kNow), "");
    EXPECT_EQ(apply(opening(7, 60, 9), kNow + 5), "repeated") << "the same call again";
    EXPECT_EQ(apply(opening(7, 61, 9), kNow + 5), "session_id_taken");
    EXPECT_EQ(apply(opening(8, 60, 9), kNow), "");
    auto page = act(record::SessionAct::kShow, 7);
    page.shown = {EntityId(3)};
    EXPECT_EQ(apply(page, kNow), "");
    auto note = act(record::SessionAct::kAnnotate, 7);
    note.annotations = {{"k", "v"}};
    EXPECT_EQ(apply(note, kNow, 3), "");
    EXPECT_EQ(apply(note, kNow, 3), "repeated");
    EXPECT_EQ(apply(act(record::SessionAct::kClose, 7), kNow + 1), "");
    EXPECT_EQ(apply(act(record::SessionAct::kClose, 7), kNow + 2), "repeated");
    EXPECT_EQ(apply(note, kNow + 2, 4), "session_closed");
    EXPECT_EQ(apply(page, kNow + 2), "repeated");
    EXPECT_EQ(apply(act(record::SessionAct::kClose, 9), kNow), "unknown_session");
    EXPECT_EQ(all_->open_count(), 1u);
    reopen();
    EXPECT_EQ(all_->open_count(), 1u);
    EXPECT_EQ(all_->of(kAda), (std::vector<std::uint64_t>{7, 8}));
    EXPECT_EQ(all_->shown(7).value(), (std::vector<EntityId>{EntityId(3)}));

    const UnixMillis overdue = kNow + 1'800'000;
    EXPECT_FALSE(all_->due(overdue - 1));
    EXPECT_TRUE(all_->due(overdue));
    ASSERT_TRUE(all_->sweep(overdue));
    EXPECT_EQ(all_->get(8)->end, SessionEnd::kExpired);
    EXPECT_EQ(all_->open_count(), 0u);
    EXPECT_FALSE(all_->due(overdue));
    ASSERT_TRUE(all_->sweep(kNow + 1 + Sessions::kKeepMs));
    EXPECT_FALSE(all_->find(7)->has_value());
    EXPECT_TRUE(all_->shown(7)->empty()) << "its pages go with it";
    EXPECT_TRUE(all_->find(8)->has_value());
    ASSERT_TRUE(all_->sweep(overdue + Sessions::kKeepMs));
    EXPECT_EQ(all_->size(), 0u);
    reopen();
    EXPECT_EQ(all_->size(), 0u);
}

TEST_F(SessionsTest, AreBoundedPerUserAndInAll) {
    for (std::uint64_t id = 1; id <= Sessions::kEachMax; ++id)
        ASSERT_EQ(apply(opening(id, 60, 9), kNow), "");
    EXPECT_EQ(apply(opening(1'000, 60, 9), kNow), "too_many_sessions");
    auto of_bob = opening(2'000, 60, 9);
    of_bob.user = kBob;
    for (; all_->size() < 150; ++of_bob.session) ASSERT_EQ(apply(of_bob, kNow), "");
    EXPECT_EQ(apply(of_bob, kNow), "too_many_sessions");
    ASSERT_TRUE(all_->erase_user(kAda));
    EXPECT_EQ(all_->size(), 50u);
    EXPECT_EQ(all_->open_count(), 50u);
    EXPECT_TRUE(all_->of(kAda).empty());
    EXPECT_EQ(apply(of_bob, kNow), "");
    ASSERT_TRUE(all_->sweep(kNow + 1'800'000));
    EXPECT_EQ(all_->size(), 51u) << "closed, and kept";
}

}  // namespace session_test
}  // namespace tidal::audience
