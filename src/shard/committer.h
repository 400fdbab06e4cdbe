// shard/committer.h: what turns a proposed batch into a committed one.
#pragma once

#include "wal/node_log.h"

namespace tidal::shard {

/// What keeps a shard's records until a checkpoint does.
class LogKeeper {
public:
    virtual ~LogKeeper() = default;
    /// Records up to `index` are in a durable checkpoint.
    virtual void checkpointed(LogIndex index) = 0;
    /// Of the log, which stay until this shard's next checkpoint.
    virtual std::uint64_t bytes_pinned() const = 0;
    /// True when a committed record survives the process.
    virtual bool durable() const = 0;
};

/// One per shard of a standalone node: committed = durable here. A replicated shard has a
/// Replicator in its place (replicator.h).
class Committer : public LogKeeper {
public:
    /// Queues a batch; its `on_durable` runs once, in order of the calls, after it is committed, or
    /// with an error that says it never will be. kOverloaded: nothing was queued.
    virtual Result<void> commit(wal::PendingBatch batch) = 0;
};

/// Committed once the node's own log has synced it.
class LogCommitter final : public Committer {
public:
    LogCommitter(wal::NodeLog& log, ShardId shard, Incarnation incarnation)
        : log_(log), shard_(shard), incarnation_(incarnation) {}
    Result<void> commit(wal::PendingBatch batch) override { return log_.append(std::move(batch)); }
    void checkpointed(LogIndex index) override { log_.checkpointed(shard_, incarnation_, index); }
    std::uint64_t bytes_pinned() const override { return log_.bytes_pinned(shard_); }
    bool durable() const override { return true; }

private:
    wal::NodeLog& log_;
    const ShardId shard_;
    const Incarnation incarnation_;
};

/// `--ephemeral`: committed at once, kept nowhere.
class MemoryCommitter final : public Committer {
public:
    Result<void> commit(wal::PendingBatch batch) override {
        batch.on_durable({});
        return {};
    }
    void checkpointed(LogIndex) override {}
    std::uint64_t bytes_pinned() const override { return 0; }
    bool durable() const override { return false; }
};

}  // namespace tidal::shard
