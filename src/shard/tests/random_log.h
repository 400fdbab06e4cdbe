// Random logs of one shard: every kind of record, sensible and not.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "record/record.h"
#include "runtime/seeded_random.h"
#include "shard/tests/state_fixture.h"

namespace tidal::shard {

/// A log as a leader could write it, begun by configuration and schema. Ids, keys and streams come
/// from small pools, so that repeats, undos, gaps and stale generations meet what they refer to.
class RandomLog {
public:
    /// @param with_budgets  Of memory, which change on the way; else there is room for everything.
    explicit RandomLog(std::uint64_t seed, bool with_budgets = true)
        : random_(seed), with_budgets_(with_budgets), schema_(test_schema()) {}

    std::vector<record::Record> make(std::size_t records) {
        log_.clear();
        push(test_config());
        push(record::SchemaBody{schema::encode_schema(schema_)});
        while (log_.size() < records) push_any();
        return std::move(log_);
    }

private:
    std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    EntityId item() { return EntityId(1 + below(6)); }
    EntityId user() { return EntityId("user " + std::to_string(below(9))); }
    EntityId creator() { return creator_where(one_in(2), static_cast<int>(below(3))); }
    EntityId of(EntityKind kind) {
        if (kind == EntityKind::kItem) return item();
        return kind == EntityKind::kUser ? user() : creator();
    }
    EntityKind kind() { return static_cast<EntityKind>(one_in(2) ? 0 : below(3)); }
    // Undos name the same keys.
    std::string key_of(const EntityId& id) {
        return id.to_string() + "/" + std::to_string(below(3));
    }
    std::optional<HybridTime> any_version() {
        if (!one_in(6)) return std::nullopt;
        return log_[below(log_.size())].envelope.stamp;
    }

