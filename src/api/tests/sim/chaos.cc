#include "api/tests/sim/chaos.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "api/tests/sim_cluster.h"

namespace tidal::api {
namespace {

/// The last one's signals come in batches of one size only.
constexpr std::uint64_t kItems = 7;
constexpr std::uint64_t kBatchItem = kItems;
constexpr std::uint64_t kBatch = 12;
constexpr std::uint32_t kNodes = 3;
constexpr int kSteps = 200;
constexpr int kActsAtLast = 4;  ///< Of people, through each member.

class Chaos {
public:
    explicit Chaos(std::uint64_t seed)
        : cluster_(seed, 2, 200), random_(seed), people_(cluster_, random_) {
        cluster_.options().slice_records = 1 + below(4);
    }

    ChaosResult run() {
        cluster_.begin(kNodes);
        churn_.emplace(cluster_, random_);
        for (std::uint64_t id = 1; id <= kItems; ++id) cluster_.put(1, item(id, creator_of(id)));
        people_.begin();
        for (int step = 0; step < kSteps && good(); ++step) {
            pass();
            go_on();
            act();
        }
        if (good()) settle();
        if (good()) check();
        for (const auto& line : lines_) {
            result_.answered += line->answered ? 1 : 0;
            result_.acknowledged += line->acknowledged ? 1 : 0;
        }
        result_.writes = lines_.size();
        if (result_.acknowledged == 0) fail("nothing was acknowledged");
        result_.failure = failure_;
        result_.churn = churn_->counts;
        result_.people = people_.counts;
        result_.virtual_ns = cluster_.world().now_ns();
        result_.trace = final_hash();
        return result_;
    }

private:
    struct Line {
        std::uint64_t item = 0;
        std::int64_t before = 0;  ///< Acknowledged of the same item when it was sent.
        std::uint64_t acknowledged_ns = 0;
        bool answered = false, acknowledged = false;
        bool refused = false;  ///< With the word that nothing was written.
        std::string token;
    };

    static std::uint64_t creator_of(std::uint64_t item) { return 1 + item % 2; }
    std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
    std::uint64_t now_ns() { return cluster_.world().now_ns(); }
    bool good() const { return failure_.empty() && !::testing::Test::HasFatalFailure(); }
    void fail(const std::string& what) {
        if (failure_.empty()) failure_ = what;
    }
    std::vector<std::uint32_t> alive() {
        std::vector<std::uint32_t> numbers;
        for (auto& [number, member] : cluster_.nodes())
            if (member.alive()) numbers.push_back(number);
        return numbers;
    }
    std::uint32_t any_alive() {
        const auto numbers = alive();
        return numbers.empty() ? 0 : numbers[below(numbers.size())];
    }
    std::uint32_t any_machine() {
        auto at = cluster_.nodes().begin();
        std::advance(at, below(cluster_.nodes().size()));
        return at->first;
    }
    static std::string name(std::uint64_t number) { return "n" + std::to_string(number); }

