// Opening, starting and stopping.
#include "api/database.h"

#include <atomic>
#include <cassert>

#include "api/backup.h"
#include "api/cluster_directory.h"
#include "api/forward.h"
#include "api/internal/cluster_node.h"
#include "api/internal/personal_archive.h"
#include "api/internal/term_index.h"
#include "api/transport.h"
#include "query/cursor.h"
#include "wal/new_log.h"

namespace tidal::api {
namespace {

constexpr std::string_view kLockFile = "LOCK";
constexpr std::string_view kRowsDirectory = "store";
constexpr std::uint64_t kStartTimeoutMs = 60'000;
constexpr std::uint64_t kSchemaTimeoutMs = 30'000;
constexpr std::uint16_t kOpenShardsMax = 256;

/// Runs `step(i, next)` for i = 0 .. count-1, one after the other, until one fails.
void run_in_turn(std::size_t count, std::function<void(std::size_t, Database::Done)> step,
                 Database::Done done, std::size_t at = 0) {
    if (at == count) return done({});
    auto shared_done = std::make_shared<Database::Done>(std::move(done));
    step(at, [=](Result<void> result) mutable {
        if (!result.ok()) return (*shared_done)(std::move(result));
        run_in_turn(count, step, std::move(*shared_done), at + 1);
    });
}

/// Adapts "one outcome or an error" to "done or an error".
shard::Shard::Done as_outcomes(Database::Done done) {
    return [done = std::move(done)](Result<std::vector<shard::Outcome>> outcomes) mutable {
        if (!outcomes.ok()) return done(outcomes.take_error());
        for (const shard::Outcome& outcome : *outcomes)
            if (!outcome.ok()) return done(Error(*outcome.refused));
        done({});
    };
}

/// Says how much a start needs where it found no room.
Error with_room_needed(Error error, const DatabaseOptions& options) {
    if (error.code() != ErrorCode::kDiskFull) return error;
    constexpr std::uint64_t kMiB = 1 << 20;
    const std::uint64_t needed_mib = options.log.file_bytes / kMiB + 1;  // and the rows' manifest
    return std::move(error).with_hint(
        "free at least " + std::to_string(needed_mib) +
        " MiB on the file system of the data directory, then start again; nothing is lost");
}

std::vector<record::Record> one_record(record::Body body) {
    std::vector<record::Record> records(1);
    records[0].body = std::move(body);
    return records;
}

}  // namespace

std::string Database::shard_directory(ShardId shard) {
    std::string digits = std::to_string(shard.value());
    return std::string(kRowsDirectory) + "/s" +
           std::string(4 - std::min<std::size_t>(4, digits.size()), '0') + digits;
}

Database::Database(const DatabaseOptions& options, runtime::Runtime& runtime)
    : options_(options),
      runtime_(runtime),
      shown_({.first_handle = runtime.random().u64()}),
      transport_(std::make_unique<Transport>(*this)) {}

Database::~Database() {
    for (auto& pump : pumps_) pump->stop();
    if (cluster_ != nullptr) cluster_->stop();
    if (log_ != nullptr) log_->stop();
    if (graphs_ != nullptr) graphs_->stop();
    if (background_ != nullptr) background_->stop();
    for (auto& executor : executors_) executor->stop();
    for (auto& each : shards_) each->turns().stop();
    if (gate_) gate_->stop();
}

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options,
                                                 runtime::Runtime& runtime) {
    if (options.shards && (*options.shards == 0 || *options.shards > kOpenShardsMax))
        return Error(ErrorCode::kInvalidArgument, "the number of shards must be 1 to 256")
            .with_field("shards");
    if (options.slice_records == std::size_t{0})
        return Error(ErrorCode::kInvalidArgument, "slice_records must be at least 1")
            .with_field("slice_records");
    TIDAL_TRY(check_memory(options.memory));
    TIDAL_TRY(check_limits(options.load));
    if (options.cluster && options.ephemeral)
        return Error(ErrorCode::kInvalidArgument, "a member of a cluster keeps its data on disk")
            .with_field("ephemeral");
    std::unique_ptr<Database> database(new Database(options, runtime));
    if (auto opened = database->open_files(); !opened.ok())
        return with_room_needed(opened.take_error(), options);
    database->start_shards();
    if (database->cluster_ != nullptr) TIDAL_TRY(database->cluster_->open_groups());
    return database;
}

Result<void> Database::open_files() {
    TIDAL_TRY(open_directory());
    TIDAL_TRY(open_shards());
    return open_log();
}

