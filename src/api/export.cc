// Signals as they were logged, from archive and log, a page at a time.
#include <algorithm>

#include "api/database.h"
#include "api/internal/planted.h"
#include "api/internal/term_index.h"
#include "api/resolve.h"
#include "base/base64url.h"
#include "shard/batch_records.h"

namespace tidal::api {
namespace {

constexpr std::uint8_t kPositionVersion = 2;

/// The next record of every shard, and the shard to read first. A page goes round the shards once,
/// so its end goes on with whatever is written later to any of them.
struct Position {
    explicit Position(std::size_t shards) : next(shards, LogIndex(1)) {}

    LogIndex& next_of(ShardId shard) { return next[shard.value() - 1u]; }
    void to_next_shard() { at = at.value() == next.size() ? ShardId(1) : at.next(); }

    ShardId at{1};
    std::vector<LogIndex> next;  ///< By shard, from 1.
};

std::string encode_position(const Position& position) {
    Encoder out;
    out.u8(kPositionVersion);
    out.varint(position.at.value());
    out.varint(position.next.size());
    for (const LogIndex index : position.next) out.varint(index.value());
    return base64url_encode(out.view());
}

Result<Position> decode_position(const std::string& text, std::size_t shards) {
    Position position(shards);
    if (text.empty()) return position;
    const auto bytes = base64url_decode(text);
    Decoder in(bytes ? std::string_view(*bytes) : std::string_view());
    const bool version = in.u8() == kPositionVersion;
    const std::uint64_t at = in.varint();
    const bool fits = version && at > 0 && at <= shards && in.varint() == shards;
    position.at = ShardId(static_cast<std::uint16_t>(at));
    for (std::size_t i = 0; fits && i < shards; ++i) position.next[i] = LogIndex(in.varint());
    if (fits && in.finish("position")) return position;
    return Error(ErrorCode::kInvalidArgument, "not a position of an export")
        .with_field("position")
        .with_hint("send the `position` of an earlier page unchanged");
}

/// What a request asks for, in the schema's terms.
struct Filter {
    std::vector<bool> signals;  ///< By SignalTypeId; empty = all.
    std::optional<EntityId> user;
    std::optional<UnixMillis> from_ms, until_ms;

