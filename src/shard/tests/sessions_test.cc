// Sessions as part of a shard's state: equal to a model of what was accepted, whatever the batches,
// checkpoints and crashes; their signals leave once, for their item's shard.
#include <algorithm>
#include <map>
#include <random>

#include "state_fixture.h"

namespace tidal::shard {
namespace sessions_test {

EntityId user_here(int number) {
    for (int i = 0;; ++i) {
        EntityId id("user " + std::to_string(i));
        const VShard home = record::vshard_of(kDefaultTenant, EntityKind::kUser, id);
        if (home.value() < kOwnedEnd && number-- == 0) return id;
    }
}

bool here(std::uint64_t item) {
    return record::vshard_of(kDefaultTenant, EntityKind::kItem, EntityId(item)).value() < kOwnedEnd;
}

std::uint64_t session_id(const EntityId& user, std::uint64_t number) {
    return number * kVShardCount +
           record::vshard_of(kDefaultTenant, EntityKind::kUser, user).value();
}

class ShardSessions : public testing::Test {
protected:
    struct Model {
        EntityId user;
        record::SessionLimits limits;
        UnixMillis expires_ms = 0, filled_ms = 0;
        std::uint64_t units = 0, last = 0, likes = 0, views = 0;
        bool closed = false;
        record::FixedWeight reward = 0;
    };
    /// With a key.
    struct Sent {
        record::SessionUndoBody takes_back;
        SignalTypeId signal;
        record::FixedWeight weight = 0;
        bool counted = false, undone = false;
    };

    ShardSessions() {
        log_.push_back(stamper_.stamp(test_config()));
        log_.push_back(stamper_.stamp(record::SchemaBody{schema::encode_schema(test_schema())}));
        for (std::uint64_t item = 1; item <= kItems; ++item) {
            if (!here(item)) continue;
            record::UpsertBody body;
            body.id = EntityId(item);
            log_.push_back(stamper_.stamp(body));
        }
    }
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

