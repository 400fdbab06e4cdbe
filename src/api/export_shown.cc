// What was shown, joined with what its users then did with it: a page of impressions at a time, in
// one reading of each shard's log, because an impression and the signals on its item lie in one
// shard.
#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>

#include "api/database.h"
#include "api/internal/export_position.h"
#include "api/resolve.h"

namespace tidal::api {
namespace {

using record::Record;
using record::SignalBody;

/// Whose impression of what: of a user, else of a session without one.
struct Viewing {
    EntityId item;
    std::optional<EntityId> user;
    std::string session;
    bool operator==(const Viewing&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Viewing& v) {
        return H::combine(std::move(h), v.item, v.user.value_or(EntityId()), v.session);
    }
};

struct ShownFilter {
    std::optional<UnixMillis> from_ms, until_ms;
    std::optional<EntityId> user;
    bool wants(const Record& record, const SignalBody& body) const {
        const UnixMillis at_ms = record.envelope.event_time_ms;
        return (!user || body.user == user) && (!from_ms || at_ms >= *from_ms) &&
               (!until_ms || at_ms < *until_ms);
    }
};

/// Joins the records of one shard, in log order.
class ShownJoin {
public:
    ShownJoin(const ShownRequest& request, ShownFilter filter, const schema::Schema& schema,
              SignalTypeId impression, std::function<bool(TenantId, const EntityId&)> of_this_shard,
              ExportPosition* position, std::size_t limit)
        : within_ms_(request.within_ms),
          filter_(std::move(filter)),
          schema_(schema),
          position_(*position),
          limit_(limit),
          impression_(impression),
          of_this_shard_(std::move(of_this_shard)) {}

    /// False = what follows changes nothing.
    bool take(const Record& record) {
        const UnixMillis logged_ms = record.envelope.stamp.wall_ms();
        if (full_ && logged_ms >= last_logged_ms_ + within_ms_) return false;
        const record::Envelope& envelope = record.envelope;
        if (const auto* body = std::get_if<SignalBody>(&record.body)) {
            if (body->signal == impression_) {
                if (!envelope.user_erased) take_impression(record, *body);
            } else {
                take_signal(envelope, envelope.event_time_ms, *body);
            }
        } else if (const auto* of_session = std::get_if<record::SessionSignalBody>(&record.body)) {
            take_session_signal(envelope, *of_session);
        } else if (const auto* relay = std::get_if<record::RelayBody>(&record.body)) {
            take_rows(envelope, *relay);
        } else if (const auto* undo = std::get_if<record::UndoBody>(&record.body)) {
            take_undo(envelope, *undo);
        }
        if (!full_) position_.next_of(position_.at) = record.envelope.index.next();
        return true;
    }
    bool full() const { return full_; }

    struct Shown {
        ShownItem item;
        HybridTime stamp;
        UnixMillis until_ms = 0;           ///< What is logged from then on is not counted.
        UnixMillis known_ms = 0;           ///< What is logged later here has a later time.
        std::set<std::size_t> taken_back;  ///< Of item.signals.
    };
    /// With rewards.
    std::vector<Shown> finish() {
        for (Shown& each : shown_) {
            std::vector<ShownSignal> kept;
            for (std::size_t i = 0; i < each.item.signals.size(); ++i)
                if (!each.taken_back.contains(i)) kept.push_back(std::move(each.item.signals[i]));
            each.item.signals = std::move(kept);
            for (const ShownSignal& one : each.item.signals) each.item.reward += reward_of(one);
        }
        return std::move(shown_);
    }

private:
    static Viewing viewing_of(const Record& record, const SignalBody& body) {
        return {body.item, body.user, body.user ? std::string() : record.envelope.session};
    }

