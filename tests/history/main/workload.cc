#include "tests/history/main/workload.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <thread>

#include "tests/history/main/node_client.h"
#include "tests/history/main/recorder.h"

namespace tidal::history {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint32_t kKeysMax = 5'000;
constexpr std::uint32_t kClientsMax = 200;
constexpr int kSendsMax = 6;
constexpr auto kBetweenTries = std::chrono::milliseconds(50);

/// Items of one seed; registers come first.
std::uint64_t first_item(std::uint64_t seed) {
    return 1'000'000'000 + seed % 1'000'000 * 2 * kKeysMax;
}

/// Later versions of a key are larger numbers in quotes; 0 of none.
std::uint64_t number_of(const std::string& version) {
    return version.size() < 3 ? 0 : std::strtoull(version.c_str() + 1, nullptr, 10);
}

using Nodes = std::vector<std::unique_ptr<NodeClient>>;

Nodes connect(const WorkloadOptions& options) {
    const NodeClient::Parameters parameters{
        options.strong_parameter ? "read_consistency=strong" : "", options.change_parameters};
    Nodes out;
    for (const std::string& node : options.nodes)
        out.push_back(std::make_unique<NodeClient>(node, options.timeout_ms, parameters));
    return out;
}

/// One client: its own connections and its own random numbers.
class Client {
public:
    Client(const WorkloadOptions& options, Recorder& recorder, std::uint32_t number)
        : options_(options),
          recorder_(recorder),
          number_(number),
          nodes_(connect(options)),
          random_(options.seed * 1'000 + number),
          versions_(options.keys),
          added_(options.keys) {}

    /// Operations at random moments, `rate / clients` a second, until `end`.
    void work(Clock::time_point end) {
        std::exponential_distribution<double> pause(options_.rate / options_.clients);
        auto due = Clock::now();
        for (;;) {
            due += std::chrono::duration_cast<Clock::duration>(
                std::chrono::duration<double>(pause(random_)));
            due = std::max(due, Clock::now() - std::chrono::milliseconds(100));
            if (due >= end) return;
            std::this_thread::sleep_until(due);  // an operation is due then
            one_operation();
        }
    }

    /// Reads one key from one node, again and again until it answers; false at the deadline.
    bool read_for_sure(bool counter, std::uint32_t key, std::size_t node, Clock::time_point until) {
        for (;;) {
            Operation one = begin(counter ? Kind::kTotal : Kind::kRead, key);
            finish(&one, read(counter, key, *nodes_[node]), *nodes_[node]);
            if (one.outcome == Outcome::kOk) return true;
            if (Clock::now() >= until) return false;
            std::this_thread::sleep_for(kBetweenTries);  // a try is due then
        }
    }

private:
    std::size_t below(std::size_t bound) { return random_() % bound; }
    NodeClient& any_node() { return *nodes_[below(nodes_.size())]; }
    std::uint64_t register_item(std::uint32_t key) const { return first_item(options_.seed) + key; }
    std::uint64_t counter_item(std::uint32_t key) const { return register_item(key) + kKeysMax; }

    Reply read(bool counter, std::uint32_t key, NodeClient& node) {
        return counter ? node.total(counter_item(key)) : node.read(register_item(key));
    }

    Operation begin(Kind kind, std::uint32_t key) {
        Operation out;
        out.client = number_;
        out.kind = kind;
        out.key = is_counter(kind) ? "views/" + std::to_string(counter_item(key))
                                   : "item/" + std::to_string(register_item(key));
        out.start_ns = recorder_.now_ns();
        return out;
    }

    void finish(Operation* one, const Reply& reply, const NodeClient& node) {
        one->outcome = reply.outcome;
        if (reply.outcome != Outcome::kUnknown) one->end_ns = recorder_.now_ns();
        if (reply.outcome == Outcome::kOk)
            one->version = is_counter(one->kind) ? "" : reply.version;
        if (one->kind == Kind::kRead) one->value = reply.value;
        one->total = reply.total;
        one->node = node.name();
        recorder_.add(*one);
    }

    void one_operation() {
        const auto key = static_cast<std::uint32_t>(below(options_.keys));
        const std::size_t choice = below(100);
        if (choice < 30) return observe(Kind::kRead, key);
        if (choice < 45) return observe(Kind::kTotal, key);
        const Kind kind = choice < 70   ? Kind::kAdd
                          : choice < 85 ? Kind::kWrite
                                        : Kind::kCompareAndSet;
        change(kind, key);
    }

    void observe(Kind kind, std::uint32_t key) {
        NodeClient& node = any_node();
        Operation one = begin(kind, key);
        const Reply reply = read(is_counter(kind), key, node);
        finish(&one, reply, node);
        if (!reply.version.empty() && kind == Kind::kRead) versions_[key] = reply.version;
    }

    void change(Kind kind, std::uint32_t key) {
        const std::string name = std::to_string(options_.seed) + "-" + std::to_string(number_) +
                                 "-" + std::to_string(++changes_);
        const std::string idempotency_key = below(5) == 0 ? "" : "history-" + name;
        // Half of them ask for the newest version they can know, the others for an older one.
        if (kind == Kind::kCompareAndSet && below(2) == 0) observe(Kind::kRead, key);
        if (kind == Kind::kCompareAndSet && versions_[key].empty()) kind = Kind::kWrite;
        Operation one = begin(kind, key);
        if (kind != Kind::kAdd) one.value = name;
        if (kind == Kind::kCompareAndSet) one.expected = versions_[key];
        const auto send = [&](NodeClient& node) {
            if (kind == Kind::kAdd)
                return node.add(counter_item(key), 1 + number_, idempotency_key);
            return node.write(register_item(key), name, one.expected, idempotency_key);
        };
        const std::string token = send_until_known(&one, send, !idempotency_key.empty());
        if (!one.version.empty()) versions_[key] = one.version;
        if (kind == Kind::kAdd && one.outcome == Outcome::kOk) ++added_[key];
        if (!token.empty() && below(4) == 0) read_own(one, key, token);
    }

    /// Without a key it is sent once. With one, until it is acknowledged; after an answer that was
    /// lost, only an acknowledgement says something: the first request may still be on its way.
    /// @return the token of the acknowledgement; empty = there was none.
    std::string send_until_known(Operation* one, const std::function<Reply(NodeClient&)>& send,
                                 bool repeats) {
        bool lost = false;
        for (int sends = 1;; ++sends) {
            NodeClient& node = any_node();
            Reply reply = send(node);
            const bool ok = reply.outcome == Outcome::kOk;
            lost = lost || reply.outcome == Outcome::kUnknown;
            const bool known = ok || (!lost && reply.outcome == Outcome::kMismatch);
            if (!known && repeats && sends < kSendsMax) {
                std::this_thread::sleep_for(kBetweenTries * sends);  // a try is due then
                continue;
            }
            if (lost && !ok) reply.outcome = Outcome::kUnknown;
            finish(one, reply, node);
            if (ok && repeats && below(10) == 0) repeat(*one, send);
            return ok ? reply.token : "";
        }
    }

    /// With the token of a change any node shows that change or what came after it, however stale
    /// it may be otherwise. Such a read is no operation: what else it shows may be old.
    void read_own(const Operation& change, std::uint32_t key, const std::string& token) {
        NodeClient& node = any_node();
        const bool counter = is_counter(change.kind);
        const Reply reply =
            counter ? node.total(counter_item(key), token) : node.read(register_item(key), token);
        if (reply.outcome != Outcome::kOk) return recorder_.add_own_read(false);
        recorder_.add_own_read(true);
        if (counter ? reply.total >= added_[key]
                    : number_of(reply.version) >= number_of(change.version))
            return;
        recorder_.add_problem(
            node.name() + " did not show a change of key " + change.key + " to who had its token " +
            token + ": " +
            (counter ? std::to_string(reply.total) + " of " + std::to_string(added_[key])
                     : reply.version + " after " + change.version));
    }

    /// What was acknowledged is so again, and nothing happens: the history shows that.
    void repeat(const Operation& first, const std::function<Reply(NodeClient&)>& send) {
        const Reply reply = send(any_node());
        const bool answered = reply.outcome == Outcome::kOk || reply.outcome == Outcome::kMismatch;
        if (!answered || (reply.outcome == Outcome::kOk &&
                          (is_counter(first.kind) || reply.version == first.version)))
            return;
        recorder_.add_problem("a repeat on key " + first.key + " with the idempotency key of " +
                              first.value.value_or("a signal") + " was answered otherwise: " +
                              reply.version + " " + reply.problem + ", first " + first.version);
    }

    const WorkloadOptions& options_;
    Recorder& recorder_;
    const std::uint32_t number_;
    Nodes nodes_;
    std::mt19937_64 random_;
    std::vector<std::string> versions_;  // by key: the last one it was told
    std::vector<std::uint64_t> added_;   // by key: acknowledged to this client
    std::uint64_t changes_ = 0;
};

Result<void> check(const WorkloadOptions& options) {
    const auto refuse = [](const char* what) { return Error(ErrorCode::kInvalidArgument, what); };
    if (options.nodes.empty()) return refuse("--nodes names at least one");
    if (options.keys == 0 || options.keys > kKeysMax) return refuse("--keys is 1 to 5000");
    if (options.clients == 0 || options.clients > kClientsMax)
        return refuse("--clients is 1 to 200");
    if (!(options.rate > 0) || !(options.seconds > 0) || options.timeout_ms == 0)
        return refuse("--rate, --seconds and --timeout-ms are above 0");
    return {};
}

/// Counters exist and registers do not: both are new.
Result<void> set_up(const WorkloadOptions& options) {
    const Nodes nodes = connect(options);
    const auto until = Clock::now() + std::chrono::seconds(options.settle_s);
    const std::uint64_t first = first_item(options.seed);
    const auto try_on = [&](NodeClient& node, const auto& ask) -> Result<Reply> {
        for (;;) {
            Reply reply = ask(node);
            if (reply.outcome == Outcome::kOk) return reply;
            if (Clock::now() >= until)
                return Error(ErrorCode::kUnavailable, node.name() + " answers " + reply.problem);
            std::this_thread::sleep_for(kBetweenTries);  // a try is due then
        }
    };
    for (const auto& node : nodes) {
        TIDAL_ASSIGN(const Reply reply,
                     try_on(*node, [&](NodeClient& one) { return one.read(first); }));
        if (reply.value)
            return Error(ErrorCode::kConflict, "the items of this seed exist already")
                .with_hint("another --seed, or another database");
    }
    for (std::uint32_t key = 0; key < options.keys; ++key)
        TIDAL_TRY(try_on(*nodes[key % nodes.size()], [&](NodeClient& one) {
            return one.write(first + kKeysMax + key, "counter", "", "");
        }));
    return {};
}

/// Every key from every node, by all clients together.
Result<void> read_everything(const WorkloadOptions& options, Recorder& recorder,
                             std::vector<std::unique_ptr<Client>>& clients) {
    const auto until = Clock::now() + std::chrono::seconds(options.settle_s);
    std::vector<std::thread> threads;
    for (std::uint32_t number = 0; number < options.clients; ++number)
        threads.emplace_back([&, number] {
            for (std::uint32_t key = number; key < 2 * options.keys; key += options.clients)
                for (std::size_t node = 0; node < options.nodes.size(); ++node)
                    if (!clients[number]->read_for_sure(key >= options.keys, key % options.keys,
                                                        node, until))
                        recorder.add_problem(options.nodes[node] + " did not answer in the end");
        });
    for (std::thread& thread : threads) thread.join();
    return {};
}

}  // namespace

Result<void> run_workload(const WorkloadOptions& options) {
    TIDAL_TRY(check(options));
    Recorder recorder(options.out);
    if (!recorder.good()) return Error(ErrorCode::kIo, "cannot write " + options.out);
    TIDAL_TRY(set_up(options));
    std::vector<std::unique_ptr<Client>> clients;
    for (std::uint32_t number = 0; number < options.clients; ++number)
        clients.push_back(std::make_unique<Client>(options, recorder, number));
    std::printf("working\n");
    std::fflush(stdout);
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(options.seconds));
    std::vector<std::thread> threads;
    for (auto& client : clients) threads.emplace_back([&client, end] { client->work(end); });
    for (std::thread& thread : threads) thread.join();
    std::printf("settling\n");
    std::fflush(stdout);
    TIDAL_TRY(read_everything(options, recorder, clients));
    if (!recorder.close()) return Error(ErrorCode::kIo, "cannot write " + options.out);
    std::printf("%s", recorder.summary().c_str());
    if (!recorder.first_problem().empty())
        return Error(ErrorCode::kConflict, recorder.first_problem());
    return {};
}

}  // namespace tidal::history
