// http/internal/outgoing.h: bytes on their way to a socket.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <vector>

#include "http/internal/piece.h"

namespace tidal::http {

/// Bytes ready to be sent: small ones joined, large ones as they are.
struct Outgoing {
    /// Replies are joined up to here, so that a pipelining client costs one system call for many.
    static constexpr std::size_t kJoinedBytesMax = 64 * 1024;
    /// Bodies up to here are copied behind their head: one buffer is cheaper to send than two.
    static constexpr std::size_t kCopiedBodyBytesMax = 8 * 1024;

    std::vector<std::string> parts;
    std::size_t bytes = 0;
    std::size_t taken = 0;       ///< Of them, by the operating system.
    std::size_t turns_done = 0;  ///< Whole turns among them.
    std::vector<Piece> told;     ///< Sent, and their writers are to hear of it.
    bool cut_after = false;

    void add(std::string text);
    void add_large(std::string text);
    bool sent() const { return taken == bytes; }
    /// What is not taken yet.
    std::vector<boost::asio::const_buffer> rest() const;
    /// Gives the socket, which is non-blocking, what it takes now: nearly always all, and asking
    /// costs less than waiting. False when it is broken.
    bool offer(boost::asio::ip::tcp::socket& socket);
};

}  // namespace tidal::http
