// Closed-loop load over TCP: CONNECTIONS x DEPTH requests in flight, every latency kept.
//   signals_load PROTOCOL PORT ITEMS SECONDS [CONNECTIONS [DEPTH [BATCH]]]
// PROTOCOL: redis (one Lua call a signal), zincrby (one ZINCRBY a signal), http (one POST a
// signal), ndjson (BATCH signals a POST); the last two also with a query, as in "http?w=all".
// Prints what this program itself used of the processors, too.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

// Decayed score, all-time count, buckets of minute, hour and day, and the item's users: what one
// signal does in tidalDB, in one round trip.
constexpr const char* kScript =
    "local v=redis.call('HMGET',KEYS[1],'a','t','n','m','mi','h','hi','d','di') "
    "local now=tonumber(ARGV[1]) local a=tonumber(v[1] or 0) or 0 local t=tonumber(v[2] or now) or "
    "now "
    "a=a*2^(-(now-t)/86400000)+1 "
    "local function bump(c,i,w) local n=math.floor(now/w) if tonumber(i)==n then return "
    "(tonumber(c) or 0)+1,n end return 1,n end "
    "local m,mi=bump(v[4],v[5],60000) local h,hi=bump(v[6],v[7],3600000) local "
    "d,di=bump(v[8],v[9],86400000) "
    "redis.call('HSET',KEYS[1],'a',a,'t',now,'n',(tonumber(v[3]) or "
    "0)+1,'m',m,'mi',mi,'h',h,'hi',hi,'d',d,'di',di) "
    "redis.call('SADD',KEYS[2],ARGV[2]) return 1";

struct Options {
    std::string protocol;
    std::string query;  ///< "?w=all", of http and ndjson.
    int port = 0;
    std::uint64_t items = 1;
    double seconds = 5;
    int connections = 50, depth = 16, batch = 100;
};

std::uint64_t next_random(std::uint64_t* state) {
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return *state >> 33;
}

