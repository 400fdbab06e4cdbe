// shard/streams.h: the shard's side of the relay: rows on their way out, marks of what came in.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/ids.h"
#include "record/record.h"
#include "storage/shard_store.h"

namespace tidal::shard {

/// Rows for other shards, in replicated state (cluster.md §5). One stream per target vshard with a
/// dense sequence from 1; a row stays until the target's logged acknowledgement. Rows are kept in
/// memory as well as in the store: they are few and short-lived. Threads: one at a time.
class Outbox {
public:
    static Result<Outbox> open(storage::ShardStore& store);

    /// The next sequence of a stream; the caller stores the row under it or applies it itself.
    std::uint64_t next_sequence(VShard target) { return ++last_sequence_[target.value()]; }
    void push(VShard target, record::RelayRow row);
    void acknowledge(VShard target, std::uint64_t through);

    using Streams = std::map<VShard, std::deque<record::RelayRow>>;
    const Streams& streams() const { return streams_; }
    std::uint64_t rows() const { return rows_; }
    std::uint64_t bytes() const { return bytes_; }
    /// Newest sequence handed out per vshard.
    const std::array<std::uint64_t, kVShardCount>& last_sequences() const { return last_sequence_; }
    void prepare_checkpoint();

private:
    explicit Outbox(storage::ShardStore& store) : store_(&store) {}

    storage::ShardStore* store_;
    std::array<std::uint64_t, kVShardCount> last_sequence_{};
    Streams streams_;
    std::uint64_t rows_ = 0;
    std::uint64_t bytes_ = 0;
};

/// How far each incoming stream has been applied. Threads: one at a time.
class Marks {
public:
    /// (source shard, source incarnation, target vshard), ordered for hashing and storing.
    using Stream = std::tuple<ShardId, Incarnation, VShard>;

    /// @param shard, incarnation  Whose marks they are.
    static Result<Marks> open(storage::ShardStore& store, ShardId shard, Incarnation incarnation);
    std::uint64_t get(const Stream& stream) const;
    void set(const Stream& stream, std::uint64_t sequence);
    /// Of the stream of this shard to a vshard of its own: several for most signals.
    void set_own(VShard target, std::uint64_t sequence) { own_[target.value()] = sequence; }
    std::vector<std::pair<Stream, std::uint64_t>> sorted() const;
    void prepare_checkpoint();

private:
    Marks(storage::ShardStore& store, ShardId shard, Incarnation incarnation)
        : store_(&store), shard_(shard), incarnation_(incarnation) {}
    bool is_own(const Stream& stream) const {
        return std::get<0>(stream) == shard_ && std::get<1>(stream) == incarnation_ &&
               std::get<2>(stream).value() < kVShardCount;
    }

    storage::ShardStore* store_;
    ShardId shard_;
    Incarnation incarnation_;
    std::array<std::uint64_t, kVShardCount> own_{};     ///< 0 = no mark.
    absl::flat_hash_map<Stream, std::uint64_t> marks_;  ///< Of other shards and incarnations.
};

}  // namespace tidal::shard
