#include "cluster/group_batches.h"

#include <algorithm>
#include <cassert>

#include "base/codec.h"

namespace tidal::cluster {
namespace {

constexpr std::uint8_t kStatesVersion = 1;
constexpr std::uint8_t kBaseMark = 3;
/// Of an entry in a batch, beside its payload: a varint, and the kind of one of consensus itself.
constexpr std::size_t kLengthBytesMax = 11;
static_assert(static_cast<int>(raft::EntryKind::kEmpty) == 0 &&
              static_cast<int>(raft::EntryKind::kConfiguration) == 2);

wal::BatchHeader header_of(const raft::GroupKey& group, RegionId region) {
    wal::BatchHeader header;
    header.region = region;
    header.shard = group.shard;
    header.incarnation = group.incarnation;
    return header;
}

bool control(const raft::Entry& entry) {
    return entry.kind != raft::EntryKind::kRecord;
}

void put(const raft::Entry& entry, Encoder* out) {
    if (!control(entry)) return out->bytes(entry.bytes());
    out->varint(entry.bytes().size() + 1);
    out->u8(static_cast<std::uint8_t>(entry.kind));
    out->raw(entry.bytes());
}

Error damaged(const wal::BatchHeader& header, std::string_view what) {
    return Error(ErrorCode::kCorruption, "a group's batch in the log: " + std::string(what))
        .with("shard", header.shard.value())
        .with("index", header.first_index.value());
}

}  // namespace

// --- term and vote ----------------------------------------------------------------------------

std::string encode_states(const GroupStates& states) {
    Encoder out;
    out.u8(kStatesVersion);
    out.varint(states.size());
    for (const auto& [group, hard] : states) {
        out.u16(group.shard.value());
        out.u32(group.incarnation.value());
        out.varint(hard.term.value());
        out.varint(hard.vote.value());
    }
    return out.take();
}

Result<GroupStates> decode_states(std::string_view record) {
    Decoder in(record);
    const std::uint8_t version = in.u8();
    if (!in.failed() && version != kStatesVersion)
        return Error(ErrorCode::kIncompatible, "terms and votes of another version")
            .with("version", version)
            .with("known", kStatesVersion);
    GroupStates states;
    const std::size_t count = in.count(8);
    for (std::size_t i = 0; i < count; ++i) {
        const ShardId shard(in.u16());
        const raft::GroupKey group{shard, Incarnation(in.u32())};
        const Term term(in.varint());
        const raft::HardState hard{term, raft::PeerId(in.varint())};
        if (!states.empty() && group <= states.rbegin()->first) in.fail();
        states[group] = hard;
    }
    TIDAL_TRY(in.finish("terms and votes"));
    return states;
}

wal::PendingBatch batch_of_states(const GroupStates& states, LogIndex index) {
    wal::PendingBatch batch;
    batch.header = header_of({wal::kNodeShard, kNodeIncarnation}, kFirstRegion);
    batch.header.first_index = index;
    batch.header.count = 1;
    Encoder out;
    out.bytes(encode_states(states));
    batch.payload = out.take();
    return batch;
}

Result<GroupStates> states_of_batch(const wal::BatchHeader& header, std::string_view payload) {
    Decoder in(payload);
    const std::string_view record = in.bytes();
    TIDAL_TRY(in.finish("terms and votes"));
    if (header.count != 1 || header.incarnation != kNodeIncarnation)
        return damaged(header, "not one record of incarnation 1");
    return decode_states(record);
}

// --- entries ----------------------------------------------------------------------------------

std::vector<wal::PendingBatch> batches_of(const raft::GroupKey& group, RegionId region,
                                          std::span<const raft::Entry> entries,
                                          const StampOf& stamp_of, HybridTime* stamp,
                                          std::size_t payload_bytes_max) {
    std::vector<wal::PendingBatch> batches;
    std::size_t left = 0;
    for (const raft::Entry& entry : entries) left += entry.bytes().size() + kLengthBytesMax;
    for (std::size_t begin = 0; begin < entries.size();) {
        const raft::Entry& first = entries[begin];
        std::string room;
        room.reserve(std::min(left, payload_bytes_max));
        Encoder out(std::move(room));
        std::size_t end = begin;
        for (; end < entries.size(); ++end) {
            const raft::Entry& entry = entries[end];
            if (entry.term != first.term || control(entry) != control(first)) break;
            const std::size_t bytes = entry.bytes().size() + kLengthBytesMax;
            if (end > begin && out.size() + bytes > payload_bytes_max) break;
            put(entry, &out);
            left -= bytes;
        }
        // They rise: the last one's is the batch's.
        if (!control(first) && stamp_of) *stamp = stamp_of(entries[end - 1].bytes());
        wal::PendingBatch batch;
        batch.header = header_of(group, region);
        batch.header.flags = control(first) ? wal::kBatchControl : std::uint16_t{0};
        batch.header.term = first.term;
        batch.header.first_index = first.index;
        batch.header.count = static_cast<std::uint32_t>(end - begin);
        batch.header.stamp = *stamp;
        batch.payload = out.take();
        batches.push_back(std::move(batch));
        begin = end;
    }
    return batches;
}

wal::PendingBatch batch_of_base(const raft::GroupKey& group, RegionId region, LogIndex index,
                                Term term, HybridTime stamp) {
    wal::PendingBatch batch;
    batch.header = header_of(group, region);
    batch.header.flags = wal::kBatchControl;
    batch.header.term = term;
    batch.header.first_index = index;
    batch.header.count = 1;
    batch.header.stamp = stamp;
    batch.payload = {1, static_cast<char>(kBaseMark)};
    return batch;
}

Result<GroupBatch> group_batch_of(const wal::BatchHeader& header, std::string_view payload) {
    GroupBatch out;
    Decoder in(payload);
    LogIndex index = header.first_index;
    for (std::uint32_t i = 0; i < header.count && !in.failed(); ++i, index = index.next()) {
        std::string_view bytes = in.bytes();
        raft::EntryKind kind = raft::EntryKind::kRecord;
        if (header.control()) {
            if (bytes.empty()) return damaged(header, "a control entry without a kind");
            const auto code = static_cast<std::uint8_t>(bytes.front());
            bytes.remove_prefix(1);
            if (code == kBaseMark && header.count == 1 && bytes.empty()) {
                out.base = true;
                break;
            }
            kind = static_cast<raft::EntryKind>(code);
            if (kind != raft::EntryKind::kEmpty && kind != raft::EntryKind::kConfiguration)
                return damaged(header, "a control entry of unknown kind");
        }
        out.entries.push_back({header.term, index, kind,
                               bytes.empty() ? nullptr : raft::make_payload(std::string(bytes))});
    }
    TIDAL_TRY(in.finish("a group's batch in the log"));
    return out;
}

}  // namespace tidal::cluster
