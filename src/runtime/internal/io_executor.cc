#include "runtime/io_executor.h"

#include "runtime/internal/io_executor.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <chrono>

namespace tidal::runtime::internal {
namespace {

namespace asio = boost::asio;

/// Waits in the sockets' loop.
class SocketLoop final : public Idler {
public:
    explicit SocketLoop(std::shared_ptr<asio::io_context> io)
        : io_(std::move(io)), open_(io_->get_executor()) {}

    void wait(std::unique_lock<std::mutex>& lock, std::uint64_t deadline_ns) override {
        lock.unlock();
        if (deadline_ns == kNever) {
            io_->run_one();
        } else {
            const std::uint64_t now = steady_now_ns();
            const std::uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
            io_->run_one_for(std::chrono::nanoseconds(left));
        }
        look();  // messages that came together are worked off together
        lock.lock();
    }
    void wake() override {
        asio::post(*io_, [] {});
    }
    /// Not all there is: a socket that always has more would keep posted work and timers waiting.
    void look() override {
        for (int i = 0; i < kHandlersMax && io_->poll_one() > 0; ++i) {
        }
    }

private:
    static constexpr int kHandlersMax = 64;

    const std::shared_ptr<asio::io_context> io_;
    const asio::executor_work_guard<asio::io_context::executor_type> open_;
};

}  // namespace

IoExecutor::IoExecutor(std::string_view name)
    : IoExecutor(name, std::make_shared<asio::io_context>(1)) {}

IoExecutor::IoExecutor(std::string_view name, std::shared_ptr<asio::io_context> io)
    : ThreadExecutor(name, std::make_unique<SocketLoop>(io)), io_(std::move(io)) {}

IoExecutor::~IoExecutor() {
    stop();
}

}  // namespace tidal::runtime::internal

namespace tidal::runtime {

std::unique_ptr<Executor> create_io_executor(ExecutorFactory& factory, std::string_view name) {
    if (dynamic_cast<internal::ThreadExecutorFactory*>(&factory) == nullptr)
        return factory.create_executor(name);
    return std::make_unique<internal::IoExecutor>(name);
}

}  // namespace tidal::runtime
