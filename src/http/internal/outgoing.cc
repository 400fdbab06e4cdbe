#include "http/internal/outgoing.h"

#include <algorithm>

namespace tidal::http {

void Outgoing::add(std::string text) {
    bytes += text.size();
    if (parts.empty() || parts.back().size() > kJoinedBytesMax) {
        parts.push_back(std::move(text));
    } else {
        parts.back() += text;
    }
}

void Outgoing::add_large(std::string text) {
    if (text.size() <= kCopiedBodyBytesMax) return add(std::move(text));
    bytes += text.size();
    parts.push_back(std::move(text));
    parts.emplace_back();
}

std::vector<boost::asio::const_buffer> Outgoing::rest() const {
    std::vector<boost::asio::const_buffer> out;
    std::size_t skip = taken;
    for (const std::string& part : parts) {
        const std::size_t skipped = std::min(skip, part.size());
        skip -= skipped;
        if (skipped < part.size()) out.push_back(boost::asio::buffer(part) + skipped);
    }
    return out;
}

bool Outgoing::offer(boost::asio::ip::tcp::socket& socket) {
    boost::system::error_code ec;
    if (parts.size() == 1) {  // Without a list of buffers, by the cheaper system call.
        const boost::asio::const_buffer whole = boost::asio::buffer(parts.front());
        taken += socket.write_some(whole + taken, ec);
    } else {
        taken += socket.write_some(rest(), ec);
    }
    return !ec || ec == boost::asio::error::would_block;
}

}  // namespace tidal::http
