// http/internal/request_parser.h: bytes -> one Request, piece by piece. Hides Boost.Beast.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/message.h"

namespace tidal::http {

/// Parses one request (RFC 9112). Strict about what desynchronises proxies: Content-Length beside
/// Transfer-Encoding, repeated or foreign ones, a missing or repeated Host.
class RequestParser {
public:
    explicit RequestParser(std::size_t header_bytes_max);
    ~RequestParser();
    RequestParser(RequestParser&&) noexcept;

    enum class Progress : std::uint8_t { kNeedMore, kHead, kBody, kDone };
    struct Step {
        Progress progress = Progress::kNeedMore;
        std::size_t consumed = 0;
    };
    /// Takes what it can from the front of `bytes`, up to the end of the head (kHead, once) or of
    /// the request (kDone). kBody: a piece of the body came; take_body() has it. kNeedMore: give
    /// the unconsumed bytes again with more behind them.
    /// @return kInvalidArgument when malformed; status() is then the status to answer with.
    Result<Step> put(std::string_view bytes);

    /// From kHead on; headers, paths and query are filled in.
    Request& request();
    /// What of the body came since the last call.
    std::string take_body();

    bool done() const;
    bool started() const;     ///< Whether a byte of it came.
    bool keep_alive() const;  ///< What the client asks for.
    bool is_http_1_0() const;
    bool has_body() const;
    bool is_chunked() const;
    bool expects_continue() const;
    std::uint16_t status() const;  ///< After an error: 400, 431, 501 or 505.

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace tidal::http
