// What one signal costs with everything that follows from it, beside a decayed bump in a plain hash
// map in the same process, alternating, in CPU time of one core; and what is kept of a user.
//
//     shard_signal_bench [items = 1000000] [users = 100000] [rounds = 5] [kind = all of them]
//
// Items and users are drawn uniformly; records come decoded, 64 at a time, as a shard's leader
// applies them. A round is a million signals of each kind:
//   alone    views by nobody, of items without a creator: the item's ledger
//   creator  views by nobody, of an item with one of 10,000 creators: the ledgers of both
//   full     dislikes by a user who is in 2 cohorts, of such an item: the ledgers of both, the
//            user's disliked set, taste ring and affinity, and the ledgers of both cohorts
//   pairs    likes, otherwise the same: also which items were liked by the same users, a pair of
//            the item with each of the five that the user liked before, on both sides
#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#include "cpu_time.h"
#include "runtime/sim_disk.h"
#include "shard/state.h"

namespace tidal::shard {
namespace {

constexpr UnixMillis kStart = 1'700'000'000'000;
constexpr std::size_t kBatch = 64, kSignals = 1'000'000;
constexpr std::uint64_t kCreators = 10'000;
constexpr SignalTypeId kView{0}, kLike{1}, kDislike{2};
constexpr std::string_view kSchema = R"(
items: {ids: u64, fields: {year: int}}
users: {ids: u64}
creators: {ids: u64}
signals:
  view: {polarity: neutral, half_life: 1d, windows: [1h, 24h, 7d, all]}
  like: {polarity: positive, half_life: 7d, windows: [1h, 24h, 7d, all], sets: [liked]}
  dislike: {polarity: negative, half_life: 7d, windows: [1h, 24h, 7d, all], sets: [disliked]}
)";

template <typename T>
T must(Result<T> result) {
    if (!result.ok()) fail(result.error());
    return std::move(result).value();
}

/// A shard that owns everything, with its rows in memory.
class Bed {
public:
    Bed() {
        rows_ = must(storage::open_simple_rows(disk_, "rows"));
        store_ = must(storage::ShardStore::open(disk_, *rows_, ShardId(1), "pages"));
        ShardState::Options options;
        options.shard = ShardId(1);
        constexpr std::uint64_t kRoom = 16ULL << 30;
        options.ledger_bytes_max = kRoom;
        options.memory = {kRoom, kRoom, kRoom, kRoom, kRoom};
        state_ = must(ShardState::open(options, *store_));
        add(record::ShardConfigBody{kApplyVersion, Epoch(1), 0, kVShardCount});
        add(record::SchemaBody{schema::encode_schema(must(schema::parse_schema(kSchema)))});
        apply();
    }
    void add(record::Body body, std::vector<CohortId> cohorts = {}) {
        record::Record& record = batch_.emplace_back();
        record::Envelope& envelope = record.envelope;
        envelope.shard = ShardId(1);
        envelope.incarnation = Incarnation(1);
        envelope.index = index_ = index_.next();
        envelope.stamp = clock_.tick(kStart + static_cast<std::int64_t>(index_.value() / 1000));
        envelope.event_time_ms = envelope.stamp.wall_ms();
        envelope.schema_version = SchemaVersion(1);
        envelope.apply_version = kApplyVersion;
        envelope.epoch = Epoch(1);
        envelope.cohorts = std::move(cohorts);
        record.body = std::move(body);
    }
    /// What was added. @return CPU seconds of it.
    double apply() {
        outcomes_.clear();
        const double start = cpu_seconds();
        if (auto done = state_->apply(batch_, &outcomes_); !done.ok()) fail(done.error());
        if (auto done = state_->settle(); !done.ok()) fail(done.error());
        const double took = cpu_seconds() - start;
        for (const Outcome& outcome : outcomes_)
            if (outcome.refused) fail(*outcome.refused);
        batch_.clear();
        return took;
    }
    std::size_t waiting() const { return batch_.size(); }
    UnixMillis now_ms() const { return clock_.last().wall_ms(); }
    ShardState& state() { return *state_; }

private:
    runtime::SimDisk disk_;
    std::unique_ptr<storage::RowEngine> rows_;
    std::unique_ptr<storage::ShardStore> store_;
    std::unique_ptr<ShardState> state_;
    std::vector<record::Record> batch_;
    std::vector<Outcome> outcomes_;
    HybridClock clock_;
    LogIndex index_;
};

struct Size {
    std::uint64_t items, users;
};

void fill(Bed& bed, const Size& size, bool creators) {
    for (std::uint64_t item = 1; item <= size.items; ++item) {
        record::UpsertBody body;
        body.id = EntityId(item);
        if (creators) body.creator.emplace(EntityId(1 + item % kCreators));
        bed.add(std::move(body));
        if (bed.waiting() == kBatch) bed.apply();
    }
    bed.apply();
}

/// @return nanoseconds a signal.
double run_kind(Bed& bed, const Size& size, SignalTypeId signal, std::mt19937_64& random) {
    const bool full = signal != kView;
    double took = 0;
    for (std::size_t i = 0; i < kSignals; ++i) {
        record::SignalBody body;
        body.item = EntityId(1 + random() % size.items);
        body.signal = signal;
        if (full) body.user = EntityId(1 + random() % size.users);
        bed.add(std::move(body), full ? std::vector{CohortId(1 + random() % 10), CohortId(11)}
                                      : std::vector<CohortId>());
        if (bed.waiting() == kBatch) took += bed.apply();
    }
    took += bed.apply();
    return took * 1e9 / static_cast<double>(kSignals);
}

/// The peer: score and time of the last event by item id.
struct Bump {
    double score = 0;
    UnixMillis at = 0;
};
using BumpMap = absl::flat_hash_map<std::uint64_t, Bump>;

double run_peer(BumpMap& map, const Size& size, std::mt19937_64& random, UnixMillis now_ms) {
    constexpr double kHalfLife = 7 * 86'400'000.0;
    std::vector<std::uint64_t> items(kSignals);
    for (std::uint64_t& item : items) item = 1 + random() % size.items;
    const double start = cpu_seconds();
    for (std::size_t i = 0; i < kSignals; ++i) {
        const UnixMillis at = now_ms + static_cast<UnixMillis>(i / 1000);
        Bump& entry = map[items[i]];
        entry.score = entry.score * std::exp2(-static_cast<double>(at - entry.at) / kHalfLife) + 1;
        entry.at = at;
    }
    return (cpu_seconds() - start) * 1e9 / static_cast<double>(kSignals);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void print(const char* name, const std::vector<double>& ours, const std::vector<double>& peer) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < ours.size(); ++i) ratios.push_back(ours[i] / peer[i]);
    const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
    std::printf(
        "%-7s %5.0f ns/signal (least %.0f)   hash map %.0f ns (%.0f)   ratio %.1f (%.1f..%.1f)\n",
        name, median(ours), *std::min_element(ours.begin(), ours.end()), median(peer),
        *std::min_element(peer.begin(), peer.end()), median(ratios), *least, *most);
}

