// What the tests of this module share: one database on a simulated disk, its lives, and ids that
// lie where a test wants them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/database.h"
#include "runtime/sim_runtime.h"

namespace tidal::api {

inline constexpr std::uint64_t kSecondNs = 1'000'000'000;

inline ShardId home_of(EntityKind kind, std::uint64_t id, std::uint16_t shards) {
    const VShard vshard = record::vshard_of(kDefaultTenant, kind, EntityId(id));
    return ShardId(
        static_cast<std::uint16_t>(1 + std::uint32_t{vshard.value()} * shards / kVShardCount));
}
/// The first id from `from` on whose home is this shard.
inline std::uint64_t id_at(EntityKind kind, std::uint16_t shard, std::uint16_t shards,
                           std::uint64_t from = 1) {
    while (home_of(kind, from, shards) != ShardId(shard)) ++from;
    return from;
}

inline EntityWrite item(std::uint64_t id, std::optional<std::uint64_t> creator = {}) {
    EntityWrite write;
    write.id = id;
    write.metadata = {{"title", "title " + std::to_string(id)}};
    if (creator) write.creator_id = IdInput(*creator);
    return write;
}
inline SignalWrite signal(std::uint64_t id, std::string name, std::string key = {}) {
    SignalWrite write;
    write.id = id;
    write.signal = std::move(name);
    write.idempotency_key = std::move(key);
    return write;
}

/// A node in a world of its own. Errors of opening and waiting are results; the conveniences that
/// cannot fail in a sound test report with gtest.
class SimNode {
public:
    explicit SimNode(DatabaseOptions options = {}, std::uint64_t seed = 1,
                     std::uint64_t work_ns = 1'000,
                     UnixMillis wall_start_ms = runtime::SimWorldOptions().wall_start_ms)
        : options_(std::move(options)),
          world_(runtime::SimWorldOptions{
              .seed = seed, .wall_start_ms = wall_start_ms, .work_ns = work_ns}),
          disk_({.seed = seed, .sync_ns = 200'000}) {
        options_.log.file_bytes = 8 << 10;
    }
    ~SimNode() { power_off({}); }

    DatabaseOptions& options() { return options_; }
    runtime::SimDisk& disk() { return disk_; }
    runtime::SimWorld& world() { return world_; }
    runtime::SimRuntime& runtime() { return *runtime_; }
    Database& operator*() { return *database_; }
    Database* operator->() { return database_.get(); }
    bool crashed() const { return runtime_->crashed(); }

    /// Opens and starts.
    Result<void> open() {
        runtime_ = world_.create_node("node", disk_);
        auto opened = Database::open(options_, *runtime_);
        if (!opened.ok()) return opened.take_error();
        database_ = std::move(*opened);
        return wait([&](Database::Done done) { database_->start(std::move(done)); });
    }
    /// The power goes; the disk keeps what `spec` says.
    void power_off(const runtime::CrashSpec& spec) {
        if (runtime_) runtime_->kill();
        database_.reset();
        runtime_.reset();
        disk_.crash(spec);
    }
    Result<void> crash_and_open(runtime::CrashSpec spec = {
                                    .keep = runtime::CrashSpec::Keep::kNothing}) {
        power_off(spec);
        return open();
    }

    /// The result that `begin` hands its callback; kUnavailable when the node dies, kTimeout when
    /// nothing comes in ten minutes.
    template <typename Begin>
    Result<void> wait(Begin begin) {
        auto answer = std::make_shared<std::optional<Result<void>>>();
        begin(
            Database::Done([answer](Result<void> result) { answer->emplace(std::move(result)); }));
        world_.run_until([&] { return answer->has_value() || crashed(); }, 600 * kSecondNs);
        if (answer->has_value()) return std::move(**answer);
        if (crashed()) return Error(ErrorCode::kUnavailable, "the node died");
        return Error(ErrorCode::kTimeout, "no answer");
    }

    WriteReplies write(std::vector<Write> writes, const CallContext& context = {}) {
        auto answer = std::make_shared<std::optional<WriteReplies>>();
        database_->write(std::move(writes), context,
                         [answer](WriteReplies replies) { answer->emplace(std::move(replies)); });
        world_.run_until([&] { return answer->has_value() || crashed(); }, 600 * kSecondNs);
        if (answer->has_value()) return std::move(**answer);
        WriteReplies none;
        none.emplace_back(Error(ErrorCode::kUnavailable, "no answer"));
        return none;
    }
    Result<WriteReply> write_one(Write write, const CallContext& context = {}) {
        return std::move(this->write({std::move(write)}, context).front());
    }
    /// A write that must be accepted.
    WriteReply put(Write write) {
        auto reply = write_one(std::move(write));
        EXPECT_TRUE(reply.ok()) << reply.error().to_string();
        return reply.ok() ? std::move(*reply) : WriteReply();
    }

    Result<void> put_schema(const std::string& yaml) {
        return wait([&](Database::Done done) { database_->put_schema(yaml, std::move(done)); });
    }
    Result<void> visible(const std::string& token, std::uint64_t timeout_ms = 10'000) {
        return wait([&](Database::Done done) {
            database_->when_visible(token, timeout_ms, std::move(done));
        });
    }
    Result<void> checkpoint() {
        return wait([&](Database::Done done) { database_->checkpoint(std::move(done)); });
    }
    /// Until everything proposed is applied and no row waits for another shard.
    void rest() {
        EXPECT_TRUE(world_.run_until([&] {
            for (const auto& shard : database_->stats().shards)
                if (shard.outbox_rows > 0 || shard.applied != shard.proposed) return false;
            return true;
        }));
    }

    /// All-time count of a signal; -1 where the entity is not known.
    std::int64_t count(EntityKind kind, std::uint64_t id, const std::string& name) {
        const auto readings = database_->signals({kind, id});
        if (!readings.ok()) return -1;
        for (const auto& one : readings->signals)
            if (one.name == name)
                return one.reading.windows[static_cast<std::size_t>(schema::Window::kAll)].count;
        return -1;
    }
    std::int64_t count(std::uint64_t id, const std::string& name) {
        return count(EntityKind::kItem, id, name);
    }

private:
    DatabaseOptions options_;
    runtime::SimWorld world_;
    runtime::SimDisk disk_;
    std::unique_ptr<runtime::SimRuntime> runtime_;
    std::unique_ptr<Database> database_;
};

/// Opens a node and stops the test where that fails.
#define ASSERT_OK(expr)                                                             \
    do {                                                                            \
        const auto assert_ok_result = (expr);                                       \
        ASSERT_TRUE(assert_ok_result.ok()) << assert_ok_result.error().to_string(); \
    } while (false)

}  // namespace tidal::api
