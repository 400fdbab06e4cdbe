// http/internal/exchange.h: the thread-safe way back from a handler to the connection that asked.
#pragma once

#include <absl/functional/any_invocable.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "http/http_server.h"
#include "http/internal/loan.h"
#include "http/internal/piece.h"

namespace tidal::http {

class Connection;

/// Posts to an I/O thread as long as it lives; what comes at the same time wakes it once.
/// Threads: any.
class Gate : public std::enable_shared_from_this<Gate> {
public:
    explicit Gate(boost::asio::io_context& io) : io_(&io) {}
    /// The calling thread is the I/O thread from now on.
    void enter() { thread_ = std::this_thread::get_id(); }
    bool is_inside() const { return thread_ == std::this_thread::get_id(); }
    /// False once closed; the work is then destroyed without being run.
    bool post(absl::AnyInvocable<void()> work);
    /// After the I/O thread has ended.
    void close();

private:
    void run_queue();

    boost::asio::io_context* const io_;
    std::atomic<std::thread::id> thread_;
    std::mutex mutex_;
    bool open_ = true;                               ///< Guarded by mutex_.
    std::vector<absl::AnyInvocable<void()>> queue_;  ///< Guarded by mutex_.
};

/// One request and its reply. Outlives the connection in the hands of handlers. Threads: any.
class Exchange {
public:
    Exchange(std::shared_ptr<Gate> gate, std::weak_ptr<Connection> connection, std::uint64_t number)
        : gate_(std::move(gate)), connection_(std::move(connection)), number_(number) {}

    void push(Piece&& piece);
    void read_next(bool wanted);
    /// The connection's, while it waits for the reply and for nothing else.
    Loan& loan() { return loan_; }
    /// On the I/O thread; at once when called there.
    template <typename Work>
    void run(Work&& work) {
        if (gate_->is_inside()) return work();
        gate_->post(std::forward<Work>(work));
    }

private:
    void post_piece(Piece&& piece);

    const std::shared_ptr<Gate> gate_;
    const std::weak_ptr<Connection> connection_;  ///< Locked on the I/O thread only.
    const std::uint64_t number_;                  ///< A connection ignores all but its current one.
    Loan loan_;
};

}  // namespace tidal::http