/// A kind of signals and what was measured of it.
struct Kind {
    const char* name;
    SignalTypeId signal;
    bool creators = true;
    std::vector<double> ns;
};

void run_all(const Size& size, int rounds, std::string_view only) {
    BumpMap map;
    map.reserve(size.items);
    std::mt19937_64 random(42);
    std::vector<Kind> kinds = {{"alone", kView, false, {}},
                               {"creator", kView, true, {}},
                               {"full", kDislike, true, {}},
                               {"pairs", kLike, true, {}}};
    if (!only.empty()) std::erase_if(kinds, [&](const Kind& kind) { return kind.name != only; });
    Bed bare, bed;
    if (std::ranges::any_of(kinds, std::logical_not(), &Kind::creators)) fill(bare, size, false);
    if (std::ranges::any_of(kinds, &Kind::creators)) fill(bed, size, true);
    std::vector<double> peer;
    for (int round = -1; round < rounds; ++round) {  // One round fills all.
        for (Kind& kind : kinds) {
            const double ns = run_kind(kind.creators ? bed : bare, size, kind.signal, random);
            if (round >= 0) kind.ns.push_back(ns);
        }
        const double bump = run_peer(map, size, random, bed.now_ms());
        if (round >= 0) peer.push_back(bump);
    }
    for (const Kind& kind : kinds) print(kind.name, kind.ns, peer);
    const auto tastes = bed.state().tastes().stats();
    const auto states = bed.state().user_states().stats();
    const double users = static_cast<double>(std::max<std::uint64_t>(states.users, 1));
    std::printf(
        "a user after %.0f likes and as many dislikes: taste %.0f B, states %.0f B (%llu users)\n",
        static_cast<double>((rounds + 1) * kSignals) / static_cast<double>(size.users),
        static_cast<double>(tastes.bytes) / users, static_cast<double>(states.bytes) / users,
        static_cast<unsigned long long>(states.users));
    const auto lists = bed.state().co_engagement().stats();
    std::printf("an item: %.0f neighbours, %.0f B\n",
                static_cast<double>(lists.pairs) / static_cast<double>(lists.items),
                static_cast<double>(lists.bytes) / static_cast<double>(lists.items));
}

}  // namespace
}  // namespace tidal::shard

int main(int argc, char** argv) {
    const auto number = [&](int place, std::uint64_t otherwise) {
        return argc > place ? std::strtoull(argv[place], nullptr, 10) : otherwise;
    };
    const tidal::shard::Size size{number(1, 1'000'000), number(2, 100'000)};
    const auto rounds = static_cast<int>(number(3, 5));
    if (size.items == 0 || size.users == 0 || rounds < 1) {
        std::fprintf(stderr, "usage: shard_signal_bench [items] [users] [rounds], all above 0\n");
        return 1;
    }
    tidal::shard::run_all(size, rounds, argc > 4 ? argv[4] : "");
    return 0;
}