    void take_impression(const Record& record, const SignalBody& body) {
        const Viewing viewing = viewing_of(record, body);
        const bool wanted = filter_.wants(record, body);
        if (wanted && shown_.size() >= limit_) full_ = true;
        if (!wanted || full_) {
            latest_.erase(viewing);  // Signals from here on are its own.
            return;
        }
        last_logged_ms_ = record.envelope.stamp.wall_ms();
        Shown& out = shown_.emplace_back();
        out.stamp = record.envelope.stamp;
        out.until_ms = last_logged_ms_ + within_ms_;
        out.item.id = body.item;
        out.item.at_ms = record.envelope.event_time_ms;
        out.item.user_id = body.user;
        out.item.session_id = record.envelope.session;
        out.item.context = body.context;
        ExportPosition behind = position_;
        behind.next_of(behind.at) = record.envelope.index.next();
        out.item.position = encode_position(behind);
        if (viewing.user || !viewing.session.empty()) latest_[viewing] = shown_.size() - 1;
    }

    /// Whether it was counted.
    bool take_signal(const record::Envelope& envelope, UnixMillis event_time_ms,
                     const SignalBody& body) {
        const auto found =
            latest_.find({body.item, body.user, body.user ? std::string() : envelope.session});
        if (found == latest_.end() || body.signal.value() >= schema_.signals.size()) return false;
        Shown& shown = shown_[found->second];
        const UnixMillis after_ms = event_time_ms - shown.item.at_ms;
        if (after_ms < 0 || after_ms >= within_ms_ || envelope.stamp.wall_ms() >= shown.until_ms)
            return false;
        if (shown.item.signals.size() >= kShownSignalsMax) return false;
        // A key means one signal, however often a cluster logged it.
        if (!envelope.idempotency_key.empty() &&
            !by_key_
                 .try_emplace({body.item, envelope.idempotency_key}, found->second,
                              shown.item.signals.size())
                 .second)
            return false;
        shown.item.signals.push_back({schema_.signals[body.signal.value()].name,
                                      record::weight_to_double(body.weight), event_time_ms});
        return true;
    }

    /// Of a user whose shard this is. Where the item is in another, the row that arrives there
    /// counts. A number that two calls brought at once is logged twice and means one signal.
    void take_session_signal(const record::Envelope& envelope,
                             const record::SessionSignalBody& body) {
        if (!of_this_shard_(envelope.tenant, body.signal.item) ||
            !latest_.contains({body.signal.item, body.signal.user, {}}))
            return;
        const std::pair key(body.session, envelope.session_sequence);
        if (envelope.session_sequence != 0 && !numbers_.insert(key).second) return;
        take_signal(envelope, envelope.event_time_ms, body.signal);
    }

    /// Signals of sessions from their users' shard, each once, as the relay counts them.
    void take_rows(const record::Envelope& envelope, const record::RelayBody& relay) {
        std::uint64_t& mark = marks_[{relay.source, relay.source_incarnation, relay.target}];
        for (const record::RelayRow& row : relay.rows) {
            if (row.sequence <= mark) continue;
            mark = row.sequence;
            if (row.effect != record::RelayEffect::kSignal || row.signal == impression_) continue;
            SignalBody body;
            body.signal = row.signal;
            body.item = row.target;
            body.weight = row.weight;
            body.user = row.user;
            take_signal(envelope, row.event_time_ms, body);
        }
    }

    void take_undo(const record::Envelope& envelope, const record::UndoBody& undo) {
        const auto found = by_key_.find({undo.item, undo.key});
        if (found == by_key_.end()) return;
        Shown& shown = shown_[found->second.first];
        if (envelope.stamp.wall_ms() < shown.until_ms)
            shown.taken_back.insert(found->second.second);
    }

    double reward_of(const ShownSignal& one) const {
        switch (schema_.find_signal(one.signal)->polarity) {
            case schema::Polarity::kPositive:
                return one.weight;
            case schema::Polarity::kNegative:
                return -one.weight;
            case schema::Polarity::kNeutral:
                break;
        }
        return 0;
    }