    void open() {
        record::SessionBody body;
        body.user = user_here(static_cast<int>(below(3)));
        body.session = session_id(*body.user, ++opened_);
        body.limits.per_minute = 60;
        body.limits.burst = static_cast<std::uint32_t>(1 + below(6));
        body.limits.duration_ms = 5'000 + below(60'000);
        if (below(2) == 0) body.limits.signals = {kLike};
        log_.push_back(stamper_.stamp(body));
        const UnixMillis now = stamper_.last().wall_ms();
        sessions_[body.session] = {*body.user, body.limits,
                                   now + static_cast<UnixMillis>(body.limits.duration_ms), now,
                                   body.limits.burst * audience::Session::kTokenUnits};
    }
    std::uint64_t any_session() {
        return std::next(sessions_.begin(), static_cast<std::ptrdiff_t>(below(sessions_.size())))
            ->first;
    }
    void close() {
        record::SessionBody body;
        body.act = record::SessionAct::kClose;
        body.session = any_session();
        log_.push_back(stamper_.stamp(body));
        sessions_[body.session].closed = true;
    }
    /// False = there is no token.
    bool spend(Model& model) {
        const UnixMillis now = stamper_.last().wall_ms();
        const std::uint64_t most = model.limits.burst * audience::Session::kTokenUnits;
        const std::uint64_t units =
            std::min(most, model.units + static_cast<std::uint64_t>(now - model.filled_ms) * 60);
        if (units < audience::Session::kTokenUnits) return false;
        model.units = units - audience::Session::kTokenUnits;
        model.filled_ms = now;
        return true;
    }
    void send() {
        record::SessionSignalBody body;
        body.session = any_session();
        Model& model = sessions_[body.session];
        body.signal.signal = below(3) == 0 ? kView : kLike;
        body.signal.item = EntityId(1 + below(kItems));
        body.signal.weight = static_cast<record::FixedWeight>(1 + below(8)) << 18;
        const std::string key = below(2) == 0 ? "key " + std::to_string(sent_.size()) : "";
        record::Record record = stamper_.stamp(body, key);
        if (!key.empty())
            sent_.push_back({{body.session, EntityKind::kItem, body.signal.item, key},
                             body.signal.signal,
                             body.signal.weight});
        const std::uint64_t sequence = below(4) == 0 ? 0 : model.last + below(4);
        record.envelope.session_sequence = sequence;
        log_.push_back(record);
        const UnixMillis now = stamper_.last().wall_ms();
        if ((sequence != 0 && sequence <= model.last) || model.closed || now >= model.expires_ms)
            return;
        if (!model.limits.signals.empty() && body.signal.signal != kLike) return;
        if (!spend(model)) return;
        model.last = std::max(model.last, sequence);
        (body.signal.signal == kLike ? model.likes : model.views) += 1;
        if (body.signal.signal == kLike) model.reward += body.signal.weight;
        ++accepted_[{body.signal.item.number(), body.signal.signal}];
        if (!key.empty()) sent_.back().counted = true;
    }
    /// Of what counted, or did not, or was taken back already.
    void undo() {
        if (sent_.empty()) return;
        const auto counted = std::find_if(sent_.rbegin(), sent_.rend(),
                                          [](const Sent& each) { return each.counted; });
        Sent& sent = below(3) != 0 && counted != sent_.rend()
                         ? *counted
                         : sent_[sent_.size() - 1 - below(std::min<std::size_t>(sent_.size(), 30))];
        log_.push_back(stamper_.stamp(sent.takes_back));
        Model& model = sessions_[sent.takes_back.session];
        if (!sent.counted) {
            if (!sent.undone) spend(model);  // The key of nothing that counted.
            return;
        }
        sent.counted = false;
        sent.undone = true;
        ++undone_;
        (sent.signal == kLike ? model.likes : model.views) -= 1;
        if (sent.signal == kLike) model.reward -= sent.weight;
        const std::pair at(sent.takes_back.item.number(), sent.signal);
        if (here(at.first))
            --accepted_[at];
        else
            ++taken_back_[at];
    }
    void act() {
        stamper_.advance(static_cast<UnixMillis>(below(1'500)));
        const std::uint64_t die = below(20);
        if (sessions_.empty() || die == 0) return open();
        if (die == 1) return close();
        if (die == 2) return log_.push_back(stamper_.stamp(record::TickBody{}));
        if (die < 5) return undo();
        send();
    }

    /// Everything behind what a life has, in batches of some size.
    void replay(StateLives* lives, std::size_t batch, std::size_t until) {
        std::size_t from = lives->state().applied().value();
        while (from < until) {
            const std::size_t size = std::min(batch, until - from);
            lives->apply(std::span(log_).subspan(from, size));
            from += size;
        }
    }
    void compare(ShardState& state) {
        for (const auto& [id, model] : sessions_) {
            const auto session = state.sessions().find(id).value();
            ASSERT_TRUE(session) << "nothing here lasts a day";
            EXPECT_EQ(session->user, model.user);
            EXPECT_EQ(session->last_sequence, model.last);
            EXPECT_EQ(session->reward, model.reward);
            std::map<SignalTypeId, std::uint64_t> counts(session->counts.begin(),
                                                         session->counts.end());
            EXPECT_EQ(counts[kLike], model.likes);
            EXPECT_EQ(counts[kView], model.views);
            EXPECT_EQ(session->units_at(model.filled_ms), model.units);
        }
        std::map<std::pair<std::uint64_t, SignalTypeId>, std::uint64_t> left, back;
        for (const auto& [target, rows] : state.outbox().streams())
            for (const record::RelayRow& row : rows)
                if (record::is_of_session(row.effect))
                    ++(row.count > 0 ? left : back)[{row.target.number(), row.signal}];
        EXPECT_EQ(back, taken_back_);
        for (const auto& [what, times] : accepted_)
            if (!here(what.first)) {
                EXPECT_EQ(left[what], times) << "item " << what.first;
            }
        must(state.settle());
        for (const auto& [what, times] : accepted_)
            if (here(what.first)) {
                EXPECT_EQ(count(state, what.first, what.second), times) << "item " << what.first;
            }
    }
    std::uint64_t count(ShardState& state, std::uint64_t item, SignalTypeId signal) {
        const auto slot = state.entities(EntityKind::kItem).find(EntityId(item));
        std::uint64_t out = 0;
        for (auto& [origin, table] : state.ledgers(EntityKind::kItem)) {
            const auto reading = must(table->read(*slot, signal, state.last_stamp().wall_ms()));
            out += static_cast<std::uint64_t>(
                reading.windows[static_cast<std::size_t>(schema::Window::kAll)].count);
        }
        return out;
    }

    static constexpr std::uint64_t kItems = 12;
    std::mt19937_64 random_{77};
    Stamper stamper_;
    std::vector<record::Record> log_;
    std::map<std::uint64_t, Model> sessions_;
    std::map<std::pair<std::uint64_t, SignalTypeId>, std::uint64_t> accepted_;
    std::map<std::pair<std::uint64_t, SignalTypeId>, std::uint64_t> taken_back_;  ///< Elsewhere.
    std::vector<Sent> sent_;
    std::uint64_t opened_ = 0, undone_ = 0;
};

TEST_F(ShardSessions, EqualAModelOfWhatWasAcceptedThroughCrashes) {
    for (int i = 0; i < 3'000; ++i) act();
    ASSERT_GT(undone_, 30u);
    StateLives straight;
    replay(&straight, 64, log_.size());
    compare(straight.state());
    const std::uint64_t hash = must(straight.state().content_hash());
    StateLives crashed;
    for (std::size_t until = 0; until < log_.size();) {
        until = std::min(log_.size(), until + 1 + below(200));
        replay(&crashed, 1 + below(30), until);
        if (below(3) == 0) crashed.checkpoint();
        if (below(3) == 0) crashed.reopen();
    }
    replay(&crashed, 7, log_.size());
    compare(crashed.state());
    EXPECT_EQ(must(crashed.state().content_hash()), hash);
    crashed.checkpoint();
    crashed.reopen();
    EXPECT_EQ(must(crashed.state().content_hash()), hash);
}

TEST_F(ShardSessions, ARowOfASignalArrivesAsTheSignalWouldHave) {
    StateLives lives;
    std::uint64_t item = 1;
    while (!here(item)) ++item;
    replay(&lives, 10, log_.size());
    record::RelayRow row;
    row.sequence = 1;
    row.effect = record::RelayEffect::kSignal;
    row.target = EntityId(item);
    row.signal = kLike;
    row.weight = record::kWeightOne;
    row.event_time_ms = stamper_.last().wall_ms();
    row.user = user_here(0);
    row.stamp = stamper_.last();
    const VShard at = record::vshard_of(kDefaultTenant, EntityKind::kItem, row.target);
    record::RelayBody body{kOther, Incarnation(1), at, {row}};
    const auto slot = lives.state().entities(EntityKind::kItem).find(row.target);
    body.rows.push_back(row);
    body.rows.back().sequence = 2;
    // Of an item that was deleted since, and made anew.
    body.rows.back().stamp = body.rows.back().generation = HybridTime::from_bits(77);
    body.rows.push_back(row);
    body.rows.back().sequence = 3;
    // By a node that did not know of that yet: it is newer than the item there is.
    body.rows.back().generation = HybridTime::from_bits(77);
    for (int i = 0; i < 2; ++i)
        lives.apply(std::vector<record::Record>{stamper_.stamp(body)});  // The second time: known.
    must(lives.state().settle());
    EXPECT_EQ(count(lives.state(), item, kLike), 2u);
    const auto liked = lives.state().user_states().names().find("liked");
    ASSERT_TRUE(liked);
    EXPECT_TRUE(lives.state().user_states().holds(user_here(0), *liked, *slot));
    EXPECT_NE(lives.state().tastes().find(user_here(0)), nullptr) << "back in the user's shard";
}

TEST_F(ShardSessions, ATickClosesWhatIsOverdueAndForgetsItADayLater) {
    StateLives lives;
    open();
    const std::uint64_t id = sessions_.begin()->first;
    replay(&lives, 10, log_.size());
    stamper_.advance(65'000);
    log_.push_back(stamper_.stamp(record::TickBody{}));
    replay(&lives, 10, log_.size());
    EXPECT_EQ(lives.state().sessions().get(id)->end, audience::SessionEnd::kExpired);
    stamper_.advance(audience::Sessions::kKeepMs);
    log_.push_back(stamper_.stamp(record::TickBody{}));
    replay(&lives, 10, log_.size());
    EXPECT_FALSE(lives.state().sessions().find(id)->has_value());
}

TEST_F(ShardSessions, GoWithTheirUser) {
    StateLives lives;
    open();
    const auto [id, model] = *sessions_.begin();
    record::DeleteBody gone;
    gone.kind = EntityKind::kUser;
    gone.id = model.user;
    log_.push_back(stamper_.stamp(gone));
    replay(&lives, 10, log_.size());
    EXPECT_FALSE(lives.state().sessions().find(id)->has_value());
}

}  // namespace sessions_test
}  // namespace tidal::shard
