#include "group_sim_node.h"

#include "base/codec.h"
#include "base/crc32c.h"

namespace tidal::cluster {
namespace {

std::string address_of(raft::PeerId node) {
    return "n" + std::to_string(node.value()) + ":7";
}
raft::PeerId node_at(std::string_view address) {
    return raft::PeerId(std::stoull(std::string(address.substr(1, address.find(':') - 1))));
}

}  // namespace

// --- the state machine ------------------------------------------------------------------------

SimMachine::SimMachine(SimLife& life, GroupChecker& checker, ShardId shard)
    : life_(life), checker_(checker), shard_(shard) {}

/// With padding, so that a snapshot takes several chunks.
std::string SimMachine::encode(const State& of) const {
    Encoder out;
    out.u64(of.index.value());
    out.u64(of.term.value());
    out.u64(of.chain);
    out.bytes(raft::encode_configuration(of.configuration));
    out.bytes(std::string(1500 + of.index.value() % 500, static_cast<char>(of.chain)));
    out.u32(crc32c(out.view()));
    return out.take();
}

Result<SimMachine::State> SimMachine::decode(std::string_view bytes) const {
    Decoder in(bytes);
    State of;
    of.index = LogIndex(in.u64());
    of.term = Term(in.u64());
    of.chain = in.u64();
    const auto configuration = in.bytes();
    in.bytes();
    const std::size_t end = in.offset();
    const std::uint32_t crc = in.u32();
    TIDAL_TRY(in.finish("a machine"));
    if (crc != crc32c(bytes.substr(0, end))) return Error(ErrorCode::kCorruption, "a machine");
    TIDAL_ASSIGN(of.configuration, raft::decode_configuration(configuration));
    return of;
}

Result<raft::DurableState> SimMachine::load(const raft::Configuration& initial) {
    auto bytes =
        runtime::read_file(life_.runtime().disk(), "machine-" + std::to_string(shard_.value()));
    if (bytes.ok()) {
        TIDAL_ASSIGN(state, decode(*bytes));
        checker_.installed(shard_, life_.options.self, state.index, state.chain);
    } else if (bytes.error().code() == ErrorCode::kNotFound) {
        state.configuration = initial;
    } else {
        return bytes.take_error();
    }
    checkpoint_ = state.index;
    return raft::DurableState::base(state.index, state.term, state.configuration);
}

void SimMachine::committed(CommittedRun run) {
    if (run.first != state.index.next())
        checker_.fail("a run that does not follow: node " +
                      std::to_string(life_.options.self.value()));
    const std::size_t count = run.control ? 1 : run.records.size();
    for (std::size_t i = 0; i < count; ++i) {
        state.index = state.index.next();
        state.term = run.term;
        state.chain =
            checker_.committed(shard_, life_.options.self, state.index, run.term,
                               run.control ? std::string() : *run.records[i], state.chain);
    }
    if (run.configuration) state.configuration = *run.configuration;
    life_.host().applied(shard_, state.index);
    if (raft::distance(checkpoint_, state.index) >= life_.options.checkpoint_entries) checkpoint();
}

void SimMachine::checkpoint() {
    auto written = runtime::write_file(life_.runtime().disk(),
                                       "machine-" + std::to_string(shard_.value()), encode(state));
    if (!written.ok()) return;  // a full disk passes; a dead node ends
    checkpoint_ = state.index;
    if (state.index.value() > life_.options.keep_entries)
        life_.host().compact(shard_, LogIndex(state.index.value() - life_.options.keep_entries));
}

void SimMachine::leading(Term of) {
    leads = true;
    term = of;
    checker_.leading(shard_, life_.options.self, of);
}

void SimMachine::following(Term of, raft::PeerId) {
    leads = false;
    term = of;
}

void SimMachine::durable(LogIndex own, std::span<const LogIndex> voters) {
    if (!std::is_sorted(voters.begin(), voters.end(), std::greater<>()) || own < state.index)
        checker_.fail("durable indexes out of order");
}

void SimMachine::snapshot_wanted() {
    const raft::SnapshotMeta meta{.id = mix(state.chain, state.index.value()) | 1,
                                  .index = state.index,
                                  .term = state.term,
                                  .bytes = encode(state).size(),
                                  .configuration = state.configuration};
    const std::string path =
        "out-" + std::to_string(shard_.value()) + "-" + std::to_string(meta.id);
    if (!runtime::write_file(life_.runtime().disk(), path, encode(state)).ok()) return;
    if (offered_ != 0 && offered_ != meta.id) {
        life_.host().withdraw_snapshot(shard_, offered_);
        (void)life_.runtime()
            .disk()
            .remove("out-" + std::to_string(shard_.value()) + "-" + std::to_string(offered_))
            .ok();
    }
    offered_ = meta.id;
    life_.host().offer_snapshot(shard_, meta, path, [](Result<void>) {});
}

void SimMachine::stage_snapshot(const raft::SnapshotMeta& meta, const std::string& path,
                                Done done) {
    auto bytes = runtime::read_file(life_.runtime().disk(), path);
    if (!bytes.ok()) return done(bytes.take_error());
    auto decoded = decode(*bytes);
    if (!decoded.ok()) return done(decoded.take_error());
    if (decoded->index != meta.index || decoded->configuration != meta.configuration)
        checker_.fail("a snapshot of another state than it says");
    checker_.installed(shard_, life_.options.self, decoded->index, decoded->chain);
    staged_ = std::move(*decoded);
    done({});
}

void SimMachine::switch_to_snapshot(const raft::SnapshotMeta&, Done done) {
    auto written = runtime::write_file(
        life_.runtime().disk(), "machine-" + std::to_string(shard_.value()), encode(*staged_));
    if (written.ok()) {
        if (staged_->index <= state.index) checker_.fail("a snapshot takes the state back");
        state = std::move(*staged_);
        checkpoint_ = state.index;
        ++life_.installs;
    }
    done(std::move(written));
}

// --- a life -----------------------------------------------------------------------------------

SimLife::SimLife(runtime::SimWorld& world, runtime::SimDisk& disk, GroupChecker& checker,
                 const SimNodeOptions& node_options)
    : options(node_options),
      checker_(checker),
      runtime_(world.create_node("n" + std::to_string(node_options.self.value()), disk)) {}

SimLife::~SimLife() {
    endpoint_.reset();
    if (host_) host_->stop();
    host_.reset();
    log_.reset();
}

Result<void> SimLife::start() {
    GroupRecovery recovery;
    for (const ShardId shard : kSimShards) {
        machines_[shard] = std::make_unique<SimMachine>(*this, checker_, shard);
        TIDAL_ASSIGN(auto base, machines_[shard]->load(options.initial));
        recovery.add_group({shard, Incarnation(1)}, std::move(base));
    }
    wal::LogOptions log_options;
    log_options.file_bytes = 8192;
    TIDAL_ASSIGN(log_,
                 wal::NodeLog::open(*runtime_, log_options,
                                    [&](const wal::BatchHeader& header, std::string_view payload) {
                                        return recovery.visit(header, payload);
                                    }));
    TIDAL_ASSIGN(auto found, recovery.finish());
    GroupHost::Options host_options{
        .self = options.self,
        .timing = {.tick_ms = 5, .heartbeat_ms = 10, .election_ms_min = 60, .election_ms_max = 120},
        .log = {.stamp_of = {},
                .retry_ns = 20'000'000,
                .read_ahead_bytes = 300,
                .batch_bytes_max = 100},
        .packet_bytes_max = 2000};
    host_ = std::make_unique<GroupHost>(*runtime_, *log_, *this, host_options, found.states_index);
    for (auto& [key, state] : found.groups) {
        if (options.forget_terms)
            state.hard = {state.terms.back().term, raft::kNobody};
        else
            checker_.started(key.shard, options.self, state.hard);
        GroupHost::GroupOptions group{.key = key, .core = {}};
        group.core.message_bytes_max = 200;
        group.core.entry_bytes_max = 200;
        group.core.inflight_messages_max = 4;
        group.core.cache_bytes_max = 200;
        group.core.apply_bytes_max = 300;
        group.core.chunk_bytes_max = 400;
        group.core.uncommitted_bytes_max = 4000;
        TIDAL_TRY(
            host_->open_group(group, std::move(state), found.stamps[key], *machines_[key.shard]));
    }
    net_ = runtime_->executors().create_executor("net");
    TIDAL_ASSIGN(endpoint_, runtime_->network().listen(
                                {.address = address_of(options.self), .advertised = {}}, *net_,
                                [this](const runtime::Sender& from, std::string bytes) {
                                    host_->receive(node_at(from.address), std::move(bytes));
                                }));
    host_->start();
    return {};
}

Result<void> SimLife::send(raft::PeerId to, GroupTraffic, std::string packet) {
    checker_.sent(options.self, packet);
    return endpoint_->send(address_of(to), std::move(packet));
}

}  // namespace tidal::cluster
