// Closed-loop puts to etcd by gRPC: IN_FLIGHT at once over one channel per member, every latency
// kept.
//   etcd_puts SECONDS IN_FLIGHT VALUE_BYTES HOST:PORT...
// Puts go to the members in turn. Prints one line, in the form of signals_load.
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "kv.grpc.pb.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Put {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<etcdserverpb::PutResponse>> reader;
    etcdserverpb::PutRequest request;
    etcdserverpb::PutResponse response;
    grpc::Status status;
    Clock::time_point begun;
    std::size_t member = 0;
};

class Load {
public:
    Load(std::size_t value_bytes, int members, char** addresses) : value_(value_bytes, 'v') {
        for (int i = 0; i < members; ++i)
            stubs_.push_back(etcdserverpb::KV::NewStub(
                grpc::CreateChannel(addresses[i], grpc::InsecureChannelCredentials())));
    }

    void run(double seconds, std::size_t in_flight) {
        std::vector<Put> puts(in_flight);
        const auto begin = Clock::now();
        const auto end = begin + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(seconds));
        for (std::size_t i = 0; i < puts.size(); ++i) {
            puts[i].member = i % stubs_.size();
            send(&puts[i]);
        }
        std::size_t left = puts.size();
        void* tag = nullptr;
        bool ok = false;
        while (left > 0 && queue_.Next(&tag, &ok)) {
            Put* put = static_cast<Put*>(tag);
            if (ok && put->status.ok()) {
                latencies_us_.push_back(
                    std::chrono::duration<double, std::micro>(Clock::now() - put->begun).count());
            } else {
                ++failed_;
            }
            if (Clock::now() < end) {
                send(put);
            } else {
                --left;
            }
        }
        report(std::chrono::duration<double>(Clock::now() - begin).count(), in_flight);
    }

private:
    void send(Put* put) {
        put->context = std::make_unique<grpc::ClientContext>();
        put->response.Clear();
        put->request.set_key("item" + std::to_string(next_++ % 100'000));
        put->request.set_value(value_);
        put->begun = Clock::now();
        put->reader = stubs_[put->member]->AsyncPut(put->context.get(), put->request, &queue_);
        put->reader->Finish(&put->response, &put->status, put);
    }

    void report(double seconds, std::size_t in_flight) {
        std::sort(latencies_us_.begin(), latencies_us_.end());
        const auto at = [&](double share) {
            if (latencies_us_.empty()) return 0.0;
            return latencies_us_[static_cast<std::size_t>(
                share * static_cast<double>(latencies_us_.size() - 1))];
        };
        rusage used{};
        getrusage(RUSAGE_SELF, &used);
        const auto cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
        std::printf(
            "etcd ops/s=%.0f in_flight=%zu p50_us=%.0f p99_us=%.0f n=%zu failed=%zu "
            "client_cpu=%.2f\n",
            static_cast<double>(latencies_us_.size()) / seconds, in_flight, at(0.5), at(0.99),
            latencies_us_.size(), failed_, cpu / seconds);
    }

    const std::string value_;
    std::vector<std::unique_ptr<etcdserverpb::KV::Stub>> stubs_;
    grpc::CompletionQueue queue_;
    std::vector<double> latencies_us_;
    std::uint64_t next_ = 0;
    std::size_t failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fprintf(stderr, "usage: etcd_puts SECONDS IN_FLIGHT VALUE_BYTES HOST:PORT...\n");
        return 2;
    }
    Load load(std::strtoull(argv[3], nullptr, 10), argc - 4, argv + 4);
    load.run(std::strtod(argv[1], nullptr), std::strtoull(argv[2], nullptr, 10));
    return 0;
}
