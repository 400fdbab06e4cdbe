#include "cluster/group_host.h"

#include "cluster/internal/group_seat.h"

namespace tidal::cluster {
namespace {

constexpr std::uint64_t kChunkRetryNs = 100'000'000;
constexpr std::size_t kQuestionBytes = 256;  // what one takes in the inbox

/// The innermost of this thread.
thread_local GroupHost::Burst* burst_here = nullptr;

Error no_group(ShardId shard) {
    return Error(ErrorCode::kNotFound, "this node has no replica of the shard")
        .with("shard", shard.value());
}

GroupTraffic traffic_of(const raft::Message& message) {
    if (const auto* append = std::get_if<raft::Append>(&message.body))
        return append->entries.empty() ? GroupTraffic::kUrgent : GroupTraffic::kLog;
    return std::holds_alternative<raft::SnapshotChunk>(message.body) ? GroupTraffic::kSnapshot
                                                                     : GroupTraffic::kUrgent;
}

}  // namespace

Result<void> set_timing(const GroupTiming& timing, raft::Options* core) {
    constexpr std::uint32_t kMaxMs = 60'000;
    const auto bad = [](std::string_view name, std::string_view right) {
        return Error(ErrorCode::kInvalidArgument, "a time of the groups is out of range")
            .with_field(name)
            .with_hint(right);
    };
    const std::string multiple = "a multiple of " + std::to_string(timing.tick_ms) + " ms";
    if (timing.tick_ms == 0) return bad("tick_ms", "at least 1");
    if (timing.heartbeat_ms < timing.tick_ms || timing.heartbeat_ms % timing.tick_ms != 0)
        return bad("heartbeat_ms", multiple);
    if (timing.election_ms_min <= timing.heartbeat_ms ||
        timing.election_ms_min % timing.tick_ms != 0)
        return bad("election_ms_min", multiple + " above heartbeat_ms");
    if (timing.election_ms_max <= timing.election_ms_min || timing.election_ms_max > kMaxMs ||
        timing.election_ms_max % timing.tick_ms != 0)
        return bad("election_ms_max", multiple + " above election_ms_min, at most 60000");
    core->heartbeat_ticks = timing.heartbeat_ms / timing.tick_ms;
    core->election_ticks_min = timing.election_ms_min / timing.tick_ms;
    core->election_ticks_max = timing.election_ms_max / timing.tick_ms;
    return {};
}

GroupHost::GroupHost(runtime::Runtime& runtime, wal::NodeLog& log, GroupTransport& transport,
                     Options options, LogIndex states_index)
    : runtime_(runtime),
      transport_(transport),
      options_(std::move(options)),
      files_(runtime.executors().create_executor("raft-files")),
      own_loop_(options_.loop == nullptr ? runtime.executors().create_executor("raft") : nullptr),
      loop_(own_loop_ ? *own_loop_ : *options_.loop),
      snapshots_(runtime.disk(), options_.snapshot_directory),
      log_(runtime, log, loop_, *files_, options_.log, states_index,
           {.persisted = [this](const raft::GroupKey& key,
                                std::uint64_t number) { seats_.at(key)->persisted(number); },
            .fetched = [this](const raft::GroupKey& key) { touch(*seats_.at(key)); }}) {}

GroupHost::~GroupHost() {
    stop();
}

Result<void> GroupHost::open_group(const GroupOptions& group, raft::DurableState state,
                                   HybridTime stamp, GroupSink& sink) {
    raft::Options core = group.core;
    core.self = options_.self;
    core.seed = runtime_.random().u64();
    TIDAL_TRY(set_timing(options_.timing, &core));
    if (by_shard_.contains(group.key.shard))
        return Error(ErrorCode::kInvalidArgument, "the shard has a group already")
            .with("shard", group.key.shard.value());
    TIDAL_ASSIGN(auto partial, snapshots_.recover(group.key, core.chunk_bytes_max));
    if (partial && partial->meta.index <= state.applied) {
        TIDAL_TRY(snapshots_.remove(group.key));  // in place; the node died before it went
    } else if (partial) {
        state.partial = std::move(partial->meta);
        state.partial_bytes = partial->bytes;
    }
    auto seat = std::make_unique<Seat>(*this, group.key, sink);
    log_.add_group(group.key, state, stamp);
    TIDAL_ASSIGN(seat->node, raft::Node::create(core, std::move(state), log_.store(group.key)));
    by_shard_[group.key.shard] = seat.get();
    touched_.push_back(seat.get());
    seat->touched = true;
    seats_[group.key] = std::move(seat);
    publish();
    return {};
}

void GroupHost::start() {
    loop_.post([this] {
        wake();
        tick();
    });
}

void GroupHost::stop() {
    {
        const std::lock_guard lock(mutex_);
        if (stopped_) return;
        stopped_ = true;
    }
    if (own_loop_) own_loop_->stop();
    files_->stop();
    for (auto& [key, seat] : seats_) seat->give_up();
}

// --- the inbox --------------------------------------------------------------------------------

/// False when there is no room; nothing was queued.
bool GroupHost::post(std::size_t bytes, Work work, Burst* burst) {
    const std::lock_guard lock(mutex_);
    if (stopped_ || (bytes > 0 && inbox_bytes_ + bytes > options_.inbox_bytes_max)) return false;
    inbox_bytes_ += bytes;
    inbox_.emplace_back(bytes, std::move(work));
    if (burst == nullptr)
        post_turn();
    else
        burst->queued_ = true;
    return true;
}

/// For a question, whose asker hears of it at once where there is none.
Result<void> GroupHost::take_room() {
    const std::lock_guard lock(mutex_);
    if (stopped_)
        return Error(ErrorCode::kUnavailable, "the node stops").with_reason("shutting_down");
    if (inbox_bytes_ + kQuestionBytes > options_.inbox_bytes_max)
        return Error(ErrorCode::kOverloaded, "too much waits for the groups of this node")
            .with("max", options_.inbox_bytes_max);
    inbox_bytes_ += kQuestionBytes;
    return {};
}

/// Inside mutex_.
void GroupHost::post_turn() {
    if (turn_posted_ || stopped_) return;
    turn_posted_ = true;
    loop_.post([this] { turn(); });
}

GroupHost::Burst::Burst(GroupHost& host) : host_(host), outer_(std::exchange(burst_here, this)) {}

GroupHost::Burst::~Burst() {
    burst_here = outer_;
    if (queued_) host_.wake();
}

void GroupHost::post_seat(Seat& seat, OnSeat work) {
    post(0, [this, &seat, work = std::move(work)]() mutable {
        work(seat);
        touch(seat);
    });
}

void GroupHost::post_to(ShardId shard, OnSeat work) {
    const auto found = by_shard_.find(shard);
    if (found != by_shard_.end()) post_seat(*found->second, std::move(work));
}

void GroupHost::receive(raft::PeerId from, std::string packet) {
    const std::size_t bytes = packet.size() + 1;
    const bool room =
        post(bytes, [this, from, packet = std::move(packet)] { take_packet(from, packet); });
    if (room) return;
    const std::lock_guard lock(mutex_);
    ++inbox_dropped_;
}

Result<void> GroupHost::propose(ShardId shard, Proposal proposal) {
    const auto found = by_shard_.find(shard);
    if (found == by_shard_.end()) return no_group(shard);
    std::size_t bytes = 1;
    for (const raft::Payload& record : proposal.records)
        bytes += raft::kEntryOverheadBytes + (record ? record->size() : 0);
    Burst* const burst = burst_here != nullptr && &burst_here->host_ == this ? burst_here : nullptr;
    const bool room = post(
        bytes,
        [this, seat = found->second, proposal = std::move(proposal)]() mutable {
            seat->propose(std::move(proposal));
            touch(*seat);
        },
        burst);
    if (room) return {};
    return Error(ErrorCode::kOverloaded, "too much waits for the groups of this node")
        .with("max", options_.inbox_bytes_max);
}

void GroupHost::read_index(ShardId shard, absl::AnyInvocable<void(Result<LogIndex>)> done) {
    const auto found = by_shard_.find(shard);
    if (found == by_shard_.end()) return done(no_group(shard));
    if (auto room = take_room(); !room.ok()) return done(room.take_error());
    post_seat(*found->second,
              [done = std::move(done)](Seat& seat) mutable { seat.read(std::move(done)); });
}

void GroupHost::change_members(ShardId shard, raft::Members members, Done done) {
    const auto found = by_shard_.find(shard);
    if (found == by_shard_.end()) return done(no_group(shard));
    if (auto room = take_room(); !room.ok()) return done(std::move(room));
    post_seat(*found->second,
              [members = std::move(members), done = std::move(done)](Seat& seat) mutable {
                  auto begun = seat.node->change_members(members);
                  done(begun.ok() ? Result<void>() : Result<void>(begun.take_error()));
              });
}

void GroupHost::transfer(ShardId shard, raft::PeerId to, Done done) {
    const auto found = by_shard_.find(shard);
    if (found == by_shard_.end()) return done(no_group(shard));
    if (auto room = take_room(); !room.ok()) return done(std::move(room));
    post_seat(*found->second,
              [to, done = std::move(done)](Seat& seat) mutable { done(seat.node->transfer(to)); });
}

void GroupHost::campaign(ShardId shard) {
    post_to(shard, [](Seat& seat) { seat.node->campaign(); });
}

void GroupHost::applied(ShardId shard, LogIndex index) {
    const auto found = by_shard_.find(shard);
    if (found == by_shard_.end()) return;
    Seat& seat = *found->second;
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    inbox_.emplace_back(0, [this, &seat, index] {
        seat.node->applied(index);
        touch(seat);
    });
    if (seat.held_back) post_turn();
}

void GroupHost::compact(ShardId shard, LogIndex index) {
    post_to(shard, [this, index](Seat& seat) {
        if (index > seat.node->brief().applied) return;  // of a state a snapshot has replaced
        seat.node->compact(index);
        log_.checkpointed(seat.key, index);
    });
}

void GroupHost::offer_snapshot(ShardId shard, raft::SnapshotMeta meta, std::string path,
                               Done done) {
    const auto found = by_shard_.find(shard);
    if (found == by_shard_.end()) return done(no_group(shard));
    post_seat(*found->second, [meta = std::move(meta), path = std::move(path),
                               done = std::move(done)](Seat& seat) mutable {
        auto offered = seat.node->offer_snapshot(meta);
        if (offered.ok()) seat.offered[meta.id] = std::move(path);
        done(std::move(offered));
    });
}

void GroupHost::withdraw_snapshot(ShardId shard, std::uint64_t id) {
    post_to(shard, [id](Seat& seat) {
        seat.node->withdraw_snapshot(id);
        seat.offered.erase(id);
    });
}

void GroupHost::unreachable(raft::PeerId peer) {
    post(0, [this, peer] {
        for (auto& [key, seat] : seats_) {
            seat->node->unreachable(peer);
            touch(*seat);
        }
    });
}

// --- a turn -----------------------------------------------------------------------------------

void GroupHost::touch(Seat& seat) {
    if (!seat.touched) touched_.push_back(&seat);
    seat.touched = true;
    if (!in_turn_) wake();
}

void GroupHost::wake() {
    const std::lock_guard lock(mutex_);
    post_turn();
}

void GroupHost::turn() {
    std::vector<std::pair<std::size_t, Work>> work;
    {
        const std::lock_guard lock(mutex_);
        work.swap(inbox_);
        inbox_bytes_ = 0;
        turn_posted_ = false;
    }
    in_turn_ = true;
    ++counts_.turns;
    for (auto& [bytes, each] : work) each();
    while (!touched_.empty()) {
        std::vector<Seat*> seats;
        seats.swap(touched_);
        for (Seat* seat : seats) {
            seat->touched = false;
            seat->unseen = true;
            if (seat->drive()) touch(*seat);
        }
    }
    for (auto& [to, peer] : peers_)
        for (auto& [traffic, writer] : peer.packets) flush(to, traffic, writer);
    for (const raft::PeerId peer : lost_)
        for (auto& [key, seat] : seats_) seat->node->unreachable(peer);
    lost_.clear();
    in_turn_ = false;
    publish();
}

void GroupHost::tick() {
    for (auto& [key, seat] : seats_) {
        seat->node->tick();
        if (seat->wanted_ticks > 0) --seat->wanted_ticks;
        touch(*seat);
    }
    // One tick per timer: after a pause of the process time has not passed for the groups.
    loop_.post_after(options_.timing.tick_ms * std::uint64_t{1'000'000}, [this] { tick(); });
}

void GroupHost::take_packet(raft::PeerId from, std::string_view packet) {
    ++counts_.packets_received;
    auto messages = raft::decode_packet(packet);
    if (!messages.ok()) {
        ++counts_.packets_refused;
        return;
    }
    for (raft::GroupMessage& each : *messages) {
        ++counts_.messages_received;
        const auto seat = seats_.find(each.group);
        if (seat == seats_.end() || each.message.from != from ||
            !seat->second->node->step(std::move(each.message)).ok()) {
            ++counts_.messages_refused;
            continue;
        }
        touch(*seat->second);
    }
}

// --- out --------------------------------------------------------------------------------------

void GroupHost::send(const raft::GroupKey& group, raft::Message message) {
    ++counts_.messages_sent;
    const GroupTraffic traffic = traffic_of(message);
    Peer& peer = peers_[message.to];
    raft::PacketWriter& writer = peer.packets[traffic];
    if (!writer.add(group, message, options_.packet_bytes_max)) {
        flush(message.to, traffic, writer);
        writer.add(group, message, options_.packet_bytes_max);
    }
    if (const auto* chunk = std::get_if<raft::SnapshotChunk>(&message.body))
        peer.chunks.push_back({group, chunk->meta.id, chunk->offset});
}

void GroupHost::flush(raft::PeerId to, GroupTraffic traffic, raft::PacketWriter& writer) {
    if (writer.empty()) return;
    ++counts_.packets_sent;
    const auto sent = transport_.send(to, traffic, writer.take());
    if (!sent.ok() && traffic == GroupTraffic::kLog) lost_.push_back(to);
    if (traffic != GroupTraffic::kSnapshot) return;
    flush_chunks(to, !sent.ok() && sent.error().code() == ErrorCode::kOverloaded);
}

/// Nobody answers for what had no room and never left: the core would wait for that. A peer that is
/// down is left to the core's own patience: chunks are read again for each time they are sent.
void GroupHost::flush_chunks(raft::PeerId to, bool no_room) {
    for (const Peer::Chunk& chunk : std::exchange(peers_[to].chunks, {}))
        if (no_room) seats_.at(chunk.group)->node->chunk_refused(to, chunk.snapshot, chunk.offset);
}

void GroupHost::send_chunk(Seat& seat, raft::Message message) {
    const auto& chunk = std::get<raft::SnapshotChunk>(message.body);
    const auto path = seat.offered.find(chunk.meta.id);
    if (path == seat.offered.end()) return seat.node->withdraw_snapshot(chunk.meta.id);
    files_->post([this, &seat, path = path->second, message = std::move(message)]() mutable {
        auto& body = std::get<raft::SnapshotChunk>(message.body);
        auto bytes = snapshots_.read(path, body.offset, body.size);
        post_seat(seat,
                  [this, message = std::move(message), bytes = std::move(bytes)](Seat& at) mutable {
                      auto& read = std::get<raft::SnapshotChunk>(message.body);
                      if (!bytes.ok()) {
                          at.node->withdraw_snapshot(read.meta.id);
                          at.offered.erase(read.meta.id);
                          return;
                      }
                      read.data = raft::make_payload(std::move(*bytes));
                      send(at.key, std::move(message));
                  });
    });
}

/// In the order of calls: the next chunk waits for this one, on a full disk too.
void GroupHost::store_chunk(Seat& seat, std::uint64_t number, raft::ChunkToStore chunk) {
    files_->post([this, &seat, number, chunk = std::move(chunk)]() mutable {
        seat.chunks.emplace_back(number, std::move(chunk));
        if (seat.chunks.size() == 1) store_next_chunk(seat);
    });
}

void GroupHost::store_next_chunk(Seat& seat) {
    while (!seat.chunks.empty()) {
        const auto& [number, chunk] = seat.chunks.front();
        auto written = snapshots_.write(seat.key, chunk);
        if (!written.ok() && written.error().code() == ErrorCode::kDiskFull) {
            files_->post_after(kChunkRetryNs, [this, &seat] { store_next_chunk(seat); });
            return;
        }
        if (!written.ok()) return runtime_.fatal(written.error());
        post_seat(seat, [number = number](Seat& at) { at.chunk_stored(number); });
        seat.chunks.pop_front();
    }
}

void GroupHost::remove_received(Seat& seat) {
    files_->post([this, &seat] {
        if (auto removed = snapshots_.remove(seat.key); !removed.ok())
            runtime_.fatal(removed.error());
    });
}

// --- seen -------------------------------------------------------------------------------------

void GroupHost::publish() {
    std::vector<std::pair<ShardId, GroupStatus>> seen;  // the old ones go outside the lock, too
    bool held_back = false;
    for (const auto& [key, seat] : seats_) {
        if (!std::exchange(seat->unseen, false)) continue;
        held_back = held_back || seat->held_back;
        seen.emplace_back(
            key.shard, GroupStatus{seat->node->status(), log_.status(key), seat->proposals.size()});
    }
    const std::lock_guard lock(mutex_);
    // What a seat waits for may have come before it knew that it waits.
    if (held_back && !inbox_.empty()) post_turn();
    for (auto& [shard, status] : seen) std::swap(statuses_[shard], status);
    stats_ = counts_;
    stats_.inbox_dropped = inbox_dropped_;
}

Result<GroupHost::GroupStatus> GroupHost::status(ShardId shard) const {
    const std::lock_guard lock(mutex_);
    const auto found = statuses_.find(shard);
    if (found == statuses_.end()) return no_group(shard);
    return found->second;
}

GroupHost::Stats GroupHost::stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
}

}  // namespace tidal::cluster
