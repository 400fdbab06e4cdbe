// bench/api_for_you_load_bench.cc: what a page of `for_you` costs, idle and while signals arrive,
// beside a filtered hnswlib that looks for the candidates of one of its four sources.
//
//     api_for_you_load_bench [items = 1000000] [signals a second = 50000] [pages of a group = 2000]
//     api_for_you_load_bench recall [items = 250000] [centres = 250]
//
// The second says the recall of `ann(user)` alone, without a peer, and without signals meanwhile.
// One database in memory, one shard; vectors of 128 dimensions (generated_vectors.h), l2. Three
// groups of 20 users, each of whom liked 10 items around one centre: who has seen nothing, 300 and
// 3,000 items, half of them around that centre, where they stand in the way. 20,000 others liked 5
// items each. Printed by group:
//
//   peer     hnswlib 0.6.2 (M 16, ef of construction 200), the 200 vectors nearest to the likes,
//            each of which weighs 0.8 of the one after it, that are neither seen nor liked, at the
//            least ef whose recall@200 is 0.95; the filter is a bitmap that was made before
//   ann      a page of 200 by `ann(user)` under the same conditions, and its recall@200
//   for_you  a page of 20, Database::feed from call to reply, ids and scores
//
// in turn, from the wall clock: median and 99th percentile.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "database_bed.h"
#include "filtered_hnsw.h"
#include "generated_vectors.h"

namespace tidal::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kDimensions = 128, kListed = 200, kUsers = 20, kLiked = 10;
constexpr std::uint64_t kFirstUser = 1'000'000'000;
constexpr std::array<std::size_t, 3> kSeen = {0, 300, 3'000};

double us_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

constexpr std::string_view kSchema = R"(
items: {ids: u64, embeddings: {content: {dimensions: 128, metric: l2, storage: f32}}}
users: {ids: u64}
creators: {ids: u64}
signals:
  view: {polarity: neutral, half_life: 1d, windows: [1h, 24h, 7d, all], unique: 24h, sets: [seen]}
  like: {polarity: positive, half_life: 7d, windows: [1h, 24h, 7d, all], sets: [liked]}
)";

api::DatabaseOptions with_vectors() {
    api::DatabaseOptions options;
    options.schema = std::string(kSchema);
    return options;
}

struct Times {
    std::vector<double> us;
    double at(double share) {
        std::ranges::sort(us);
        return us[static_cast<std::size_t>(share * static_cast<double>(us.size() - 1))];
    }
};

struct User {
    std::uint64_t id = 0;
    std::vector<std::uint32_t> liked, seen;  ///< Items by place.
    std::vector<float> taste;                ///< Mean of what is liked, the newest first.
    std::vector<bool> accepted;
    std::vector<std::uint32_t> nearest;  ///< The kListed accepted, by comparing all.
};

class Bench {
public:
    Bench(std::size_t items, double rate, std::size_t pages, std::size_t centres)
        : items_(items),
          rate_(rate),
          pages_(pages),
          centres_(centres),
          space_(kDimensions),
          peer_(&space_, pages > 0 ? items : 1, 16, 200) {}

