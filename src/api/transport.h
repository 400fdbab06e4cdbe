// api/transport.h: the relay between shards.
#pragma once

#include "api/database.h"

namespace tidal::api {

/// A delivery is a proposal to the target shard, wherever its leader is. Its answer carries the
/// mark of each stream.
class Database::Transport final : public shard::RelayTransport {
public:
    explicit Transport(Database& database) : database_(database) {}
    ShardId shard_of(VShard vshard) override { return database_.shard_of(vshard); }
    void deliver(ShardId target, std::vector<record::RelayBody> bodies, Done done) override;

private:
    Database& database_;
};

}  // namespace tidal::api
