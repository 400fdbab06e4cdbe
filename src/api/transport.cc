#include "api/transport.h"

#include "api/forward.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kDeliveryTimeoutMs = 60'000;

}  // namespace

void Database::Transport::deliver(ShardId target, std::vector<record::RelayBody> bodies,
                                  Done done) {
    Proposal proposal;
    proposal.shard = target;
    proposal.concern = database_.concern_of({});
    for (record::RelayBody& body : bodies) proposal.records.emplace_back().body = std::move(body);
    database_.route(std::move(proposal), kDeliveryTimeoutMs,
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
