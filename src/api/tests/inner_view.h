// What tests see of a database from within: the state of a shard, and the records that made it.
#pragma once

#include <absl/functional/function_ref.h>

#include "api/database.h"
#include "api/internal/cluster_node.h"
#include "api/internal/term_index.h"

namespace tidal::api {

class InnerView {
public:
    explicit InnerView(Database& database) : database_(database) {}

    std::uint16_t data_shards() const {
        return static_cast<std::uint16_t>(database_.shards_.size() - 1);
    }
    ShardId home_of(EntityKind kind, const EntityId& id) const {
        return database_.shard_of(record::vshard_of(kDefaultTenant, kind, id));
    }
    template <typename Read>
    auto with_state(ShardId id, Read read) {
        return database_.shard(id).with_state(read);
    }
    bool is_checkpointed(ShardId id) {
        const auto stats = database_.shard(id).stats();
        return stats.applied == stats.checkpointed;
    }
    /// The newest checkpoint takes the state's place, as a snapshot would, once `install` returns.
    void replace_state(ShardId id, absl::AnyInvocable<Result<void>()> install,
                       shard::Shard::Waiter done) {
        shard::Shard::Replacement replacement;
        replacement.install = std::move(install);
        replacement.open = [&database = database_, id] {
            return storage::ShardStore::open(database.runtime_.disk(), *database.rows_, id,
                                             Database::shard_directory(id));
        };
        database_.shard(id).replace_state(std::move(replacement), std::move(done));
    }
    /// So many questions that nobody waits for; of a member of a cluster.
    void ask_group(ShardId id, std::size_t count) {
        for (std::size_t asked = 0; asked < count; ++asked)
            database_.cluster_->node().groups().read_index(id, [](const Result<LogIndex>&) {});
    }
    /// Every record of a shard that is applied here, in order.
    /// @return false = a snapshot stands for some of them, or the archive has some, which keeps no
    ///         rows of tastes (record/personal.h): then none is visited.
    Result<bool> visit_history(ShardId id, absl::FunctionRef<void(const record::Record&)> visit) {
        if (database_.stats().log.archive_segments > 0) return false;
        TIDAL_ASSIGN(const auto exporting, database_.begin_export());
        if (database_.cluster_ != nullptr) {
            const LogIndex applied =
                with_state(id, [](shard::ShardState& state) { return state.applied(); });
            TIDAL_ASSIGN(const TermIndex* terms, database_.terms_of(id, applied));
            if (terms->missing_through() != LogIndex()) return false;
        }
        return database_.visit_history(id, LogIndex(1), [&](const record::Record& record) {
            visit(record);
            return true;
        });
    }

private:
    Database& database_;
};

}  // namespace tidal::api