Result<void> Database::open_directory() {
    started_ms_ = runtime_.clock().wall_ms();
    TIDAL_ASSIGN(lock_, runtime_.disk().lock(kLockFile));
    auto identity = read_identity(runtime_.disk());
    if (!identity && identity.error().code() == ErrorCode::kNotFound) {
        if (options_.cluster)
            return std::move(identity.take_error())
                .with_reason("no_cluster_directory")
                .with_hint("`tidal-server init` begins a cluster, `tidal-server join` enters one");
        if (!options_.ephemeral) TIDAL_TRY(wal::make_log(runtime_.disk(), options_.log));
        identity = create_identity(runtime_, options_.shards.value_or(1));
    }
    TIDAL_ASSIGN(identity_, std::move(identity));
    TIDAL_ASSIGN(identity_,
                 expect_mode(std::move(identity_),
                             options_.cluster ? NodeMode::kCluster : NodeMode::kStandalone));
    first_schema_ = options_.schema;
    if (options_.cluster && !first_schema_) {
        TIDAL_ASSIGN(first_schema_, read_first_schema(runtime_.disk()));
    }
    cursor_key_ = std::make_shared<const query::CursorKey>(identity_.secret);
    if (options_.shards && *options_.shards != identity_.shards)
        return Error(ErrorCode::kIncompatible, "the data directory has another number of shards")
            .with("directory_has", identity_.shards)
            .with("asked_for", *options_.shards)
            .with_hint("leave --shards out, or export and import into a new directory");
    return {};
}

Result<void> Database::open_shards() {
    TIDAL_TRY(runtime_.disk().create_directories(kRowsDirectory));
    const std::string rows = std::string(kRowsDirectory) + "/rows";
    const std::string native = runtime_.disk().native_path(rows);
    if (native.empty()) {
        TIDAL_ASSIGN(rows_, storage::open_simple_rows(runtime_.disk(), rows));
    } else {
        TIDAL_ASSIGN(rows_, storage::open_rocksdb_rows(native, &runtime_.executors()));
    }
    background_ = runtime_.executors().create_executor("background");
    graphs_ = runtime_.executors().create_executor("graphs");
    for (std::uint16_t i = 0; i < std::max<std::uint16_t>(options_.executors, 1); ++i)
        executors_.push_back(runtime_.executors().create_executor("shard-" + std::to_string(i)));
    const auto executors_used =
        static_cast<std::uint32_t>(std::min<std::size_t>(executors_.size(), identity_.shards));
    if (options_.memory_bytes_max > 0) {
        TIDAL_ASSIGN(memory_budget_,
                     shard::MemoryBudget::open({.bytes_max = options_.memory_bytes_max,
                                                .logger = options_.logger.named("memory")},
                                               runtime_, *background_));
    }
    gate_.emplace(with_default_running(options_.load, executors_used), *executors_.front(),
                  runtime_.clock());
    for (std::uint16_t id = 0; id <= identity_.shards; ++id) {
        TIDAL_ASSIGN(auto store, storage::ShardStore::open(runtime_.disk(), *rows_, ShardId(id),
                                                           shard_directory(ShardId(id))));
        shard::Shard::Options options;
        options.state.shard = ShardId(id);
        options.state.view_items_min = options_.view_items_min;
        options.state.graph_vectors_min = options_.graph_vectors_min;
        options.graphs = graphs_.get();
        options.state.ledger_bytes_max = options_.ledger_bytes_max / identity_.shards;
        options.state.idempotency_bytes_max = options_.idempotency_bytes_max / identity_.shards;
        options.state.disk = &runtime_.disk();
        options.state.directory = shard_directory(ShardId(id));
        options.state.logger = options_.logger.named("shard");
        options.proposed_bytes_max = options_.writes_bytes_max;
        options.memory = memory_budget_.get();
        options.region = identity_.region;
        options.checkpoint_interval_ms = options_.checkpoint_interval_ms;
        options.checkpoint_events = options_.checkpoint_events;
        options.log_bytes_max = options_.log_bytes_max;
        if (options_.slice_records)
            options.batch_slice = options.group_slice = *options_.slice_records;
        options.logger = options_.logger.named("shard");
        TIDAL_ASSIGN(auto opened,
                     shard::Shard::open(options, runtime_, *executors_[id % executors_.size()],
                                        *background_, std::move(store)));
        shards_.push_back(std::move(opened));
    }
    return {};
}

Result<void> Database::open_log() {
    if (options_.ephemeral) return {};
    wal::LogOptions log_options = options_.log;
    log_options.logger = options_.logger.named("log");
    log_options.must_exist = true;
    TIDAL_ASSIGN(archive_, PersonalArchive::make(*this));
    log_options.archive_codec = archive_.get();
    if (options_.cluster) {
        TIDAL_TRY(publish_nothing());
        cluster_ = std::make_unique<ClusterNode>(*this);
        TIDAL_TRY(cluster_->open_replicas());
        TIDAL_ASSIGN(log_, wal::NodeLog::open(
                               runtime_, log_options,
                               [this](const wal::BatchHeader& header, std::string_view payload) {
                                   return cluster_->visit(header, payload);
                               }));
        return {};
    }
    TIDAL_ASSIGN(
        log_, wal::NodeLog::open(
                  runtime_, log_options,
                  [this](const wal::BatchHeader& header, std::string_view payload) -> Result<void> {
                      if (header.shard.value() >= shards_.size())
                          return Error(ErrorCode::kIncompatible,
                                       "the log names a shard this directory does not have")
                              .with("shard", header.shard.value());
                      return shard(header.shard).replay(header, payload);
                  }));
    return {};
}