    bool wants(const record::Envelope& envelope, const record::SignalBody& body) const {
        if (!signals.empty() &&
            (body.signal.value() >= signals.size() || !signals[body.signal.value()]))
            return false;
        if (user && body.user != user) return false;
        return (!from_ms || envelope.event_time_ms >= *from_ms) &&
               (!until_ms || envelope.event_time_ms < *until_ms);
    }
    bool wants_undo(const record::Envelope& envelope) const {
        if (!signals.empty() || user) return false;
        return (!from_ms || envelope.event_time_ms >= *from_ms) &&
               (!until_ms || envelope.event_time_ms < *until_ms);
    }
};

Result<Filter> make_filter(const ExportRequest& request, const schema::Schema& schema) {
    Filter filter;
    filter.from_ms = request.from_ms;
    filter.until_ms = request.until_ms;
    for (const std::string& name : request.signals) {
        const schema::SignalSpec* spec = schema.find_signal(name);
        if (spec == nullptr) return unknown_signal(schema, name);
        filter.signals.resize(schema.signals.size());
        filter.signals[spec->id.value()] = true;
    }
    if (request.user_id) {
        TIDAL_ASSIGN(filter.user,
                     resolve_id(schema, EntityKind::kUser, *request.user_id, "user_id"));
    }
    return filter;
}

/// @param behind  The position behind this record.
void take(const record::Record& record, const Filter& filter, const schema::Schema& schema,
          const Position& behind, ExportPage* page) {
    ExportedSignal out;
    out.at_ms = record.envelope.event_time_ms;
    out.position = encode_position(behind);
    out.session_id = record.envelope.session;
    const auto* signal = std::get_if<record::SignalBody>(&record.body);
    if (const auto* of_session = std::get_if<record::SessionSignalBody>(&record.body))
        signal = &of_session->signal;
    if (signal != nullptr) {
        if (!filter.wants(record.envelope, *signal) ||
            signal->signal.value() >= schema.signals.size())
            return;
        out.id = signal->item;
        out.signal = schema.signals[signal->signal.value()].name;
        out.weight = record::weight_to_double(signal->weight);
        out.user_id = signal->user;
        out.creator_id = signal->creator;
        out.context = signal->context;
        page->signals.push_back(std::move(out));
    } else if (const auto* undo = std::get_if<record::UndoBody>(&record.body)) {
        if (!filter.wants_undo(record.envelope)) return;
        out.id = undo->item;
        out.undo = true;
        out.undo_key = undo->key;
        page->signals.push_back(std::move(out));
    }
}

}  // namespace

/// Final up to `applied`. Not freed before the database is.
Result<const TermIndex*> Database::terms_of(ShardId shard, LogIndex applied) {
    auto& terms = terms_[shard];
    if (terms == nullptr) terms = std::make_unique<TermIndex>(shard);
    TIDAL_TRY(terms->read_up_to(*log_, applied));
    return terms.get();
}

/// @param from  By data shard: what is asked for begins here.
Result<void> Database::check_whole(const std::vector<LogIndex>& from) {
    for (std::size_t at = 0; at < from.size(); ++at) {
        const ShardId id(static_cast<std::uint16_t>(at + 1));
        const LogIndex applied =
            shard(id).with_state([](shard::ShardState& state) { return state.applied(); });
        TIDAL_ASSIGN(const TermIndex* terms, terms_of(id, applied));
        if (terms->missing_through() < from[at]) continue;
        return Error(ErrorCode::kConflict, "a snapshot brought this node to entry " +
                                               std::to_string(terms->missing_through().value()) +
                                               " of a shard, and its log lacks signals before that")
            .with_reason("history_incomplete")
            .with("shard", id.value())
            .with_hint("export from a node that was there, or with gaps=on what is here");
    }
    return {};
}

Result<ExportPage> Database::export_signals(const ExportRequest& request) {
    std::unique_lock one_at_a_time(exporting_, std::defer_lock);
    if (cluster_ != nullptr) one_at_a_time.lock();
    if (log_ == nullptr)
        return Error(ErrorCode::kUnsupported, "an ephemeral database keeps no log to export from");
    TIDAL_TRY(check_readable());
    const auto schema = this->schema();
    TIDAL_ASSIGN(const Filter filter, make_filter(request, *schema));
    TIDAL_ASSIGN(Position position, decode_position(request.position, shards_.size() - 1));
    if (cluster_ != nullptr && !request.gaps) TIDAL_TRY(check_whole(position.next));
    const std::size_t limit = std::max<std::uint32_t>(request.limit, 1);
    ExportPage page;
    bool full = false;
    for (std::size_t round = 1; round < shards_.size() && !full; ++round) {
        LogIndex& next = position.next_of(position.at);
        // Records past this point may still be refused (a full disk): only applied ones are
        // exported.
        const LogIndex applied =
            shard(position.at).with_state([](shard::ShardState& state) { return state.applied(); });
        const TermIndex* terms = nullptr;
        if (cluster_ != nullptr) {
            TIDAL_ASSIGN(terms, terms_of(position.at, applied));
        }
        const auto read = log_->read(
            position.at, next,
            [&](const wal::BatchHeader& header, std::string_view payload) -> Result<void> {
                // A batch behind a gap was refused to its client; one before the position is done.
                if (header.last_index() < next || header.control()) return {};
                if (terms == nullptr && header.last_index() > applied) return {};
                return shard::visit_records(
                    header, payload, [&](const record::Record& record) -> Result<void> {
                        const LogIndex index = record.envelope.index;
                        if (index < next) return {};
                        if (terms != nullptr &&
                            (index > applied || (!terms->is_history(index, header.term) &&
                                                 !planted(Bug::kExportInVain))))
                            return {};
                        full = page.signals.size() >= limit;
                        if (full) return Error(ErrorCode::kGone, "page full");  // ends the read
                        next = record.envelope.index.next();
                        take(record, filter, *schema, position, &page);
                        return {};
                    });
            });
        if (!read.ok() && !full) return Error(read.error());
        if (!full) position.to_next_shard();
    }
    page.end = !full;
    page.position = encode_position(position);
    return page;
}

}  // namespace tidal::api