std::string bulk(const std::string& text) {
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

/// Calls the script by its hash, as Redis's own manual advises: sending it each time costs Redis
/// more than half a microsecond.
std::string redis_request(const std::string& hash, std::uint64_t item, std::uint64_t user,
                          long long now_ms) {
    const std::string id = std::to_string(item);
    return "*7\r\n" + bulk("EVALSHA") + bulk(hash) + bulk("2") + bulk("i" + id) + bulk("u" + id) +
           bulk(std::to_string(now_ms)) + bulk(std::to_string(user));
}

std::string zincrby_request(std::uint64_t item) {
    return "*4\r\n" + bulk("ZINCRBY") + bulk("z") + bulk("1") + bulk("i" + std::to_string(item));
}

bool is_redis(const std::string& protocol) {
    return protocol == "redis" || protocol == "zincrby";
}

std::string http_request(const std::string& query, const std::string& type, std::string_view body) {
    std::string out = "POST /signals" + query +
                      " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + type +
                      "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    return out.append(body);
}

struct Connection {
    int fd = -1;
    std::string out, in;
    std::deque<Clock::time_point> sent;
};

class Load {
public:
    explicit Load(const Options& options) : options_(options) {}

    int run() {
        epoll_ = epoll_create1(0);
        connections_.resize(static_cast<std::size_t>(options_.connections));
        for (std::size_t i = 0; i < connections_.size(); ++i)
            if (!connect(i)) return 1;
        if (options_.protocol == "redis" && !load_script(connections_[0].fd)) return 1;
        const auto start = Clock::now();
        end_ = start + std::chrono::duration_cast<Clock::duration>(
                           std::chrono::duration<double>(options_.seconds));
        for (std::size_t i = 0; i < connections_.size(); ++i) fill(connections_[i]);
        while (open_ > 0) {
            epoll_event events[64];
            const int n = epoll_wait(epoll_, events, 64, 1000);
            if (n == 0 && Clock::now() > end_ + std::chrono::seconds(10)) break;
            for (int i = 0; i < n; ++i)
                if (!serve(connections_[events[i].data.u64])) return 1;
        }
        const double elapsed = std::chrono::duration<double>(last_ - start).count();
        std::sort(latencies_us_.begin(), latencies_us_.end());
        const auto at = [&](double q) {
            return latencies_us_[static_cast<std::size_t>(
                q * static_cast<double>(latencies_us_.size() - 1))];
        };
        rusage used{};
        getrusage(RUSAGE_SELF, &used);
        const auto seconds_of = [](const timeval& t) {
            return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
        };
        const double per_request = options_.protocol == "ndjson" ? options_.batch : 1;
        std::printf(
            "%s signals_per_s=%.0f requests=%zu p50_us=%.0f p99_us=%.0f p999_us=%.0f errors=%zu "
            "client_cpu_us=%.2f\n",
            options_.protocol.c_str(),
            static_cast<double>(latencies_us_.size()) * per_request / elapsed, latencies_us_.size(),
            at(0.5), at(0.99), at(0.999), errors_,
            (seconds_of(used.ru_utime) + seconds_of(used.ru_stime)) * 1e6 /
                static_cast<double>(latencies_us_.size()));
        return errors_ == 0 ? 0 : 1;
    }

private:
    bool connect(std::size_t i) {
        Connection& connection = connections_[i];
        connection.fd = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(options_.port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            std::perror("connect");
            return false;
        }
        const int on = 1;
        setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = i;
        epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
        ++open_;
        return true;
    }

    bool load_script(int fd) {
        const std::string load = "*3\r\n" + bulk("SCRIPT") + bulk("LOAD") + bulk(kScript);
        char reply[128];
        if (send(fd, load.data(), load.size(), MSG_NOSIGNAL) < 0) return false;
        const ssize_t n = recv(fd, reply, sizeof reply, 0);
        if (n < 5 + 40) return false;  // $40, a line's end, the hash
        script_hash_.assign(reply + 5, 40);
        return true;
    }

    std::string request() {
        const std::uint64_t item = 1 + next_random(&seed_) % options_.items;
        const std::uint64_t user = next_random(&seed_) % 100'000;
        if (options_.protocol == "redis") {
            const auto now = std::chrono::system_clock::now().time_since_epoch();
            return redis_request(
                script_hash_, item, user,
                std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
        }
        if (options_.protocol == "zincrby") return zincrby_request(item);
        if (options_.protocol == "http")
            return http_request(options_.query, "application/json", line(item, user));
        std::string body;
        body.reserve(kLineBytesMax * static_cast<std::size_t>(options_.batch));
        body += line(item, user);
        for (int i = 1; i < options_.batch; ++i) {
            const std::uint64_t other = 1 + next_random(&seed_) % options_.items;
            body += line(other, next_random(&seed_) % 100'000);
        }
        return http_request(options_.query, "application/x-ndjson", body);
    }

    static constexpr std::size_t kLineBytesMax = 96;
    /// Valid until the next call.
    std::string_view line(std::uint64_t item, std::uint64_t user) {
        char* to = line_;
        const auto text = [&](std::string_view part) { to = std::ranges::copy(part, to).out; };
        const auto number = [&](std::uint64_t value) {
            to = std::to_chars(to, line_ + sizeof line_, value).ptr;
        };
        text("{\"entity_id\":");
        number(item);
        text(",\"signal\":\"view\",\"user_id\":");
        number(user);
        text("}\n");
        return {line_, static_cast<std::size_t>(to - line_)};
    }

    void fill(Connection& connection) {
        while (static_cast<int>(connection.sent.size()) < options_.depth && Clock::now() < end_) {
            connection.out += request();
            connection.sent.push_back(Clock::now());
        }
        while (!connection.out.empty()) {
            const ssize_t n =
                send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
            if (n <= 0) break;
            connection.out.erase(0, static_cast<std::size_t>(n));
        }
        if (connection.sent.empty()) {
            close(connection.fd);
            --open_;
        }
    }

    /// Whole replies at the front of `in`; 0 = none yet.
    std::size_t reply_bytes(const std::string& in) {
        if (is_redis(options_.protocol)) {
            std::size_t end = in.find("\r\n");
            if (end != std::string::npos && in[0] == '$') end = in.find("\r\n", end + 2);
            if (end == std::string::npos) return 0;
            if (in[0] == '-') ++errors_;
            return end + 2;
        }
        const std::size_t head = in.find("\r\n\r\n");
        if (head == std::string::npos) return 0;
        const bool failed = in.compare(0, 12, "HTTP/1.1 200") != 0;
        const bool in_lines = options_.protocol == "ndjson";
        const std::size_t length = in.find("Content-Length: ");
        if (length != std::string::npos && length < head) {
            const std::size_t body = std::strtoull(in.c_str() + length + 16, nullptr, 10);
            const std::size_t whole = head + 4 + body;
            if (in.size() < whole) return 0;
            const std::string_view reply(in.data(), whole);
            if (failed || (in_lines && !reply.ends_with("\"rejected\":0}\n"))) ++errors_;
            return whole;
        }
        const std::size_t end = in.find("\r\n0\r\n\r\n", head);
        if (end == std::string::npos) return 0;
        if (failed || in.find("\"rejected\":0}", head) > end) ++errors_;
        return end + 7;
    }

    bool serve(Connection& connection) {
        char buffer[65536];
        const ssize_t n = recv(connection.fd, buffer, sizeof buffer, 0);
        if (n <= 0) {
            std::fprintf(stderr, "the server closed a connection\n");
            return false;
        }
        connection.in.append(buffer, static_cast<std::size_t>(n));
        while (const std::size_t bytes = connection.sent.empty() ? 0 : reply_bytes(connection.in)) {
            connection.in.erase(0, bytes);
            last_ = Clock::now();
            latencies_us_.push_back(
                std::chrono::duration<double, std::micro>(last_ - connection.sent.front()).count());
            connection.sent.pop_front();
        }
        fill(connection);
        return true;
    }

    const Options options_;
    std::vector<Connection> connections_;
    std::vector<double> latencies_us_;
    std::string script_hash_;
    int epoll_ = -1;
    int open_ = 0;
    char line_[kLineBytesMax];
    std::size_t errors_ = 0;
    std::uint64_t seed_ = 42;
    Clock::time_point end_, last_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fprintf(
            stderr,
            "usage: signals_load redis|zincrby|http|ndjson PORT ITEMS SECONDS [CONNECTIONS [DEPTH "
            "[BATCH]]]\n");
        return 2;
    }
    Options options;
    options.protocol = argv[1];
    if (const auto query = options.protocol.find('?'); query != std::string::npos) {
        options.query = options.protocol.substr(query);
        options.protocol.resize(query);
    }
    options.port = std::atoi(argv[2]);
    options.items = std::strtoull(argv[3], nullptr, 10);
    options.seconds = std::atof(argv[4]);
    if (argc > 5) options.connections = std::atoi(argv[5]);
    if (argc > 6) options.depth = std::atoi(argv[6]);
    if (argc > 7) options.batch = std::atoi(argv[7]);
    return Load(options).run();
}
