#include "api/internal/shown_join.h"

#include <algorithm>

namespace tidal::api {

using record::Record;
using record::SignalBody;

ShownJoin::ShownJoin(ShownJoinOptions options, LogIndex next)
    : options_(std::move(options)), next_(next) {}

ShownJoin::Viewing ShownJoin::viewing_of(const EntityId& item, const std::optional<EntityId>& user,
                                         const std::string& session) {
    return {item, user, user ? std::string() : session};
}

bool ShownJoin::take(const Record& record) {
    const record::Envelope& envelope = record.envelope;
    if (full_ && envelope.stamp.wall_ms() >= last_logged_ms_ + options_.within_ms) return false;
    if (const auto* body = std::get_if<SignalBody>(&record.body)) {
        if (body->signal == options_.impression) {
            if (!envelope.user_erased) take_impression(record, *body);
        } else {
            take_signal(envelope, envelope.event_time_ms, *body, 0);
        }
    } else if (const auto* of_session = std::get_if<record::SessionSignalBody>(&record.body)) {
        take_session_signal(envelope, *of_session);
    } else if (const auto* relay = std::get_if<record::RelayBody>(&record.body)) {
        take_rows(envelope, *relay);
    } else if (const auto* undo = std::get_if<record::UndoBody>(&record.body)) {
        take_undo(envelope, {envelope.principal, undo->item, 0, undo->key});
    } else if (const auto* under = std::get_if<record::SessionUndoBody>(&record.body)) {
        take_undo(envelope, {envelope.principal, under->item, under->session, under->key});
    }
    if (!full_) next_ = envelope.index.next();
    return true;
}

void ShownJoin::take_impression(const Record& record, const SignalBody& body) {
    const Viewing viewing = viewing_of(body.item, body.user, record.envelope.session);
    auto kept = options_.keep(record, body);
    if (kept && shown_.size() >= options_.limit) full_ = true;
    if (!kept || full_) {
        latest_.erase(viewing);  // Signals from here on are its own.
        return;
    }
    last_logged_ms_ = record.envelope.stamp.wall_ms();
    JoinedImpression& out = shown_.emplace_back();
    out.stamp = record.envelope.stamp;
    out.next = record.envelope.index.next();
    out.until_ms = last_logged_ms_ + options_.within_ms;
    out.item.id = body.item;
    out.item.at_ms = record.envelope.event_time_ms;
    out.item.user_id = body.user;
    out.item.session_id = record.envelope.session;
    out.item.context = std::move(*kept);
    if (viewing.user || !viewing.session.empty()) latest_[viewing] = gone_ + shown_.size() - 1;
}

std::optional<ShownJoin::Place> ShownJoin::take_signal(const record::Envelope& envelope,
                                                       UnixMillis event_time_ms,
                                                       const SignalBody& body,
                                                       std::uint64_t session) {
    const auto found = latest_.find(viewing_of(body.item, body.user, envelope.session));
    const schema::Schema& schema = *options_.schema;
    if (found == latest_.end() || body.signal.value() >= schema.signals.size()) return std::nullopt;
    JoinedImpression& shown = at(found->second);
    const UnixMillis after_ms = event_time_ms - shown.item.at_ms;
    if (after_ms < 0 || after_ms >= options_.within_ms ||
        envelope.stamp.wall_ms() >= shown.until_ms)
        return std::nullopt;
    if (shown.item.signals.size() >= kShownSignalsMax) return std::nullopt;
    const Place counted(found->second, shown.item.signals.size());
    // A key means one signal, however often a cluster logged it.
    if (!envelope.idempotency_key.empty()) {
        const auto [key, is_new] = by_key_.try_emplace(
            {envelope.principal, body.item, session, envelope.idempotency_key}, counted);
        if (!is_new && key->second.first >= gone_) return std::nullopt;
        key->second = counted;
    }
    shown.item.signals.push_back({schema.signals[body.signal.value()].name,
                                  record::weight_to_double(body.weight), event_time_ms});
    return counted;
}

/// Of a user whose shard this is. Where the item is in another, the row that arrives there
/// counts. A number that two calls brought at once is logged twice and means one signal.
void ShownJoin::take_session_signal(const record::Envelope& envelope,
                                    const record::SessionSignalBody& body) {
    if (!options_.of_this_shard(envelope.tenant, body.signal.item)) return;
    const auto found = latest_.find(viewing_of(body.signal.item, body.signal.user, {}));
    if (found == latest_.end()) return;
    if (envelope.session_sequence != 0) {
        const auto [number, is_new] =
            numbers_.try_emplace(std::pair(body.session, envelope.session_sequence), found->second);
        if (!is_new && number->second >= gone_) return;
        number->second = found->second;
    }
    take_signal(envelope, envelope.event_time_ms, body.signal, body.session);
}

/// Signals of sessions from their users' shard, each once, as the relay counts them.
void ShownJoin::take_rows(const record::Envelope& envelope, const record::RelayBody& relay) {
    std::uint64_t& mark = marks_[{relay.source, relay.source_incarnation, relay.target}];
    for (const record::RelayRow& row : relay.rows) {
        if (row.sequence <= mark) continue;
        mark = row.sequence;
        if (record::is_of_session(row.effect) && row.signal != options_.impression)
            take_row(envelope, row);
    }
}

void ShownJoin::take_row(const record::Envelope& envelope, const record::RelayRow& row) {
    const bool keyed = row.effect == record::RelayEffect::kKeyedSignal;
    const std::pair sent(*row.user, row.stamp.bits());
    if (keyed && row.count < 0) {
        const auto found = by_stamp_.find(sent);
        if (found != by_stamp_.end()) take_back(envelope, found->second);
        return;
    }
    SignalBody body;
    body.signal = row.signal;
    body.item = row.target;
    body.weight = row.weight;
    body.user = row.user;
    const auto counted = take_signal(envelope, row.event_time_ms, body, 0);
    if (keyed && counted) by_stamp_[sent] = *counted;
}

void ShownJoin::take_undo(const record::Envelope& envelope, const KeyOf& signal) {
    const auto found = by_key_.find(signal);
    if (found != by_key_.end()) take_back(envelope, found->second);
}

void ShownJoin::take_back(const record::Envelope& envelope, const Place& signal) {
    if (signal.first < gone_) return;
    JoinedImpression& shown = at(signal.first);
    if (envelope.stamp.wall_ms() < shown.until_ms) shown.taken_back.insert(signal.second);
}

/// Without what was taken back, and what the rest is worth.
void ShownJoin::value(JoinedImpression* shown) const {
    std::vector<ShownSignal> kept;
    for (std::size_t i = 0; i < shown->item.signals.size(); ++i)
        if (!shown->taken_back.contains(i)) kept.push_back(std::move(shown->item.signals[i]));
    shown->item.signals = std::move(kept);
    shown->taken_back.clear();
    for (const ShownSignal& one : shown->item.signals) {
        const schema::Polarity polarity = options_.schema->find_signal(one.signal)->polarity;
        if (polarity == schema::Polarity::kPositive) {
            shown->item.reward += one.weight;
            shown->positive = true;
        } else if (polarity == schema::Polarity::kNegative) {
            shown->item.reward -= one.weight;
        }
    }
}

JoinedImpression ShownJoin::pop() {
    JoinedImpression out = std::move(shown_.front());
    const auto latest =
        latest_.find(viewing_of(out.item.id, out.item.user_id, out.item.session_id));
    if (latest != latest_.end() && latest->second == gone_) latest_.erase(latest);
    shown_.pop_front();
    ++gone_;
    value(&out);
    return out;
}

/// Keys of what is settled count as absent already. Now and then, so that it costs a key the same
/// however many there are.
void ShownJoin::forget_gone() {
    constexpr std::size_t kKeysMin = 1024;
    const auto kept = [this] { return by_key_.size() + by_stamp_.size() + numbers_.size(); };
    if (kept() < std::max(kKeysMin, 2 * kept_keys_)) return;
    absl::erase_if(by_key_, [this](const auto& each) { return each.second.first < gone_; });
    absl::erase_if(by_stamp_, [this](const auto& each) { return each.second.first < gone_; });
    absl::erase_if(numbers_, [this](const auto& each) { return each.second < gone_; });
    kept_keys_ = kept();
}

std::vector<JoinedImpression> ShownJoin::settle(UnixMillis logged_ms) {
    std::vector<JoinedImpression> out;
    while (!shown_.empty() && shown_.front().until_ms <= logged_ms) out.push_back(pop());
    if (!out.empty()) forget_gone();
    return out;
}

std::vector<JoinedImpression> ShownJoin::finish() {
    std::vector<JoinedImpression> out;
    while (!shown_.empty()) out.push_back(pop());
    return out;
}

}  // namespace tidal::api