    /// Some time; up to the middle of a change of members, where something befalls it.
    void pass() {
        const std::uint64_t ns = below(below(10) == 0 ? 600 : 60) * kMsNs;
        if (!churn_->busy() || below(2) == 0) return cluster_.world().advance(ns);
        std::uint32_t leader = 0;
        std::uint64_t looks = 0;
        const auto joint = [&] {
            if (looks++ % 16 == 0) leader = churn_->joint_leader();
            return leader != 0;
        };
        if (!cluster_.until(joint, ns)) return;
        ++churn_->counts.interrupted;
        switch (below(4)) {
            case 0:
                return die(leader);
            case 1:
                return die(any_alive());
            case 2:
                ++result_.pauses;
                return cluster_.node(leader).runtime->pause(below(1'500) * kMsNs);
            default:
                ++result_.partitions;
                return isolate(leader);
        }
    }
    void go_on() {
        churn_->go_on();
        bury();
        watch();
        churn_->watch();
        fail(churn_->failure());
        fail(people_.failure());
    }

    /// A node that died by itself (of its disk, say) is buried before it is touched.
    void bury() {
        for (auto& [number, member] : cluster_.nodes()) {
            if (churn_->is_joining(number)) continue;  // its own business
            if (!member.runtime || !member.runtime->crashed()) continue;
            const auto& fatal = member.runtime->fatal_error();
            if (fatal && fatal->code() != ErrorCode::kIo)
                fail(name(number) + " gave up: " + fatal->to_string());
            member.disk->clear_faults();
            cluster_.kill(number, {.seed = below(1000)});
        }
    }

    /// One leader in a term of a group.
    void watch() {
        for (auto& [number, member] : cluster_.nodes()) {
            if (!member.alive() || !member->ready()) continue;
            for (const ShardStatus& shard : member->cluster_status().shards) {
                if (shard.role != "leader") continue;
                const auto [leads, fresh] = leaders_.try_emplace({shard.shard, shard.term}, number);
                if (leads->second != number) fail("two leaders in one term");
            }
        }
    }

    void act() {
        const std::uint64_t dice = below(1000);
        const std::uint32_t node = any_alive();
        if (dice < 200 && node != 0) return write(node);
        if (dice < 330 && node != 0) return people_.act(node);
        if (dice < 400 && node != 0) return write_batch(node);
        if (dice < 450) return churn_->act();
        if (dice < 610 && node != 0) return read(node);
        if (dice < 640 && node != 0) return people_.read(node);
        if (dice < 700 && node != 0) return read_own(node);
        if (dice < 725 && alive().size() > 1) return die(node);
        if (dice < 735) return die_all();
        if (dice < 830) return revive();
        if (dice < 855) return cut();
        if (dice < 905) return cluster_.world().network().heal_all();
        if (dice < 925) return weather();
        if (dice < 975 && node != 0) return befall(cluster_.node(node));
        if (dice < 990 && node != 0) {
            // A statement each: the order of arguments is the compiler's.
            const cluster::NodeId to = cluster_.node(any_machine()).id;
            const ShardId shard(static_cast<std::uint16_t>(below(3)));
            return cluster_.node(node)->cluster()->transfer(shard, to, [](Result<void>) {});
        }
        if (dice < 995 && node != 0) cluster_.node(node)->checkpoint([](Result<void>) {});
    }

    // --- clients --------------------------------------------------------------------------------

    /// One signal, or a few on any items.
    void write(std::uint32_t node) {
        std::vector<std::uint64_t> items(below(4) == 0 ? 2 + below(20) : 1);
        for (std::uint64_t& item : items) item = 1 + below(kItems - 1);
        write(node, items);
    }
    /// A batch of one shard; then, more often than not, something where it is half applied.
    void write_batch(std::uint32_t node) {
        write(node, std::vector<std::uint64_t>(kBatch, kBatchItem));
        if (below(4) > 0) come_between();
    }
    void write(std::uint32_t node, const std::vector<std::uint64_t>& items) {
        CallContext context;
        context.timeout_ms = 500 + below(4000);
        // With a key it may be proposed again; without one it may not.
        if (below(2) == 0) context.idempotency_key = "key-" + std::to_string(lines_.size());
        if (items.size() > 1) context.first_line = 1;
        std::vector<std::shared_ptr<Line>> lines;
        std::vector<Write> writes;
        for (const std::uint64_t item : items) {
            lines.push_back(std::make_shared<Line>());
            lines.back()->item = item;
            lines.back()->before = acknowledged(item);
            writes.emplace_back(signal(item, "like"));
        }
        lines_.insert(lines_.end(), lines.begin(), lines.end());
        result_.batches += items.size() > 1 ? 1 : 0;
        cluster_.node(node)->write(std::move(writes), context, [this, lines](WriteReplies replies) {
            for (std::size_t i = 0; i < lines.size(); ++i) take(replies.at(i), lines[i].get());
        });
    }
    void take(const Result<WriteReply>& reply, Line* line) {
        if (line->answered) fail("a write was answered twice");
        line->answered = true;
        line->acknowledged = reply.ok();
        line->acknowledged_ns = now_ns();
        if (line->acknowledged) line->token = reply->token;
        line->refused = !reply.ok() && reply.error().code() == ErrorCode::kUnavailable;
    }

    /// Where a node has applied a part of a batch.
    std::uint32_t half_applied() {
        for (const std::uint32_t node : alive()) {
            const auto seen = cluster_.node(node)->signals({EntityKind::kItem, kBatchItem});
            if (seen.ok() && count_of(*seen) % static_cast<std::int64_t>(kBatch) != 0) return node;
        }
        return 0;
    }
    void come_between() {
        std::uint32_t node = 0;
        const auto half = [&] { return (node = half_applied()) != 0; };
        if (!cluster_.until(half, below(100) * kMsNs)) return;
        ++result_.between_slices;
        switch (below(6)) {
            case 0:
                return die(node);
            case 1:
                return cluster_.node(node)->checkpoint([](Result<void>) {});
            case 2:
                check_export(node);
                return;
            case 3:
                return write_batch(node);
            case 4:
                ++result_.stalls;
                return cluster_.node(node).runtime->pause(below(500) * kMsNs, "wal");
            default:
                return read_item(any_alive(), kBatchItem);
        }
    }

    void read(std::uint32_t node) { read_item(node, 1 + below(kItems)); }
    void read_item(std::uint32_t node, std::uint64_t id) {
        const std::uint64_t begun_ns = now_ns();
        const std::int64_t least = std::max(acknowledged(id), strongly_seen_[id]);
        ReadFence fence;
        const std::uint64_t kind = below(4);
        if (kind == 2) {
            fence.consistency = {Consistency::Kind::kBounded, 1 + below(below(2) ? 100 : 3000)};
        } else if (kind == 3) {
            fence.consistency.kind = Consistency::Kind::kEventual;
        }
        Database* const life = cluster_.node(node).database.get();
        life->fence(fence, FenceScope{EntityRequest{EntityKind::kItem, id}}, 2'000,
                    [this, id, least, life, begun_ns, fence](Result<FenceReply> passed) {
                        if (!passed.ok()) return;
                        const auto seen = life->signals({EntityKind::kItem, id});
                        if (!seen.ok()) return;
                        check_read(id, count_of(*seen), least, begun_ns, fence, *passed);
                    });
    }

    /// What the consistency promised, and what the reply said of its staleness.
    void check_read(std::uint64_t id, std::int64_t seen, std::int64_t least, std::uint64_t begun_ns,
                    const ReadFence& fence, const FenceReply& reply) {
        const auto kind = fence.consistency.kind;
        ++(kind == Consistency::Kind::kStrong    ? result_.strong_reads
           : kind == Consistency::Kind::kBounded ? result_.bounded_reads
                                                 : result_.eventual_reads);
        if (seen > possible(id)) read_failed("a read sees more than was written", id, seen);
        if (kind == Consistency::Kind::kStrong) {
            if (seen < least) read_failed("a strong read is behind", id, seen);
            strongly_seen_[id] = std::max(strongly_seen_[id], seen);
        }
        if (kind == Consistency::Kind::kBounded) {
            const std::uint64_t bound_ms = fence.consistency.staleness_ms_max;
            if (seen < acknowledged_until(id, begun_ns - bound_ms * kMsNs))
                read_failed("older than its bound", id, seen);
            if (!reply.staleness_ms || *reply.staleness_ms > bound_ms)
                read_failed("a reply staler than its bound", id, seen);
        }
        // That of a strong read counts from its beginning.
        const std::uint64_t as_of_ns = kind == Consistency::Kind::kStrong ? begun_ns : now_ns();
        if (reply.staleness_ms &&
            seen < acknowledged_until(id, as_of_ns - *reply.staleness_ms * kMsNs))
            read_failed("staler than its reply says", id, seen);
    }

    /// A session sees its own write on any node, also in the creator's shard.
    void read_own(std::uint32_t node) {
        std::vector<std::shared_ptr<Line>> known;
        for (const auto& line : lines_)
            if (line->acknowledged && !line->token.empty()) known.push_back(line);
        if (known.empty()) return;
        // Mostly a new one: the old ones are everywhere.
        const std::size_t newest = std::min<std::size_t>(known.size(), 1 + below(4));
        const auto line = known[known.size() - newest];
        ReadFence fence{.consistency = {Consistency::Kind::kEventual, 0}, .token = line->token};
        Database* const life = cluster_.node(node).database.get();
        life->fence(fence, {}, 2'000, [this, line, life](Result<FenceReply> passed) {
            if (!passed.ok()) return;
            ++result_.token_reads;
            const auto seen = life->signals({EntityKind::kItem, line->item});
            const auto of_creator = life->signals({EntityKind::kCreator, creator_of(line->item)});
            if (seen.ok() && count_of(*seen) <= line->before)
                read_failed("a session does not see its write", line->item, count_of(*seen));
            if (of_creator.ok() && count_of(*of_creator) <= line->before)
                read_failed("a session does not see its write's effect", line->item,
                            count_of(*of_creator));
        });
    }

    void read_failed(const std::string& what, std::uint64_t id, std::int64_t seen) {
        fail(what + ": item " + std::to_string(id) + " has " + std::to_string(seen) + " of " +
             std::to_string(acknowledged(id)));
    }

    // --- faults ---------------------------------------------------------------------------------

    void die(std::uint32_t node) {
        ++result_.deaths;
        cluster_.kill(node, {.seed = below(1000)});
    }
    void die_all() {
        for (const std::uint32_t node : alive()) die(node);
    }
    void revive() {
        for (auto& [number, member] : cluster_.nodes())
            if (!member.alive() && !churn_->is_joining(number) && below(2) == 0) {
                if (member.runtime) cluster_.kill(number);
                member.disk->clear_faults();
                if (below(4) == 0) come_back_wiped(member);
                return good() ? cluster_.restart(number) : void();
            }
    }
    /// With its old identity and without its log it would vote again in terms it voted in: it must
    /// not start. Then its disk is found.
    void come_back_wiped(SimCluster::Member& member) {
        ++result_.wiped;
        move_files(*member.disk, "wal", "lost");
        const auto opened = cluster_.try_open(member);
        if (opened.ok() || opened.error().reason() != "log_missing")
            fail(member.name + " came back without its log");
        cluster_.kill(member.number);
        move_files(*member.disk, "lost", "wal");
    }
    void move_files(runtime::SimDisk& disk, const std::string& from, const std::string& to) {
        const auto names = disk.list(from);
        if (!names.ok() || names->empty()) return fail("no files in " + from);
        EXPECT_TRUE(disk.create_directories(to).ok());
        for (const std::string& each : *names)
            EXPECT_TRUE(disk.rename(from + "/" + each, to + "/" + each).ok());
        EXPECT_TRUE(disk.sync_directory(from).ok());
        EXPECT_TRUE(disk.sync_directory(to).ok());
    }
    void stall(runtime::SimRuntime& runtime) {
        ++result_.stalls;
        const std::string_view name = below(2) ? "wal" : "background";
        runtime.pause(below(1'500) * kMsNs, name);
    }
    /// Damaged packets are not among them: the frames that notice lie below the simulated network.
    void befall(SimCluster::Member& member) {
        runtime::SimRuntime& runtime = *member.runtime;
        switch (below(5)) {
            case 0:
                ++result_.pauses;
                return runtime.pause(below(1'500) * kMsNs);
            case 1:
                return stall(runtime);
            case 2:
                ++result_.failed_syncs;
                return member.disk->add_fault(
                    {.op = runtime::DiskOp::kSync, .path_contains = "wal", .nth = 1 + below(8)});
            case 3:
                ++result_.clock_faults;
                runtime.set_wall_drift(static_cast<std::int64_t>(below(200'000)) - 100'000);
                return runtime.jump_wall(static_cast<std::int64_t>(below(20'000)) - 10'000);
            default:
                ++result_.deaths;
                return member.disk->set_crash_after(1 + below(80));
        }
    }
    /// One direction, both, or one node from all.
    void cut() {
        ++result_.partitions;
        const std::uint32_t one = any_machine();
        const std::string a = name(one);
        const std::string b = name(any_machine());
        cluster_.world().network().cut(a, b);
        if (below(2) == 0) cluster_.world().network().cut(b, a);
        if (below(3) == 0) isolate(one);
    }
    void isolate(std::uint32_t node) {
        for (const auto& [other, member] : cluster_.nodes())
            cluster_.world().network().partition(name(node), name(other));
    }
    void weather() {
        runtime::SimLink link{.delay_min_ns = 50'000, .delay_max_ns = 1 + below(20) * kMsNs};
        link.loss_ppm = static_cast<std::uint32_t>(below(50'000));
        link.duplicate_ppm = static_cast<std::uint32_t>(below(50'000));
        cluster_.world().network().set_default_link(link);
    }

    // --- the end --------------------------------------------------------------------------------

    void settle() {
        cluster_.world().network().heal_all();
        cluster_.world().network().set_default_link({});
        bury();
        for (auto& [number, member] : cluster_.nodes()) {
            member.disk->clear_faults();
            if (churn_->is_joining(number)) continue;
            member.disk->set_crash_after(0);
            if (!member.alive() && (!member.retired || below(2) == 0)) cluster_.restart(number);
        }
        churn_->settle();
        watch();
        churn_->watch();
        fail(churn_->failure());
        for (const auto& [number, member] : cluster_.nodes())
            if (good() && !member.retired) write_at_last(number);
        for (const auto& [number, member] : cluster_.nodes())
            for (int i = 0; i < kActsAtLast && good() && !member.retired; ++i)
                people_.act_and_wait(number);
        fail(people_.failure());
        if (good()) cluster_.expect_equal();
    }
    /// Once all is well again, every member takes writes.
    void write_at_last(std::uint32_t node) {
        write(node, {1 + below(kItems - 1)});
        const auto line = lines_.back();
        cluster_.until([&] { return line->answered; });
        if (!line->acknowledged) fail("no write by " + name(node) + " once all is well");
    }

    void check() {
        std::map<std::uint64_t, std::int64_t> of_creator;
        for (std::uint64_t id = 1; id <= kItems; ++id) {
            const auto seen = any_member().signals({EntityKind::kItem, id});
            if (!seen.ok()) return fail("no reading: " + seen.error().to_string());
            const std::int64_t count = count_of(*seen);
            if (count < acknowledged(id)) read_failed("a signal is lost", id, count);
            if (count > possible(id)) read_failed("one counts twice", id, count);
            of_creator[creator_of(id)] += count;
        }
        check_exports();
        people_.check();
        fail(people_.failure());
        // Every effect on the creator's shard exactly once.
        for (const auto& [creator, count] : of_creator) {
            const auto seen = any_member().signals({EntityKind::kCreator, creator});
            // Who was never reached by an effect is not known.
            const std::int64_t effects = seen.ok() ? count_of(*seen) : 0;
            if (effects != count)
                fail("creator " + std::to_string(creator) + " has " + std::to_string(effects) +
                     " effects of " + std::to_string(count));
        }
    }

    /// Any, at the end.
    Database& any_member() {
        for (;;) {
            SimCluster::Member& any = cluster_.node(any_machine());
            if (!any.retired) return *any;
        }
    }

    void check_exports() {
        for (const auto& [number, each] : cluster_.nodes())
            if (!each.retired) result_.whole_exports += check_export(number, true) ? 1 : 0;
    }
    /// The log of a node gives nothing that a lost leader wrote in vain, and all of what was, or it
    /// says that a snapshot stands for a part. False in that case. Before the end more may be
    /// committed than is counted.
    bool check_export(std::uint32_t node, bool at_end = false) {
        std::map<std::uint64_t, std::int64_t> counted, exported;
        for (std::uint64_t id = 1; id <= kItems; ++id) {
            const auto seen = cluster_.node(node)->signals({EntityKind::kItem, id});
            if (!seen.ok() && at_end) fail("no reading: " + seen.error().to_string());
            if (!seen.ok()) return false;
            counted[id] = count_of(*seen);
        }
        ExportRequest request;
        for (ExportPage page; !page.end;) {
            request.position = page.position;
            auto next = cluster_.node(node)->export_signals(request);
            if (!next.ok() && !request.gaps && next.error().reason() == "history_incomplete") {
                request.gaps = true;
                continue;
            }
            // Reading, too, may be where its disk dies.
            if (!next.ok() && !cluster_.node(node).alive()) return false;
            if (!next.ok()) return fail("no export: " + next.error().to_string()), false;
            page = std::move(*next);
            for (const ExportedSignal& each : page.signals) ++exported[each.id.number()];
        }
        for (std::uint64_t id = 1; id <= kItems; ++id) {
            if (exported[id] > (at_end ? counted[id] : possible(id)))
                read_failed("an export of what never counted", id, exported[id]);
            if (exported[id] < counted[id] && !request.gaps)
                read_failed("an export without what counted", id, exported[id]);
        }
        return !request.gaps;
    }

    /// Not of the bytes on the way: a cluster's secrets and signatures come from OpenSSL.
    std::uint64_t final_hash() {
        runtime::TraceHash hash;
        hash.add(now_ns());
        hash.add(cluster_.world().steps());
        for (const auto& line : lines_) hash.add(line->answered + 2 * line->acknowledged);
        for (auto& [number, member] : cluster_.nodes()) {
            if (!member.alive()) continue;
            const auto contents = member->content_hashes();
            if (!contents.ok()) continue;
            for (const std::uint64_t each : *contents) hash.add(each);
        }
        return hash.value();
    }

    std::int64_t acknowledged_until(std::uint64_t id, std::uint64_t time_ns) const {
        return std::ranges::count_if(lines_, [&](const auto& line) {
            return line->item == id && line->acknowledged && line->acknowledged_ns <= time_ns;
        });
    }
    std::int64_t acknowledged(std::uint64_t id) const { return acknowledged_until(id, ~0ULL); }
    /// Those that may have been written: all but the ones refused with "nothing was written".
    std::int64_t possible(std::uint64_t id) const {
        return std::ranges::count_if(
            lines_, [&](const auto& line) { return line->item == id && !line->refused; });
    }
    static std::int64_t count_of(const SignalReadings& readings) {
        for (const auto& one : readings.signals)
            if (one.name == "like")
                return one.reading.windows[static_cast<std::size_t>(schema::Window::kAll)].count;
        return 0;
    }

    SimCluster cluster_;
    runtime::SeededRandom random_;
    People people_;
    std::optional<Churn> churn_;  ///< From when the first members are in.
    std::vector<std::shared_ptr<Line>> lines_;
    std::map<std::uint64_t, std::int64_t> strongly_seen_;
    std::map<std::pair<ShardId, Term>, std::uint32_t> leaders_;
    ChaosResult result_;
    std::string failure_;
};

}  // namespace

ChaosResult run_chaos(std::uint64_t seed) {
    // What SimCluster says through gtest is a failure of the seed, not yet of the test.
    ::testing::TestPartResultArray said;
    ChaosResult result;
    {
        const ::testing::ScopedFakeTestPartResultReporter listener(
            ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &said);
        result = Chaos(seed).run();
    }
    for (int i = 0; i < said.size() && result.failure.empty(); ++i)
        if (said.GetTestPartResult(i).failed())
            result.failure = said.GetTestPartResult(i).message();
    return result;
}

}  // namespace tidal::api
