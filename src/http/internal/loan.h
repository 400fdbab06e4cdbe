// http/internal/loan.h: a connection's socket in the hands of whoever makes its reply.
//
// Where all of a streamed body is with its handler, the I/O thread has nothing to do but to wait
// for the reply. Handing that to the I/O thread would wake it before the client, one after the
// other; instead the thread that has the reply sends it (decision 82).
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "http/http_server.h"
#include "http/internal/outgoing.h"

namespace tidal::http {

/// Of one exchange. While it lasts the I/O thread leaves the socket alone.
class Loan {
public:
    struct Terms {
        boost::asio::ip::tcp::socket* socket = nullptr;
        std::string request_id, traceparent, date;  ///< Of the reply's head.
    };
    struct Sent {
        std::uint16_t status = 0;
        bool broken = false;  ///< The socket takes no more.
        Outgoing out;
    };

    // On the I/O thread.
    void lend(Terms terms);
    /// Waits for a reply that is being sent. Afterwards the socket is the I/O thread's.
    void take_back();

    /// On any thread: sends what of the reply the socket takes, and ends the loan.
    /// @return nullopt: there is none, and `response` is as it was.
    std::optional<Sent> send(Response& response);

private:
    std::mutex mutex_;
    std::optional<Terms> terms_;  ///< Guarded by mutex_.
};

}  // namespace tidal::http
