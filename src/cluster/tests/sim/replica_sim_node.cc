#include "replica_sim_node.h"

#include "record/record.h"

namespace tidal::cluster {
namespace {

constexpr std::string_view kStoreDirectory = "store/s0001";

std::string address_of(raft::PeerId node) {
    return "n" + std::to_string(node.value()) + ":7";
}
raft::PeerId node_at(std::string_view address) {
    return raft::PeerId(std::stoull(std::string(address.substr(1, address.find(':') - 1))));
}

}  // namespace

ReplicaLife::ReplicaLife(runtime::SimWorld& world, runtime::SimDisk& disk,
                         const ReplicaNodeOptions& node, GroupChecker& checker)
    : options(node),
      checker_(checker),
      runtime_(world.create_node("n" + std::to_string(node.self.value()), disk)) {}

ReplicaLife::~ReplicaLife() {
    endpoint_.reset();
    if (host_) host_->stop();
    for (auto* executor : {&net_, &executor_, &background_})
        if (*executor) (*executor)->stop();
    if (shard_) shard_->turns().stop();
    host_.reset();
    log_.reset();
    replica_.reset();
    shard_.reset();
}

Result<void> ReplicaLife::open_shard() {
    runtime::Disk& disk = runtime_->disk();
    TIDAL_ASSIGN(rows_, storage::open_simple_rows(disk, "store/rows"));
    TIDAL_ASSIGN(auto store, storage::ShardStore::open(disk, *rows_, kReplicated, kStoreDirectory));
    shard::Shard::Options shard_options;
    shard_options.state.shard = kReplicated;
    shard_options.checkpoint_interval_ms = 2'000;
    shard_options.checkpoint_events = options.checkpoint_events;
    TIDAL_ASSIGN(shard_, shard::Shard::open(shard_options, *runtime_, *executor_, *background_,
                                            std::move(store)));
    ShardReplica::Options replica_options;
    replica_options.initial = options.initial;
    replica_options.store_directory = kStoreDirectory;
    replica_options.keep_entries_max = options.keep_entries;
    replica_ =
        std::make_unique<ShardReplica>(*shard_, replica_options, *runtime_, *background_, *rows_);
    return {};
}

Result<void> ReplicaLife::start() {
    executor_ = runtime_->executors().create_executor("shard");
    background_ = runtime_->executors().create_executor("background");
    net_ = runtime_->executors().create_executor("net");
    TIDAL_TRY(open_shard());
    GroupRecovery recovery;
    TIDAL_ASSIGN(auto base, replica_->base());
    recovery.add_group(replica_->key(), std::move(base));
    wal::LogOptions log_options;
    log_options.file_bytes = 16 << 10;
    TIDAL_ASSIGN(log_,
                 wal::NodeLog::open(*runtime_, log_options,
                                    [&](const wal::BatchHeader& header, std::string_view payload) {
                                        return recovery.visit(header, payload);
                                    }));
    TIDAL_ASSIGN(auto found, recovery.finish());
    checker_.started(kReplicated, options.self, found.groups.at(replica_->key()).hard);
    const GroupHost::Options host_options{
        .self = options.self,
        .timing = {.tick_ms = 5, .heartbeat_ms = 10, .election_ms_min = 60, .election_ms_max = 120},
        .log = {.stamp_of = record::stamp_of, .retry_ns = 20'000'000, .read_ahead_bytes = 4000},
        .packet_bytes_max = 16'000};
    host_ = std::make_unique<GroupHost>(*runtime_, *log_, *this, host_options, found.states_index);
    GroupHost::GroupOptions group{.key = replica_->key(), .core = {}};
    group.core.message_bytes_max = 600;
    group.core.inflight_messages_max = 4;
    group.core.cache_bytes_max = 1000;
    group.core.apply_bytes_max = 2000;
    group.core.chunk_bytes_max = 4000;
    group.core.uncommitted_bytes_max = 30'000;
    TIDAL_TRY(host_->open_group(group, std::move(found.groups.at(group.key)),
                                found.stamps[group.key], *replica_));
    TIDAL_TRY(replica_->start(*host_, *log_));
    TIDAL_ASSIGN(endpoint_, runtime_->network().listen(
                                {.address = address_of(options.self), .advertised = {}}, *net_,
                                [this](const runtime::Sender& from, std::string bytes) {
                                    host_->receive(node_at(from.address), std::move(bytes));
                                }));
    host_->start();
    return {};
}

void ReplicaLife::stop() {
    shard_->stop([this] { stopped_ = true; });
}

Result<void> ReplicaLife::send(raft::PeerId to, GroupTraffic, std::string packet) {
    checker_.sent(options.self, packet);
    return endpoint_->send(address_of(to), std::move(packet));
}

std::int64_t ReplicaLife::likes(std::uint64_t item) {
    constexpr SignalTypeId kLike{1};
    return shard_->with_state([&](shard::ShardState& state) -> std::int64_t {
        if (!state.configured()) return -1;
        const auto slot = state.entities(EntityKind::kItem).find(EntityId(item));
        if (!slot) return -1;
        std::int64_t count = 0;
        for (auto& [origin, table] : state.ledgers(EntityKind::kItem)) {
            auto reading = table->read(*slot, kLike, state.last_stamp().wall_ms());
            if (!reading.ok()) return -1;
            count += reading->windows[static_cast<std::size_t>(schema::Window::kAll)].count;
        }
        return count;
    });
}

}  // namespace tidal::cluster
