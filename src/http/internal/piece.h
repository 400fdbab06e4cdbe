// http/internal/piece.h: a part of a reply on its way to the socket.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "http/http_server.h"

namespace tidal::http {

struct Piece {
    enum class Kind : std::uint8_t { kWhole, kHead, kChunk, kEnd, kCut };
    Kind kind = Kind::kWhole;
    Response response;  ///< kWhole, kHead.
    std::string bytes;  ///< kChunk.
    ResponseWriter::Done done;

    Piece() = default;
    Piece(Piece&& other) noexcept
        : kind(other.kind),
          response(std::move(other.response)),
          bytes(std::move(other.bytes)),
          done(std::exchange(other.done, nullptr)) {}
    Piece& operator=(Piece&&) = delete;
    /// However it is lost, its writer hears of it.
    ~Piece() {
        if (done) done(false);
    }
};

}  // namespace tidal::http
