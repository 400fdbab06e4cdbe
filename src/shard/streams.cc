#include "shard/streams.h"

#include <algorithm>

#include "base/codec.h"
#include "record/id_codec.h"
#include "record/relay_codec.h"
#include "shard/internal/planted.h"

namespace tidal::shard {
namespace {

constexpr std::string_view kRowPrefix = "o/";
constexpr std::string_view kSequencesKey = "q/sequences";
constexpr std::string_view kMarksKey = "m/marks";

std::string row_key(VShard target, std::uint64_t sequence) {
    std::string key(kRowPrefix);
    key.push_back(static_cast<char>(target.value() >> 8));
    key.push_back(static_cast<char>(target.value()));
    for (int shift = 56; shift >= 0; shift -= 8)
        key.push_back(static_cast<char>(sequence >> shift));
    return key;
}

std::string encode_row(VShard target, const record::RelayRow& row) {
    Encoder out;
    out.varint(target.value());
    out.varint(row.sequence);
    record::encode_optional_id(row.target, &out);
    out.varint(row.signal.value());
    out.svarint(row.weight);
    out.svarint(row.count);
    out.svarint(row.event_time_ms);
    record::encode_optional_id(row.user, &out);
    if (row.effect != record::RelayEffect::kCreator) record::encode_effect(row, &out);
    return out.take();
}

Result<std::pair<VShard, record::RelayRow>> decode_row(std::string_view bytes) {
    Decoder in(bytes);
    const VShard target(static_cast<std::uint16_t>(in.varint()));
    record::RelayRow row;
    row.sequence = in.varint();
    const auto id = record::decode_optional_id(&in);
    if (!id) in.fail();
    row.target = id.value_or(EntityId());
    row.signal = SignalTypeId(static_cast<std::uint16_t>(in.varint()));
    row.weight = in.svarint();
    row.count = static_cast<std::int32_t>(in.svarint());
    row.event_time_ms = in.svarint();
    row.user = record::decode_optional_id(&in);
    if (in.remaining() > 0) record::decode_effect(&row, &in);
    TIDAL_TRY(in.finish("outbox row"));
    return std::pair(target, std::move(row));
}

}  // namespace

Result<Outbox> Outbox::open(storage::ShardStore& store) {
    Outbox outbox(store);
    TIDAL_ASSIGN(auto sequences, store.get(kSequencesKey));
    if (sequences) {
        Decoder in(*sequences);
        for (std::uint64_t& last : outbox.last_sequence_) last = in.varint();
        TIDAL_TRY(in.finish("outbox sequences"));
    }
    Result<void> rows;
    TIDAL_TRY(store.scan(kRowPrefix, [&](std::string_view, std::string_view value) {
        auto row = decode_row(value);
        if (!row) {
            rows = row.take_error();
            return false;
        }
        outbox.streams_[row->first].push_back(std::move(row->second));
        ++outbox.rows_;
        outbox.bytes_ += value.size();
        return true;
    }));
    TIDAL_TRY(std::move(rows));
    return outbox;
}

void Outbox::push(VShard target, record::RelayRow row) {
    const std::string bytes = encode_row(target, row);
    store_->put(row_key(target, row.sequence), bytes);
    bytes_ += bytes.size();
    ++rows_;
    streams_[target].push_back(std::move(row));
}

void Outbox::acknowledge(VShard target, std::uint64_t through) {
    const auto stream = streams_.find(target);
    if (stream == streams_.end()) return;
    auto& rows = stream->second;
    while (!rows.empty() && rows.front().sequence <= through) {
        bytes_ -= encode_row(target, rows.front()).size();
        --rows_;
        store_->erase(row_key(target, rows.front().sequence));
        rows.pop_front();
    }
    if (rows.empty()) streams_.erase(stream);
}

void Outbox::prepare_checkpoint() {
    if (planted(Bug::kSequencesNotKept)) return;
    Encoder out;
    for (const std::uint64_t last : last_sequence_) out.varint(last);
    store_->put(kSequencesKey, out.view());
}

Result<Marks> Marks::open(storage::ShardStore& store, ShardId shard, Incarnation incarnation) {
    Marks marks(store, shard, incarnation);
    TIDAL_ASSIGN(auto row, store.get(kMarksKey));
    if (!row) return marks;
    Decoder in(*row);
    const std::size_t count = in.count(4);
    for (std::size_t i = 0; i < count && !in.failed(); ++i) {
        const ShardId source(static_cast<std::uint16_t>(in.varint()));
        const Incarnation of(static_cast<std::uint32_t>(in.varint()));
        const VShard target(static_cast<std::uint16_t>(in.varint()));
        const std::uint64_t sequence = in.varint();
        marks.set(Stream(source, of, target), sequence);
    }
    TIDAL_TRY(in.finish("relay marks"));
    return marks;
}

std::uint64_t Marks::get(const Stream& stream) const {
    if (is_own(stream)) return own_[std::get<2>(stream).value()];
    const auto mark = marks_.find(stream);
    return mark == marks_.end() ? 0 : mark->second;
}

void Marks::set(const Stream& stream, std::uint64_t sequence) {
    if (is_own(stream)) return set_own(std::get<2>(stream), sequence);
    marks_[stream] = sequence;
}

std::vector<std::pair<Marks::Stream, std::uint64_t>> Marks::sorted() const {
    std::vector<std::pair<Stream, std::uint64_t>> out(marks_.begin(), marks_.end());
    for (std::uint16_t target = 0; target < kVShardCount; ++target)
        if (own_[target] != 0)
            out.emplace_back(Stream(shard_, incarnation_, VShard(target)), own_[target]);
    std::sort(out.begin(), out.end());
    return out;
}

void Marks::prepare_checkpoint() {
    Encoder out;
    const auto marks = sorted();
    out.varint(marks.size());
    for (const auto& [stream, sequence] : marks) {
        out.varint(std::get<0>(stream).value());
        out.varint(std::get<1>(stream).value());
        out.varint(std::get<2>(stream).value());
        out.varint(sequence);
    }
    store_->put(kMarksKey, out.view());
}

}  // namespace tidal::shard