void Database::start_shards() {
    for (auto& each : shards_) {
        runtime::Executor& executor = *executors_[each->id().value() % executors_.size()];
        pumps_.push_back(
            std::make_unique<shard::RelayPump>(*each, Incarnation(1), *transport_, executor));
        each->set_on_applied([this, pump = pumps_.back().get(), id = each->id()] {
            pump->poke();
            if (cluster_ != nullptr) cluster_->on_applied(id);
        });
        if (cluster_ != nullptr) continue;  // by its replica: ClusterNode::open_groups
        if (options_.ephemeral) {
            each->start(std::make_unique<shard::MemoryCommitter>());
        } else {
            each->start(std::make_unique<shard::LogCommitter>(*log_, each->id(), Incarnation(1)));
        }
    }
}

void Database::start(Done done) {
    if (cluster_ != nullptr) return start_member(std::move(done));
    begin_archive();
    start_alone(std::move(done));
}

/// What a start found to seal has waited for shards that can be asked for keys.
void Database::begin_archive() {
    if (archive_ == nullptr) return;
    archive_->begin();
    log_->resume_sealing();
}

/// Does not wait for the others: what is asked before this node is ready() waits or is refused.
void Database::start_member(Done done) {
    if (auto started = cluster_->start(); !started.ok()) return done(std::move(started));
    begin_archive();
    done({});
}

void Database::start_alone(Done done) {
    const auto finish = [this](Done finished, Result<void> result) {
        if (result.ok()) {
            publish_catalog();
            for (auto& pump : pumps_) pump->poke();  // rows that waited when the last process ended
            for (std::size_t id = 1; id < shards_.size(); ++id)
                drop_lost_collections(shards_[id]->id());
        }
        finished(std::move(result));
    };
    auto shared_done = std::make_shared<Done>(std::move(done));
    run_in_turn(
        shards_.size(), [this](std::size_t at, Done next) { configure_shard(at, std::move(next)); },
        [this, finish, shared_done](Result<void> configured) {
            if (!configured.ok()) return finish(std::move(*shared_done), std::move(configured));
            publish_catalog();
            if (!options_.schema) {
                // A directory made by an earlier version lacks `impression`. A disk that is full
                // now is no reason not to serve.
                return add_to_schema(*schema(), [finish, shared_done](Result<void>) {
                    finish(std::move(*shared_done), {});
                });
            }
            put_schema(*options_.schema, [finish, shared_done](Result<void> result) {
                finish(std::move(*shared_done), std::move(result));
            });
        });
}

/// The metadata shard's schema is the truth: a data shard that a crash left behind, or that a
/// leader elsewhere did not get to, catches up by these. Empty where nothing is missing, or where
/// the metadata shard is not that far itself.
std::vector<record::Record> Database::missing_configuration(std::size_t at, Result<void>* problem) {
    struct Found {
        bool configured;
        SchemaVersion version;
        record::ShardConfigBody config;
        record::MemoryBudgets memory;
    };
    const auto look = [](shard::ShardState& state) {
        return Found{state.config().apply_version.value() != 0,
                     state.schema() ? state.schema()->version : SchemaVersion(0), state.config(),
                     state.memory()};
    };
    const Found here = shards_[at]->with_state(look);
    std::string encoded;
    SchemaVersion newest{0};
    if (at > 0) {
        const auto schema =
            shards_[0]->with_state([](shard::ShardState& meta) { return meta.schema(); });
        if (schema == nullptr) return {};
        encoded = schema::encode_schema(*schema);
        newest = schema->version;
    } else if (here.version.value() == 0) {
        auto parsed = schema::parse_schema(first_schema_ ? std::string_view(*first_schema_)
                                                         : schema::default_schema_yaml());
        if (!parsed.ok()) {
            *problem = parsed.take_error();
            return {};
        }
        encoded = schema::encode_schema(schema::with_impression(*parsed));
        newest = parsed->version;
    }
    const record::MemoryBudgets memory = options_.memory.over(here.memory);
    std::vector<record::Record> records;
    if (!here.configured) {
        record::ShardConfigBody config{shard::kApplyVersion, Epoch(1), 0, 0};
        if (at > 0) {
            config.vshard_begin = first_vshard(at);
            config.vshard_end = first_vshard(at + 1);
        }
        if (at > 0 && memory != here.memory) config.memory = memory;
        records = one_record(config);
    } else if (at > 0 && memory != here.memory) {
        record::ShardConfigBody config = here.config;
        config.memory = memory;
        records = one_record(config);
    }
    if (here.version < newest)
        records.push_back(one_record(record::SchemaBody{std::move(encoded)})[0]);
    return records;
}