    record::Record& push(record::Body body, std::string key = {}) {
        stamper_.advance(
            static_cast<UnixMillis>(one_in(25) ? below(20 * 3600 * 1000) : below(90'000)));
        log_.push_back(stamper_.stamp(std::move(body), std::move(key)));
        record::Envelope& envelope = log_.back().envelope;
        if (one_in(60)) envelope.epoch = Epoch(2);
        if (one_in(60)) envelope.schema_version = schema_.version.next();
        return log_.back();
    }

    void push_any() {
        switch (below(32)) {
            case 0:
            case 1:
            case 2:
                return push_upsert();
            case 3:
                push(record::DeleteBody{EntityKind::kItem, item(), any_version()});
                return;
            case 4:
                if (one_in(2)) {
                    const EntityKind which = kind();
                    push(record::DeleteBody{which, of(which), any_version()});
                }
                return;
            case 5:
                return push_embedding();
            case 6:
            case 7:
                return push_undo();
            case 25:
            case 26:
                return push_session_undo();
            case 8:
            case 9:
                return push_relay();
            case 10:
                return push_acknowledgement();
            case 11:
                push(record::TickBody{});
                return;
            case 12:
                return push_schema();
            case 14:
            case 15: {
                // What a client sends that heard no answer.
                const record::Record* first = &log_[1];
                for (int i = 0; i < 8 && first->envelope.idempotency_key.empty(); ++i)
                    first = &log_[log_.size() - 1 - below(std::min<std::size_t>(log_.size(), 20))];
                push(record::Body(first->body), std::string(first->envelope.idempotency_key));
                return;
            }
            case 16:
                push_relationship();
                return;
            case 17:
            case 18:
                return push_session();
            case 19:
            case 20:
                return push_session_signal();
            case 21:
                return push_delivery();
            case 22:
                return push_member();
            case 23:
                return push_saved_search();
            case 24:
                if (one_in(2)) return push_catalog();
                if (with_budgets_ && one_in(6)) return push_budgets();
                return push_erasure();
            case 13:
                if (one_in(2)) return push_keys();
                push(record::ImportMarkBody{"import " + std::to_string(below(2)), below(100)});
                return;
            default:
                return push_signal();
        }
    }

    void push_erasure() {
        record::EraseUserBody body;
        body.user = user();
        body.if_match = any_version();
        if (one_in(2)) body.others.push_back(VShard(0));
        if (one_in(2)) body.others.push_back(VShard(1));
        push(std::move(body));
    }

    void push_keys() {
        record::ArchiveKeysBody body;
        for (std::uint64_t i = 1 + below(3); i > 0; --i)
            body.keys.push_back({user(), log_[below(log_.size())].envelope.stamp, below(12),
                                 std::string(record::kArchiveSecretBytes, 's')});
        push(std::move(body));
    }

    void push_upsert() {
        record::UpsertBody body;
        body.kind = kind();
        body.id = of(body.kind);
        body.must_exist = one_in(4);
        body.if_match = any_version();
        if (body.kind == EntityKind::kItem) {
            if (one_in(2)) body.fields.push_back({FieldId(1), record::Value(std::string("music"))});
            if (one_in(2))
                body.fields.push_back(
                    {FieldId(2), record::Value(static_cast<std::int64_t>(1950 + below(9)))});
            if (one_in(4)) body.fields.push_back({FieldId(2), std::nullopt});
            if (one_in(9)) body.fields.push_back({FieldId(7), std::nullopt});
            if (one_in(2)) body.creator.emplace(creator());
            if (one_in(8)) body.creator.emplace(std::nullopt);
            if (one_in(4)) body.expires_at.emplace(kStartMs + static_cast<UnixMillis>(below(1000)));
        }
        push(body, one_in(3) ? key_of(body.id) : "");
    }

    record::SignalBody any_signal() {
        record::SignalBody body;
        body.signal = SignalTypeId(static_cast<std::uint16_t>(below(schema_.signals.size())));
        if (one_in(40)) body.signal = SignalTypeId(60);
        body.item = item();
        body.weight = static_cast<std::int64_t>(below(64)) * record::kWeightOne / 16;
        if (!one_in(3)) body.user = user();
        if (one_in(4)) body.creator = creator();
        return body;
    }

    void push_signal() {
        const record::SignalBody body = any_signal();
        record::Record& record = push(body, one_in(2) ? key_of(body.item) : "");
        date_and_place(&record.envelope);
        if (one_in(6)) record.envelope.principal = "bob";
    }

    void date_and_place(record::Envelope* envelope) {
        if (one_in(2)) {
            envelope->event_time_given = true;
            envelope->event_time_ms -= static_cast<UnixMillis>(below(3 * 24 * 3600 * 1000));
        }
        if (one_in(8)) envelope->generation = log_[below(log_.size())].envelope.stamp;
        if (one_in(6)) envelope->origin = RegionId(2);
        for (std::uint32_t cohort = 1; cohort <= 3; ++cohort)
            if (one_in(3)) envelope->cohorts.emplace_back(cohort);
    }

    /// One of a few, each a user's; its id says whose.
    struct NamedSession {
        EntityId user;
        std::uint64_t id = 0;
    };
    NamedSession session() {
        const std::uint64_t number = below(6);
        const EntityId whose("user " + std::to_string(number));
        const VShard home = record::vshard_of(kDefaultTenant, EntityKind::kUser, whose);
        return {whose, (1 + number) * kVShardCount + home.value()};
    }
    record::Annotations annotations() {
        record::Annotations out;
        for (const char* const key : {"mood", "place"})
            if (one_in(2)) out.emplace_back(key, one_in(3) ? "" : std::to_string(below(9)));
        return out;
    }

    void push_session() {
        const NamedSession named = session();
        record::SessionBody body;
        body.act = one_in(2) ? record::SessionAct::kOpen
                             : static_cast<record::SessionAct>(below(record::kSessionActCount));
        body.session = named.id;
        if (body.act == record::SessionAct::kOpen) {
            body.user = named.user;
            if (one_in(4)) body.agent = "helper";
            if (one_in(3)) body.limits.signals = {kLike};
            body.limits.per_minute = 2;
            body.limits.burst = 3;
            if (one_in(2)) body.limits.duration_ms = record::kSessionDurationMsMax;
        }
        if (body.act <= record::SessionAct::kAnnotate) body.annotations = annotations();
        if (body.act == record::SessionAct::kShow)
            for (std::uint64_t i = 1 + below(4); i > 0; --i) body.shown.push_back(item());
        record::Record& record = push(body);
        if (body.act == record::SessionAct::kAnnotate)
            record.envelope.session_sequence = next_number(named.id);
    }

    /// Mostly of the session's user, or naming nobody.
    void push_session_signal() {
        const NamedSession named = session();
        record::SessionSignalBody body{named.id, any_signal()};
        if (body.signal.user && !one_in(6)) body.signal.user = named.user;
        std::string key;
        if (!one_in(4)) {
            key = "visit " + std::to_string(sent_in_sessions_.size());
            if (one_in(6)) key = key_of(body.signal.item);
            sent_in_sessions_.push_back({named.id, EntityKind::kItem, body.signal.item, key});
        }
        record::Record& record = push(body, key);
        date_and_place(&record.envelope);
        record.envelope.session_sequence = next_number(named.id);
    }

    /// Mostly of what was sent lately; some of another session or item.
    void push_session_undo() {
        if (sent_in_sessions_.empty()) return;
        const std::size_t back = 1 + below(std::min<std::size_t>(sent_in_sessions_.size(), 5));
        record::SessionUndoBody body = sent_in_sessions_[sent_in_sessions_.size() - back];
        if (one_in(12)) body.session = session().id;
        if (one_in(12)) body.item = item();
        if (one_in(20)) body.kind = EntityKind::kCreator;
        push(std::move(body), one_in(6) ? "undo " + body.key : "");
    }

    /// Mostly the next one, sometimes none or one that was.
    std::uint64_t next_number(std::uint64_t session) {
        std::uint64_t& last = numbers_[session];
        if (one_in(6)) return below(last + 1);
        return ++last;
    }

    void push_delivery() {
        record::DeliveryBody body;
        body.user = user();
        body.profile = one_in(3) ? "trending" : "for_you";
        body.cap = 1 + static_cast<std::uint32_t>(below(20));
        body.wanted = 1 + static_cast<std::uint32_t>(below(10));
        body.page = below(5);
        push(body);
    }

    void push_member() {
        using Change = record::CollectionMemberBody::Change;
        record::CollectionMemberBody body;
        body.collection = CollectionId(static_cast<std::uint32_t>(1 + below(3)));
        body.change = one_in(12) ? Change::kDropAll : one_in(4) ? Change::kRemove : Change::kPut;
        if (body.change != Change::kDropAll) body.item = item();
        if (body.change == Change::kPut) body.position = static_cast<double>(below(8)) / 2;
        push(body, one_in(4) ? "member " + key_of(body.item) : "");
    }

    void push_saved_search() {
        record::SavedSearchBody body;
        body.user = user();
        body.name = "search " + std::to_string(below(2));
        if (one_in(2)) {
            body.text = "for_you limit " + std::to_string(1 + below(9));
        } else {
            body.looked = !one_in(3);
        }
        push(body, one_in(4) ? "search " + key_of(body.user) : "");
    }

    /// From nothing at all to room for everything.
    void push_budgets() {
        record::ShardConfigBody body = test_config();
        auto& memory = body.memory.emplace();
        for (std::uint64_t* const budget :
             {&memory.user_states, &memory.tastes, &memory.co_engagement, &memory.cohorts,
              &memory.collections})
            *budget = one_in(3) ? 1ULL << 30 : below(4'000);
        push(body);
    }

    void push_catalog() {
        record::CatalogBody body;
        body.kind = static_cast<record::CatalogKind>(below(record::kCatalogKindCount));
        body.name = one_in(2) ? "a" : "b";
        body.version = static_cast<std::uint32_t>(1 + below(3));
        if (!one_in(4)) body.text = "text " + std::to_string(below(3));
        if (one_in(4)) body.since = last_catalog_;
        if (one_in(9)) body.since = HybridTime::from_bits(below(9));  // of no catalogue: refused
        last_catalog_ = push(body).envelope.stamp;
    }

    void push_relationship() {
        record::RelationshipBody body;
        body.kind = static_cast<record::RelationshipKind>(below(record::kRelationshipKindCount));
        body.ends = one_in(3);
        body.user = user();
        body.target = of(record::target_kind(body.kind));
        push(body, one_in(4) ? "relate " + key_of(body.user) : "");
    }

    void push_undo() {
        const EntityId id = item();
        record::Record& record =
            push(record::UndoBody{id, key_of(id)}, one_in(3) ? "undo " + key_of(id) : "");
        if (one_in(6)) record.envelope.principal = "bob";
    }

    void push_embedding() {
        record::EmbeddingBody body;
        body.id = item();
        body.slot = EmbeddingSlotId(one_in(8) ? 1 : 0);
        for (int i = one_in(8) ? 3 : 4; i > 0; --i)
            body.values.push_back(static_cast<float>(below(16)) / 8);
        push(body, one_in(4) ? key_of(body.id) : "");
    }

    /// What a user of this shard did with an item, here or on the other one.
    void make_taste(record::RelayRow* row) {
        row->effect = record::RelayEffect::kTaste;
        row->target = user();
        row->item = item();
        if (one_in(2)) row->creator = creator();
        row->stamp = stamper_.last();
        if (one_in(4)) row->count = -1;
        row->weight *= row->count;
        row->user.reset();
        if (one_in(3)) return make_session_signal(row);
        if (!one_in(3)) return;
        row->effect = record::RelayEffect::kCoEngagement;
        row->target = *row->item;
        row->item.reset();
        row->creator.reset();
        row->stamp = HybridTime();
        row->count = one_in(2) ? 1 : 0;
        for (std::uint64_t i = below(4); i > 0; --i) row->others.push_back(item());
    }

    /// What a user of the other shard did under a session with an item of this one.
    void make_session_signal(record::RelayRow* row) {
        if (one_in(3) && !keyed_rows_.empty()) return take_back_row(row);
        row->effect = record::RelayEffect::kSignal;
        row->target = *row->item;
        row->item.reset();
        row->user = user();
        row->weight = record::kWeightOne;
        row->count = 1;
        if (one_in(4)) row->generation = log_[below(log_.size())].envelope.stamp;
        for (std::uint32_t cohort = 1; cohort <= 3; ++cohort)
            if (one_in(3)) row->cohorts.emplace_back(cohort);
        // A user's stamps differ.
        const bool again = std::ranges::any_of(keyed_rows_, [&](const record::RelayRow& each) {
            return each.user == row->user && each.stamp == row->stamp;
        });
        if (again || one_in(2)) return;
        row->effect = record::RelayEffect::kKeyedSignal;
        keyed_rows_.push_back(*row);
    }

    /// Of a row that came, or got lost as it was out of turn; once, and within a day.
    void take_back_row(record::RelayRow* row) {
        const std::uint64_t sequence = row->sequence;
        const auto back =
            static_cast<std::ptrdiff_t>(1 + below(std::min<std::size_t>(keyed_rows_.size(), 4)));
        const auto sent = keyed_rows_.end() - back;
        if (stamper_.last().wall_ms() - sent->stamp.wall_ms() < 20LL * 3600 * 1000) {
            *row = *sent;
            row->sequence = sequence;
            row->count = -1;
        }
        keyed_rows_.erase(sent);
    }

    /// Rows from the other shard: most deliveries go on from the last, some repeat, some skip.
    void push_relay() {
        record::RelayBody body{kOther,
                               Incarnation(one_in(5) ? 2 : 1),
                               VShard(static_cast<std::uint16_t>(one_in(9) ? kOwnedEnd : below(2))),
                               {}};
        std::uint64_t& sent = sent_[body.source_incarnation.value() * 4 + body.target.value() % 4];
        std::uint64_t sequence = sent + 1;
        if (one_in(3)) sequence -= below(sequence);
        if (one_in(8)) sequence += 2;
        for (std::uint64_t i = 1 + below(4); i > 0; --i) {
            record::RelayRow row;
            row.sequence = sequence++;
            row.target = creator();
            row.signal = one_in(2) ? kView : kLike;
            row.weight = record::kWeightOne;
            row.event_time_ms = stamper_.last().wall_ms();
            if (one_in(2)) row.user = user();
            if (one_in(3)) make_taste(&row);
            body.rows.push_back(row);
        }
        if (body.rows.front().sequence <= sent + 1) sent = std::max(sent, sequence - 1);
        push(std::move(body));
    }

    void push_acknowledgement() {
        const VShard target = record::vshard_of(kDefaultTenant, EntityKind::kCreator,
                                                creator_where(false, static_cast<int>(below(3))));
        push(record::RelayAckBody{kOther, target, below(20)});
    }

    void push_schema() {
        if (!one_in(4) || schema_.signals.size() > 6) return;
        if (!one_in(4)) {
            schema::SignalSpec added = schema_.signals[0];
            added.id = SignalTypeId(static_cast<std::uint16_t>(schema_.signals.size()));
            added.name = "added_" + std::to_string(schema_.signals.size());
            schema_.signals.push_back(added);
            schema_.version = schema_.version.next();
        }
        push(record::SchemaBody{schema::encode_schema(schema_)});
        stamper_.set_schema_version(schema_.version);
    }

    runtime::SeededRandom random_;
    const bool with_budgets_;
    Stamper stamper_;
    HybridTime last_catalog_;
    schema::Schema schema_;
    std::vector<record::Record> log_;
    std::uint64_t sent_[16] = {};
    std::map<std::uint64_t, std::uint64_t> numbers_;         ///< The last of each session.
    std::vector<record::SessionUndoBody> sent_in_sessions_;  ///< What would take it back.
    std::vector<record::RelayRow> keyed_rows_;
};

}  // namespace tidal::shard
