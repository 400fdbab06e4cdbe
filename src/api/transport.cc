#include "api/transport.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kDeliveryTimeoutMs = 60'000;

}  // namespace

void Database::Transport::deliver(ShardId target, std::vector<record::RelayBody> bodies,
                                  Done done) {
    std::vector<record::Record> records(bodies.size());
    for (std::size_t i = 0; i < bodies.size(); ++i) records[i].body = std::move(bodies[i]);
    database_.shard(target).propose(
        std::move(records), shard::WriteConcern::kLocal, kDeliveryTimeoutMs,
        [done = std::move(done)](Result<std::vector<shard::Outcome>> outcomes) mutable {
            if (!outcomes.ok()) return done(outcomes.take_error());
            std::vector<std::uint64_t> marks;
            for (const shard::Outcome& outcome : *outcomes) {
                if (!outcome.ok()) return done(Error(*outcome.refused));
                marks.push_back(outcome.mark);
            }
            done(std::move(marks));
        });
}

}  // namespace tidal::api
