// bench: load on a running server, and how long it took to answer. Open loop when a rate is given:
// requests are due at fixed times and their latency counts from then, so that a slow answer shows
// in those that wait behind it. https://www.scylladb.com/2021/04/22/on-coordinated-omission/
#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <mutex>
#include <random>
#include <sstream>
#include <thread>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;
constexpr unsigned kConnectionsMax = 256;
constexpr double kPercents[] = {50, 90, 99, 99.9, 100};

/// One connection's requests; true when it was answered well.
using Request = std::function<Result<void>(Client&, std::mt19937_64&)>;

struct Tally {
    std::vector<double> latencies_ms;  ///< Of what was answered well.
    std::uint64_t failed = 0;
    std::string first_error;
};

/// Request n of all is due at n / rate; connection c of k sends those with n = c (mod k).
Tally run_connection(const Options& options, const Request& request, unsigned connection,
                     Clock::time_point start) {
    Tally tally;
    Client client(options.url, options.key);
    std::mt19937_64 random(options.bench.seed + connection);
    const auto end = start + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(options.bench.seconds));
    for (std::uint64_t n = connection;; n += options.bench.connections) {
        auto due = Clock::now();
        if (options.bench.rate > 0) {
            due = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                              static_cast<double>(n) / options.bench.rate));
            if (due < end) std::this_thread::sleep_until(due);  // allowed: a request is due then
        }
        if (due >= end || Clock::now() >= end + std::chrono::seconds(10)) return tally;
        const auto done = request(client, random);
        if (!done.ok()) {
            if (tally.failed++ == 0) tally.first_error = done.error().to_string();
            continue;
        }
        tally.latencies_ms.push_back(
            std::chrono::duration<double, std::milli>(Clock::now() - due).count());
    }
}

Tally run_all(const Options& options, const Request& request, double* seconds) {
    Tally all;
    std::mutex mutex;
    std::vector<std::thread> threads;
    const auto start = Clock::now();
    for (unsigned connection = 0; connection < options.bench.connections; ++connection)
        threads.emplace_back([&, connection] {
            Tally one = run_connection(options, request, connection, start);
            const std::lock_guard lock(mutex);
            all.latencies_ms.insert(all.latencies_ms.end(), one.latencies_ms.begin(),
                                    one.latencies_ms.end());
            all.failed += one.failed;
            if (all.first_error.empty()) all.first_error = std::move(one.first_error);
        });
    for (std::thread& thread : threads) thread.join();
    *seconds = std::chrono::duration<double>(Clock::now() - start).count();
    std::sort(all.latencies_ms.begin(), all.latencies_ms.end());
    return all;
}

Result<Verdict> report(const Options& options, const Tally& tally, double seconds) {
    if (tally.latencies_ms.empty() && tally.failed > 0)
        return Error(ErrorCode::kUnavailable, "every request failed; first: " + tally.first_error);
    if (tally.latencies_ms.empty())
        return Error(ErrorCode::kInvalidArgument, "no request was due within the time")
            .with_hint("a longer --seconds or a higher --rate");
    const double count = static_cast<double>(tally.latencies_ms.size());
    json::object out{{"requests", tally.latencies_ms.size()},
                     {"failed", tally.failed},
                     {"first_error", tally.first_error},
                     {"seconds", seconds},
                     {"requests_per_s", count / seconds},
                     {"signals_per_s", count / seconds * options.bench.batch}};
    if (options.bench.what != "signals") out.erase("signals_per_s");
    if (tally.failed == 0) out.erase("first_error");
    json::object latency;
    for (const double percent : kPercents) {
        const auto at = static_cast<std::size_t>(std::ceil(percent / 100 * count)) - 1;
        char name[16];
        std::snprintf(name, sizeof name, "p%g", percent);
        latency[percent == 100 ? "max" : name] = tally.latencies_ms[at];
    }
    out["latency_ms"] = std::move(latency);
    TIDAL_TRY(print_reply(json::serialize(out), options.json));
    if (tally.failed == 0) return Verdict::kSound;
    print_error(
        Error(ErrorCode::kUnavailable,
              std::to_string(tally.failed) + " requests failed; first: " + tally.first_error));
    return Verdict::kFailed;
}