void Database::configure_shard(std::size_t at, Done done) {
    Result<void> problem;
    auto records = missing_configuration(at, &problem);
    if (records.empty()) return done(std::move(problem));
    shards_[at]->propose(std::move(records), shard::WriteConcern::kLocal, kStartTimeoutMs,
                         as_outcomes(std::move(done)));
}

void Database::raise_schema(std::size_t at, std::string encoded, Done done) {
    shards_[at]->propose(one_record(record::SchemaBody{std::move(encoded)}),
                         shard::WriteConcern::kLocal, kStartTimeoutMs,
                         as_outcomes(std::move(done)));
}

void Database::put_schema(std::string_view yaml, Done done) {
    auto wanted = schema::parse_schema(yaml);
    if (!wanted.ok()) return done(wanted.take_error());
    if (cluster_ != nullptr)
        return put_schema_in_cluster(std::move(*wanted),
                                     runtime_.clock().monotonic_ns() + kSchemaTimeoutMs * 1'000'000,
                                     std::move(done));
    add_to_schema(std::move(*wanted), std::move(done));
}

void Database::add_to_schema(schema::Schema wanted, Done done) {
    // A change that a full disk stopped half-way is in the metadata shard and not yet public:
    // another one in its place would be two schemas of one version.
    const auto newest_schema = [this] {
        return shards_[0]->with_state([](shard::ShardState& state) { return state.schema(); });
    };
    wanted = schema::with_impression(std::move(wanted), newest_schema().get());
    if (auto known = begin_schema_change(wanted); !known || *known)
        return done(known ? Result<void>() : known.take_error());
    auto added = schema::check_addition(*newest_schema(), wanted);
    if (!added.ok()) {
        end_schema_change();
        return done(added.take_error());
    }
    const std::string encoded = schema::encode_schema(*added);
    run_in_turn(
        shards_.size(),
        [this, encoded](std::size_t at, Done next) { raise_schema(at, encoded, std::move(next)); },
        [this, done = std::move(done)](Result<void> result) mutable {
            publish_catalog();
            end_schema_change();
            done(std::move(result));
        });
}

/// True when every shard knows all of `wanted` already; else the change is this caller's to make.
Result<bool> Database::begin_schema_change(const schema::Schema& wanted) {
    const std::lock_guard lock(mutex_);
    TIDAL_ASSIGN(const schema::Schema next, schema::check_addition(*schema_, wanted));
    if (next.version == schema_->version) return true;
    if (schema_change_under_way_)
        return Error(ErrorCode::kConflict, "another schema change is under way").with_hint("retry");
    schema_change_under_way_ = true;
    return false;
}

void Database::end_schema_change() {
    const std::lock_guard lock(mutex_);
    schema_change_under_way_ = false;
}

ShardId Database::shard_of(VShard vshard) const {
    return ShardId(static_cast<std::uint16_t>(1 + std::uint32_t{vshard.value()} * identity_.shards /
                                                      kVShardCount));
}

std::uint16_t Database::first_vshard(std::size_t shard) const {
    return static_cast<std::uint16_t>(((shard - 1) * kVShardCount + identity_.shards - 1) /
                                      identity_.shards);
}

void Database::checkpoint(Done done) {
    run_in_turn(
        shards_.size(),
        [this](std::size_t at, Done next) { shards_[at]->checkpoint(std::move(next)); },
        std::move(done));
}

void Database::hold_checkpoints(absl::AnyInvocable<void(const HeldFiles&)> work) {
    assert(durable());
    background_->post([this, work = std::move(work)]() mutable {
        work(HeldFiles{runtime_.disk(), *rows_, *log_, options_.log});
    });
}

void Database::stop(absl::AnyInvocable<void()> done) {
    if (cluster_ == nullptr) return stop_shards(std::move(done));
    cluster_->hand_on_before_stop(
        [this, done = std::move(done)]() mutable { stop_shards(std::move(done)); });
}

void Database::stop_shards(absl::AnyInvocable<void()> done) {
    for (auto& pump : pumps_) pump->stop();
    auto left = std::make_shared<std::atomic<std::size_t>>(shards_.size());
    auto shared_done = std::make_shared<absl::AnyInvocable<void()>>(std::move(done));
    for (auto& each : shards_) {
        each->stop([left, shared_done] {
            if (left->fetch_sub(1) == 1) (*shared_done)();
        });
    }
}

}  // namespace tidal::api