    void load() {
        must(wait<api::CatalogReply>([&](auto done) {
            bed_->put_profile(
                "profile near_taste version 1 { candidates ann(user) limit 200; require 1 - "
                "state(seen); "
                "require 1 - state(liked); score rank(ann(user)); order score desc; }",
                false, std::move(done));
        }));
        Clusters clusters(kDimensions, centres_);
        by_centre_.resize(centres_);
        std::vector<api::Write> writes;
        for (std::uint32_t item = 0; item < items_; ++item) {
            by_centre_[clusters.add(&vectors_)].push_back(item);
            api::EntityWrite entity;
            entity.id = std::uint64_t{item} + 1;
            entity.creator_id.emplace(api::IdInput(1 + random_.next() % 10'000));
            writes.emplace_back(std::move(entity));
            api::EmbeddingWrite vector;
            vector.id = std::uint64_t{item} + 1;
            vector.slot = "content";
            vector.values.assign(row(item), row(item) + kDimensions);
            writes.emplace_back(std::move(vector));
            if (writes.size() >= 2'000) bed_.send(std::exchange(writes, {}));
        }
        bed_.send(std::move(writes));
        for (std::uint64_t user = 1; user <= 20'000; ++user) {
            for (int i = 0; i < 5; ++i) writes.push_back(signal("like", user, any_item()));
            if (user % 200 == 0) bed_.send(std::exchange(writes, {}));
        }
    }

    void build_peer() {
        const auto begin = Clock::now();
        for (std::size_t item = 0; item < items_; ++item)
            peer_.addPoint(vectors_.data() + item * kDimensions, item);
        std::printf("hnswlib made after %.0f s\n", us_since(begin) / 1e6);
    }
    /// Ours is made in the background.
    void await_graphs() {
        const auto begin = Clock::now();
        const std::uint64_t left = bed_.wait_for_graphs(items_);
        std::printf("ours ready %.0f s later, all but %llu vectors in graphs\n\n",
                    us_since(begin) / 1e6, static_cast<unsigned long long>(left));
    }

    void run_recall() {
        for (std::size_t group = 0; group < kSeen.size(); ++group) {
            double sum = 0, least = 1, us = 0;
            for (std::size_t i = 0; i < kUsers; ++i) {
                const User user = make_user(group, i);
                const auto begin = Clock::now();
                const api::FeedReply near = page(user, "near_taste", kListed);
                us += us_since(begin) / kUsers;
                const double one = recall(user, items_of(near));
                sum += one / kUsers;
                least = std::min(least, one);
            }
            std::printf("%-6zu ann, recall@200 %.3f, the least of a user %.3f; %.0f us a page\n",
                        kSeen[group], sum, least, us);
        }
    }

    void run() {
        std::printf("%-6s %-8s %10s %10s %8s\n", "seen", "", "p50 us", "p99 us", "");
        for (std::size_t group = 0; group < kSeen.size(); ++group) {
            std::vector<User> users;
            for (std::size_t i = 0; i < kUsers; ++i) users.push_back(make_user(group, i));
            compare(users, kSeen[group]);
            std::atomic<bool> stop{false};
            std::atomic<std::uint64_t> sent{0};
            const auto begin = Clock::now();
            std::thread writer([&] { send_signals(stop, sent); });
            Times times;
            for (std::size_t page = 0; page < pages_; ++page)
                times.us.push_back(for_you_us(users[page % kUsers]));
            const double took_s = us_since(begin) / 1e6;
            stop = true;
            writer.join();
            std::printf("%-6zu %-8s %10.0f %10.0f  beside %.0f signals/s\n", kSeen[group],
                        "for_you", times.at(0.5), times.at(0.99),
                        static_cast<double>(sent) / took_s);
        }
    }

private:
    const float* row(std::size_t item) const { return vectors_.data() + item * kDimensions; }
    std::uint32_t any_item() { return static_cast<std::uint32_t>(random_.next() % items_); }
    static api::Write signal(const char* name, std::uint64_t user, std::uint32_t item) {
        api::SignalWrite out;
        out.id = std::uint64_t{item} + 1;
        out.signal = name;
        out.user_id = api::IdInput(user);
        return out;
    }

    static UnixMillis wall_ms() {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    }

    User make_user(std::size_t group, std::size_t number) {
        User user;
        user.id = kFirstUser + group * kUsers + number;
        const auto& around = by_centre_[(group * kUsers + number) * 13 % centres_];
        std::unordered_set<std::uint32_t> taken;
        const auto take = [&](bool near, std::vector<std::uint32_t>* to) {
            for (int tries = 0; tries < 1'000; ++tries) {
                const std::uint32_t item =
                    near && tries < 100 ? around[random_.next() % around.size()] : any_item();
                if (!taken.insert(item).second) continue;
                to->push_back(item);
                return;
            }
        };
        while (user.liked.size() < kLiked) take(true, &user.liked);
        for (std::size_t i = 0; i < kSeen[group]; ++i) take(i % 2 == 0, &user.seen);
        std::vector<api::Write> writes;
        // A second apart, as what is newest is by time.
        UnixMillis at_ms = wall_ms() - 1'000 * static_cast<UnixMillis>(kLiked);
        for (const std::uint32_t item : user.liked) {
            auto like = signal("like", user.id, item);
            std::get<api::SignalWrite>(like).at_ms = at_ms += 1'000;
            writes.push_back(std::move(like));
        }
        for (const std::uint32_t item : user.seen) writes.push_back(signal("view", user.id, item));
        bed_.send(std::move(writes));
        user.taste = taste_of(user.liked);
        user.accepted.assign(items_, true);
        for (const std::uint32_t item : taken) user.accepted[item] = false;
        user.nearest = exact(user);
        return user;
    }
    /// As `ann(user)` has it: the likes came in this order.
    std::vector<float> taste_of(const std::vector<std::uint32_t>& liked) const {
        std::vector<float> out(kDimensions);
        float sum = 0, weight = 1;
        for (auto item = liked.rbegin(); item != liked.rend(); ++item, weight *= 0.8F) {
            sum += weight;
            for (std::size_t d = 0; d < kDimensions; ++d) out[d] += weight * row(*item)[d];
        }
        for (float& value : out) value /= sum;
        return out;
    }
    std::vector<std::uint32_t> exact(const User& user) const {
        std::vector<std::pair<float, std::uint32_t>> all;
        for (std::uint32_t item = 0; item < items_; ++item) {
            if (!user.accepted[item]) continue;
            float sum = 0;
            for (std::size_t d = 0; d < kDimensions; ++d)
                sum += (row(item)[d] - user.taste[d]) * (row(item)[d] - user.taste[d]);
            all.emplace_back(sum, item);
        }
        const std::size_t count = std::min(kListed, all.size());
        std::ranges::partial_sort(all, all.begin() + static_cast<std::ptrdiff_t>(count));
        std::vector<std::uint32_t> out;
        for (std::size_t i = 0; i < count; ++i) out.push_back(all[i].second);
        return out;
    }
    static double recall(const User& user, const std::vector<std::uint32_t>& found) {
        const std::unordered_set<std::uint32_t> wanted(user.nearest.begin(), user.nearest.end());
        const auto hits =
            std::ranges::count_if(found, [&](auto item) { return wanted.contains(item); });
        return static_cast<double>(hits) / static_cast<double>(wanted.size());
    }

    static std::vector<std::uint32_t> items_of(const api::FeedReply& page) {
        std::vector<std::uint32_t> out;
        for (const auto& item : page.items)
            out.push_back(static_cast<std::uint32_t>(item.entity.id.number() - 1));
        return out;
    }
    api::FeedReply page(const User& user, const char* profile, std::uint32_t limit) {
        api::FeedCall call;
        call.profile = profile;
        call.user_id = api::IdInput(user.id);
        call.limit = limit;
        call.fields.emplace();
        return must(bed_->feed(call));
    }
    double for_you_us(const User& user) {
        const auto begin = Clock::now();
        const api::FeedReply reply = page(user, "for_you", 20);
        const double us = us_since(begin);
        if (reply.items.size() != 20)
            must(Result<void>(Error(ErrorCode::kInternal, "a short page")));
        scored_ = std::max(scored_, reply.scored);
        return us;
    }

    /// The least ef at which the peer finds enough.
    std::size_t peer_ef(const std::vector<User>& users) {
        for (std::size_t ef = kListed;; ef += 10) {
            double sum = 0;
            for (const User& user : users)
                sum += recall(user, peer_.search(user.taste.data(), ef, user.accepted, kListed));
            if (sum >= 0.95 * static_cast<double>(users.size()) || ef > 10 * kListed) return ef;
        }
    }
    void compare(const std::vector<User>& users, std::size_t seen) {
        const std::size_t ef = peer_ef(users);
        Times peer, ann, for_you;
        double peer_recall = 0, ann_recall = 0;
        scored_ = 0;
        const std::size_t rounds = std::max<std::size_t>(pages_ / kUsers, 1);
        for (std::size_t round = 0; round < rounds; ++round) {
            for (const User& user : users) {
                auto begin = Clock::now();
                const auto found = peer_.search(user.taste.data(), ef, user.accepted, kListed);
                peer.us.push_back(us_since(begin));
                begin = Clock::now();
                const api::FeedReply near = page(user, "near_taste", kListed);
                ann.us.push_back(us_since(begin));
                for_you.us.push_back(for_you_us(user));
                if (round > 0) continue;
                peer_recall += recall(user, found);
                ann_recall += recall(user, items_of(near));
            }
        }
        const auto count = static_cast<double>(users.size());
        if (std::min(peer_recall, ann_recall) < 0.95 * count)
            std::printf("%-6zu not at equal recall: its ratios compare nothing\n", seen);
        std::printf("%-6zu %-8s %10.0f %10.0f  ef %zu, recall@200 %.3f\n", seen, "peer",
                    peer.at(0.5), peer.at(0.99), ef, peer_recall / count);
        std::printf("%-6zu %-8s %10.0f %10.0f  recall@200 %.3f, %.2f of the peer's time\n", seen,
                    "ann", ann.at(0.5), ann.at(0.99), ann_recall / count,
                    ann.at(0.5) / peer.at(0.5));
        std::printf("%-6zu %-8s %10.0f %10.0f  %llu scored at most, %.2f of the peer's time\n",
                    seen, "for_you", for_you.at(0.5), for_you.at(0.99),
                    static_cast<unsigned long long>(scored_), for_you.at(0.5) / peer.at(0.5));
    }

    void send_signals(const std::atomic<bool>& stop, std::atomic<std::uint64_t>& sent) {
        Random random{.state = 42};
        const auto begin = Clock::now();
        while (!stop) {
            std::vector<api::Write> writes;
            for (int i = 0; i < 100; ++i)
                writes.push_back(signal(random.next() % 20 == 0 ? "like" : "view",
                                        1 + random.next() % 100'000,
                                        static_cast<std::uint32_t>(random.next() % items_)));
            bed_.send(std::move(writes));
            sent += 100;
            const double ahead_us = static_cast<double>(sent) / rate_ * 1e6 - us_since(begin);
            if (ahead_us > 0)
                std::this_thread::sleep_for(std::chrono::microseconds(static_cast<long>(ahead_us)));
        }
    }

    const std::size_t items_;
    const double rate_;
    const std::size_t pages_;  ///< 0 = recall alone.
    const std::size_t centres_;
    DatabaseBed bed_{with_vectors()};
    Random random_;
    std::vector<float> vectors_;
    std::vector<std::vector<std::uint32_t>> by_centre_;
    hnswlib::L2Space space_;
    FilteredHnsw peer_;
    std::uint64_t scored_ = 0;
};

}  // namespace
}  // namespace tidal::bench

int main(int argc, char** argv) {
    const bool recall = argc > 1 && std::string_view(argv[1]) == "recall";
    if (recall) ++argv, --argc;
    const auto number = [&](int at, std::size_t otherwise) {
        return argc > at ? static_cast<std::size_t>(std::strtoull(argv[at], nullptr, 10))
                         : otherwise;
    };
    const std::size_t items = number(1, recall ? 250'000 : 1'000'000);
    const std::size_t centres = recall ? number(2, 250) : tidal::bench::Clusters::kCentres;
    const double rate = argc > 2 && !recall ? std::strtod(argv[2], nullptr) : 50'000;
    const std::size_t pages = recall ? 0 : number(3, 2'000);
    if (items < 10'000 || rate <= 0 || (pages == 0) != recall || centres == 0 || centres > items) {
        std::fprintf(stderr,
                     "usage: api_for_you_load_bench [items, 10000 and more] [signals a second] "
                     "[pages]\n       api_for_you_load_bench recall [items] [centres]\n");
        return 2;
    }
    tidal::bench::Bench bench(items, rate, pages, centres);
    bench.load();
    if (!recall) bench.build_peer();
    bench.await_graphs();
    if (recall) {
        bench.run_recall();
    } else {
        bench.run();
    }
    return 0;
}