Request feed_request(const Options& options) {
    const std::string path = "/feed?profile=" + percent_encode(options.bench.profile) +
                             "&limit=" + std::to_string(options.bench.limit);
    return [path](Client& client, std::mt19937_64&) -> Result<void> {
        TIDAL_TRY(client.get(path));
        return {};
    };
}

/// Lines of a file, each asked for at random. Empty ones are none.
Result<Request> search_request(const Options& options) {
    if (options.bench.queries.empty())
        return Error(ErrorCode::kInvalidArgument, "bench search asks what a file says")
            .with_hint("--queries FILE, with one query in each line");
    TIDAL_ASSIGN(const std::string text, read_text(options.bench.queries));
    std::vector<std::string> paths;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        if (!line.empty())
            paths.push_back("/search?query=" + percent_encode(line) +
                            "&limit=" + std::to_string(options.bench.limit));
    if (paths.empty())
        return Error(ErrorCode::kInvalidArgument, "no query in the file")
            .with("file", options.bench.queries);
    return Request(
        [paths = std::move(paths)](Client& client, std::mt19937_64& random) -> Result<void> {
            TIDAL_TRY(client.get(paths[random() % paths.size()]));
            return {};
        });
}

/// Items that exist, from the server's own feed: the newest thousand.
Result<std::vector<std::string>> some_items(const Options& options) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key).get("/feed?profile=new&limit=1000"));
    std::vector<std::string> ids;
    const json::value page = json::parse(reply);
    for (const json::value& item : page.at("items").as_array())
        ids.push_back(json::serialize(item.at("entity_id")));
    if (ids.empty())
        return Error(ErrorCode::kNotFound, "the server has no items")
            .with_hint("load some first: tidalctl import");
    return ids;
}

Request signals_request(const Options& options, std::vector<std::string> items) {
    return [items = std::move(items), signal = json::serialize(json::string(options.bench.signal)),
            batch = options.bench.batch](Client& client, std::mt19937_64& random) -> Result<void> {
        std::string body = "[";
        for (unsigned i = 0; i < batch; ++i) {
            // Squared: a few items get most of the signals, as on a real front page.
            const double spot = std::uniform_real_distribution<double>(0, 1)(random);
            const auto at =
                static_cast<std::size_t>(spot * spot * static_cast<double>(items.size()));
            body += (i == 0 ? "" : ",") + std::string("{\"entity_id\":") + items[at] +
                    ",\"signal\":" + signal + ",\"user_id\":" + std::to_string(random() >> 44) +
                    "}";
        }
        TIDAL_TRY(client.send(Client::Method::kPost, "/signals", "application/json", body + "]"));
        return {};
    };
}

}  // namespace

Result<Verdict> bench(const Options& options) {
    if (options.bench.connections == 0 || options.bench.connections > kConnectionsMax)
        return Error(ErrorCode::kInvalidArgument, "--connections is 1 to 256");
    if (!(options.bench.seconds > 0) || !(options.bench.rate >= 0) || options.bench.batch == 0)
        return Error(ErrorCode::kInvalidArgument,
                     "--seconds and --batch are above 0, --rate is not below 0");
    Request request = feed_request(options);
    if (options.bench.what == "signals") {
        TIDAL_ASSIGN(auto items, some_items(options));
        request = signals_request(options, std::move(items));
    } else if (options.bench.what == "search") {
        TIDAL_ASSIGN(request, search_request(options));
    }
    double seconds = 0;
    const Tally tally = run_all(options, request, &seconds);
    return report(options, tally, seconds);
}

}  // namespace tidal::ctl
