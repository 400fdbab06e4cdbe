// Writes at a steady rate through all nodes of a cluster until its standard input ends, and says of
// each write when it was sent and when it was acknowledged: the client of bench/failover.sh.
//   failover_writer ITEM RATE PORT...
// One line of CLOCK_REALTIME nanoseconds per acknowledged signal, "SENT ACKNOWLEDGED", at once. A
// signal has an Idempotency-Key and is sent again, to the next node, until it is acknowledged;
// after 60 s it is given up and its line is "SENT lost". What is due is sent when it is due,
// however many are under way (up to kClients).
#include <httplib.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kClients = 256;
constexpr auto kGivenUpAfter = std::chrono::seconds(60);
constexpr auto kBetweenTries = std::chrono::milliseconds(5);
std::atomic<bool> ended{false};

long long wall_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

void say(long long sent_ns, const std::string& then) {
    const std::string line = std::to_string(sent_ns) + " " + then + "\n";
    if (write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        std::abort();
}

class Client {
public:
    Client(const std::string& item, const std::vector<int>& ports, int number)
        : item_(item), number_(number) {
        for (const int port : ports) {
            auto& node = nodes_.emplace_back(std::make_unique<httplib::Client>("127.0.0.1", port));
            node->set_keep_alive(true);
            node->set_tcp_nodelay(true);
            node->set_read_timeout(std::chrono::seconds(10));
        }
    }

    /// A signal at `first` and then after every `period`.
    void work(Clock::time_point first, Clock::duration period) {
        for (auto due = first; !ended; due = std::max(due + period, Clock::now() - period)) {
            std::this_thread::sleep_until(due);
            if (!ended) signal();
        }
    }

private:
    void signal() {
        const std::string key = std::to_string(number_) + "-" + std::to_string(++signals_);
        const httplib::Headers headers{{"Idempotency-Key", key}};
        const std::string body = R"({"entity_id":)" + item_ + R"(,"signal":"view","user_id":)" +
                                 std::to_string(1 + number_) + "}";
        const long long sent_ns = wall_ns();
        const auto until = Clock::now() + kGivenUpAfter;
        for (std::size_t node = signals_ + number_;; ++node) {
            const auto reply =
                nodes_[node % nodes_.size()]->Post("/signals", headers, body, "application/json");
            if (reply && reply->status == 200) return say(sent_ns, std::to_string(wall_ns()));
            if (Clock::now() > until) return say(sent_ns, "lost");
            std::this_thread::sleep_for(kBetweenTries);
        }
    }

    const std::string item_;
    const int number_;
    std::vector<std::unique_ptr<httplib::Client>> nodes_;
    std::size_t signals_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const double rate = argc > 3 ? std::atof(argv[2]) : 0;
    std::vector<int> ports;
    for (int i = 3; i < argc; ++i) ports.push_back(std::atoi(argv[i]));
    if (!(rate > 0)) {
        std::fprintf(stderr, "usage: failover_writer ITEM RATE PORT...\n");
        return 2;
    }
    const auto period =
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(kClients / rate));
    const auto begin = Clock::now();
    std::vector<std::thread> threads;
    for (int number = 0; number < kClients; ++number)
        threads.emplace_back([&, number] {
            Client(argv[1], ports, number).work(begin + period * number / kClients, period);
        });
    while (std::getchar() != EOF) continue;
    ended = true;
    for (std::thread& thread : threads) thread.join();
    return 0;
}
