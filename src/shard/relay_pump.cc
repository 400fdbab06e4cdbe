#include "shard/relay_pump.h"

namespace tidal::shard {
namespace {

constexpr std::size_t kRowsPerDelivery = 4096;
constexpr std::uint64_t kRetryNs = 50'000'000;
constexpr std::uint64_t kAckTimeoutMs = 60'000;

}  // namespace

std::map<ShardId, std::vector<record::RelayBody>> RelayPump::gather() {
    return source_.with_state([&](ShardState& state) {
        std::map<ShardId, std::vector<record::RelayBody>> deliveries;
        std::map<ShardId, std::size_t> rows;
        for (const auto& [vshard, stream] : state.outbox().streams()) {
            const ShardId target = transport_.shard_of(vshard);
            std::size_t& taken = rows[target];
            if (under_way_.contains(target) || taken >= kRowsPerDelivery) continue;
            const std::size_t count = std::min(stream.size(), kRowsPerDelivery - taken);
            record::RelayBody body{source_.id(), incarnation_, vshard, {}};
            body.rows.assign(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(count));
            taken += count;
            deliveries[target].push_back(std::move(body));
        }
        return deliveries;
    });
}

void RelayPump::poke() {
    std::map<ShardId, std::vector<record::RelayBody>> deliveries;
    {
        const std::lock_guard lock(mutex_);
        if (stopped_ || !source_.can_propose() || !source_.has_relays()) return;
        deliveries = gather();
        for (const auto& [target, bodies] : deliveries) under_way_.insert(target);
    }
    for (auto& [target, bodies] : deliveries) {
        std::vector<VShard> vshards;
        for (const record::RelayBody& body : bodies) vshards.push_back(body.target);
        transport_.deliver(
            target, std::move(bodies),
            [this, target = target, vshards = std::move(vshards)](auto marks) mutable {
                delivered(target, std::move(vshards), std::move(marks));
            });
    }
}

void RelayPump::delivered(ShardId target, std::vector<VShard> vshards,
                          Result<std::vector<std::uint64_t>> marks) {
    if (marks.ok()) {
        acknowledge(target, vshards, *marks);
        return;
    }
    executor_.post_after(kRetryNs, [this, target] {
        {
            const std::lock_guard lock(mutex_);
            under_way_.erase(target);
        }
        poke();
    });
}

void RelayPump::acknowledge(ShardId target, const std::vector<VShard>& vshards,
                            const std::vector<std::uint64_t>& marks) {
    std::vector<record::Record> records(vshards.size());
    for (std::size_t i = 0; i < vshards.size(); ++i)
        records[i].body = record::RelayAckBody{target, vshards[i], marks[i]};
    // The target stays busy until the acknowledgement is applied, else its rows would go again.
    source_.propose(std::move(records), WriteConcern::kMajority, kAckTimeoutMs,
                    [this, target](Result<std::vector<Outcome>> done) {
                        const std::uint64_t delay_ns = done.ok() ? 0 : kRetryNs;
                        executor_.post_after(delay_ns, [this, target] {
                            {
                                const std::lock_guard lock(mutex_);
                                under_way_.erase(target);
                            }
                            poke();
                        });
                    });
}

void RelayPump::stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
}

}  // namespace tidal::shard
