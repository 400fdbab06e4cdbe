// Signals as they were logged, from archive and log, a page at a time.
#include <algorithm>

#include "api/database.h"
#include "api/resolve.h"
#include "base/base64url.h"
#include "shard/batch_records.h"

namespace tidal::api {
namespace {

constexpr std::uint8_t kPositionVersion = 1;

/// The next record to look at: shards one after the other, each in index order.
struct Position {
    ShardId shard{1};
    LogIndex index{1};
};

std::string encode_position(const Position& position) {
    Encoder out;
    out.u8(kPositionVersion);
    out.varint(position.shard.value());
    out.varint(position.index.value());
    return base64url_encode(out.view());
}

Result<Position> decode_position(const std::string& text, std::size_t shards) {
    if (text.empty()) return Position();
    const auto bytes = base64url_decode(text);
    Decoder in(bytes ? std::string_view(*bytes) : std::string_view());
    Position position;
    const bool version = in.u8() == kPositionVersion;
    const std::uint64_t shard = in.varint();
    position.shard = ShardId(static_cast<std::uint16_t>(shard));
    position.index = LogIndex(in.varint());
    if (version && shard > 0 && shard <= shards && in.finish("position")) return position;
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

void take(const record::Record& record, const Filter& filter, const schema::Schema& schema,
          ExportPage* page) {
    ExportedSignal out;
    out.at_ms = record.envelope.event_time_ms;
    out.position = encode_position({record.envelope.shard, record.envelope.index.next()});
    out.session_id = record.envelope.session;
    if (const auto* signal = std::get_if<record::SignalBody>(&record.body)) {
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

Result<ExportPage> Database::export_signals(const ExportRequest& request) {
    if (log_ == nullptr)
        return Error(ErrorCode::kUnsupported, "an ephemeral database keeps no log to export from");
    const auto schema = this->schema();
    TIDAL_ASSIGN(const Filter filter, make_filter(request, *schema));
    TIDAL_ASSIGN(Position position, decode_position(request.position, shards_.size() - 1));
    const std::size_t limit = std::max<std::uint32_t>(request.limit, 1);
    ExportPage page;
    while (position.shard.value() < shards_.size()) {
        // Records past this point may still be refused (a full disk): only applied ones are
        // exported.
        const LogIndex applied = shard(position.shard).with_state([](shard::ShardState& state) {
            return state.applied();
        });
        bool full = false;
        const auto read = log_->read(
            position.shard, position.index,
            [&](const wal::BatchHeader& header, std::string_view payload) -> Result<void> {
                // A batch behind a gap was refused to its client; one before the position is done.
                if (header.last_index() < position.index || header.last_index() > applied)
                    return {};
                return shard::visit_records(
                    header, payload, [&](const record::Record& record) -> Result<void> {
                        if (record.envelope.index < position.index) return {};
                        full = page.signals.size() >= limit;
                        if (full) return Error(ErrorCode::kGone, "page full");  // ends the read
                        take(record, filter, *schema, &page);
                        position.index = record.envelope.index.next();
                        return {};
                    });
            });
        if (!read.ok() && !full) return Error(read.error());
        if (full) break;
        if (position.shard.value() + 1u == shards_.size()) {
            page.end = true;
            break;
        }
        position = {position.shard.next(), LogIndex(1)};
    }
    page.position = encode_position(position);
    return page;
}

}  // namespace tidal::api
