// What the tests of the groups' log share: one node's log on a simulated disk, and what it finds.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "cluster/group_log.h"
#include "runtime/sim_runtime.h"

namespace tidal::cluster {

inline const raft::GroupKey kFirst{ShardId(1), Incarnation(1)};
inline const raft::GroupKey kSecond{ShardId(2), Incarnation(1)};
inline const raft::Configuration kThree{
    .voters = {raft::PeerId(1), raft::PeerId(2), raft::PeerId(3)}};

inline raft::Entry record(std::uint64_t term, std::uint64_t index, std::size_t bytes = 20) {
    return {Term(term), LogIndex(index), raft::EntryKind::kRecord,
            raft::make_payload(std::string(bytes, static_cast<char>('a' + (term + index) % 26)))};
}

/// One life of a node with two groups.
class LogLife {
public:
    LogLife(runtime::SimWorld& world, runtime::SimDisk& disk,
            std::map<raft::GroupKey, raft::DurableState> bases =
                {{kFirst, raft::DurableState::base(LogIndex(0), Term(0), kThree)},
                 {kSecond, raft::DurableState::base(LogIndex(0), Term(0), kThree)}})
        : world_(world), node_(world.create_node("node", disk)) {
        loop_ = node_->executors().create_executor("raft");
        files_ = node_->executors().create_executor("raft-files");
        GroupRecovery recovery;
        for (auto& [key, base] : bases) recovery.add_group(key, std::move(base));
        wal::LogOptions options;
        options.file_bytes = 4096;
        auto log = wal::NodeLog::open(
            *node_, options, [&](const wal::BatchHeader& header, std::string_view payload) {
                return recovery.visit(header, payload);
            });
        if (!log.ok()) {
            error = log.error().to_string();
            return;
        }
        log_ = std::move(log).value();
        auto finished = recovery.finish();
        if (!finished.ok()) {
            error = finished.error().to_string();
            return;
        }
        found = std::move(*finished);
        groups = std::make_unique<GroupLog>(
            *node_, *log_, *loop_, *files_,
            GroupLog::Options{
                .stamp_of = [](std::string_view) { return HybridTime::from(1'700'000'000'000, 0); },
                .batch_bytes_max = 60},
            found.states_index,
            GroupLog::Callbacks{.persisted =
                                    [this](const raft::GroupKey& key, std::uint64_t number) {
                                        EXPECT_EQ(number, persisted[key] + 1);
                                        persisted[key] = number;
                                    },
                                .fetched = [this](const raft::GroupKey&) { ++fetches; }});
        for (const auto& [key, state] : found.groups)
            groups->add_group(key, state, found.stamps[key]);
    }
    ~LogLife() {
        groups.reset();
        log_.reset();
    }

    wal::NodeLog& log() { return *log_; }
    runtime::SimRuntime& node() { return *node_; }
    void run() { world_.run_until_idle(); }

    std::string error;  ///< Of the start; empty = it began.
    GroupRecovery::Found found;
    std::unique_ptr<GroupLog> groups;
    std::map<raft::GroupKey, std::uint64_t> persisted;
    int fetches = 0;

private:
    runtime::SimWorld& world_;
    std::unique_ptr<runtime::SimRuntime> node_;
    std::unique_ptr<runtime::Executor> loop_, files_;
    std::unique_ptr<wal::NodeLog> log_;
};

}  // namespace tidal::cluster