    const UnixMillis within_ms_;
    const ShownFilter filter_;
    const schema::Schema& schema_;
    ExportPosition& position_;
    const std::size_t limit_;
    const SignalTypeId impression_;
    const std::function<bool(TenantId, const EntityId&)> of_this_shard_;
    absl::flat_hash_set<std::pair<std::uint64_t, std::uint64_t>> numbers_;  ///< Session, sequence.
    /// Newest row of each stream.
    absl::flat_hash_map<std::tuple<ShardId, Incarnation, VShard>, std::uint64_t> marks_;
    bool full_ = false;
    UnixMillis last_logged_ms_ = 0;  ///< Of the newest in shown_.
    std::vector<Shown> shown_;
    absl::flat_hash_map<Viewing, std::size_t> latest_;  ///< Index into shown_.
    /// By item and idempotency key: index into shown_, and into its signals.
    absl::flat_hash_map<std::pair<EntityId, std::string>, std::pair<std::size_t, std::size_t>>
        by_key_;
};

}  // namespace

/// No write that is applied here later is of a time before.
UnixMillis Database::known_through(ShardId id) {
    // Longer than a write waits between its stamp and its place in the log.
    constexpr UnixMillis kWritesTakeMs = 10'000;
    const UnixMillis applied_ms =
        shard(id).with_state([](shard::ShardState& state) { return state.read_time_ms(0); });
    if (cluster_ != nullptr) return applied_ms;
    return std::max(applied_ms, runtime_.clock().wall_ms() - kWritesTakeMs);
}

Result<ShownPage> Database::export_shown(const ShownRequest& request) {
    TIDAL_ASSIGN(const auto exporting, begin_export());
    if (request.within_ms < kShownWithinMinMs || request.within_ms > kShownWithinMaxMs)
        return Error(ErrorCode::kInvalidArgument, "within is from 1m to 30d").with_field("within");
    const auto schema = this->schema();
    const schema::SignalSpec* impression = schema->find_signal(schema::kImpression);
    if (impression == nullptr) return unknown_signal(*schema, std::string(schema::kImpression));
    ShownFilter filter{request.from_ms, request.until_ms, std::nullopt};
    if (request.user_id) {
        TIDAL_ASSIGN(filter.user,
                     resolve_id(*schema, EntityKind::kUser, *request.user_id, "user_id"));
    }
    TIDAL_ASSIGN(ExportPosition position, decode_position(request.position, shards_.size() - 1));
    if (cluster_ != nullptr && !request.gaps) TIDAL_TRY(check_whole(position.next));
    const std::size_t limit = std::max<std::uint32_t>(request.limit, 1);
    std::vector<ShownJoin::Shown> shown;
    bool full = false;
    for (std::size_t round = 1; round < shards_.size() && !full; ++round) {
        const auto here = [this, at = position.at](TenantId tenant, const EntityId& item) {
            return shard_of(record::vshard_of(tenant, EntityKind::kItem, item)) == at;
        };
        ShownJoin join(request, filter, *schema, impression->id, here, &position,
                       limit - shown.size());
        const UnixMillis known_ms = known_through(position.at);
        const LogIndex from = position.next_of(position.at);
        TIDAL_TRY(visit_history(position.at, from,
                                [&](const Record& record) { return join.take(record); }));
        full = join.full();
        for (ShownJoin::Shown& each : join.finish()) {
            each.known_ms = known_ms;
            shown.push_back(std::move(each));
        }
        if (!full) position.to_next_shard();
    }
    std::set<EntityId> users;
    for (const auto& each : shown)
        if (each.item.user_id) users.insert(*each.item.user_id);
    const auto erasures = erasures_of(users);
    ShownPage page;
    page.end = !full;
    for (auto& each : shown) {
        // Nobody can tell any more what an erased user did next: a reward of 0 would be made up.
        const auto gone = each.item.user_id ? erasures.find(*each.item.user_id) : erasures.end();
        if (gone != erasures.end() && each.stamp <= gone->second) continue;
        each.item.complete = each.until_ms <= each.known_ms;
        page.items.push_back(std::move(each.item));
    }
    page.position = encode_position(position);
    return page;
}

}  // namespace tidal::api
