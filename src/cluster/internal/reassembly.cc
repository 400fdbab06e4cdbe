#include "cluster/internal/reassembly.h"

namespace tidal::cluster::internal {

std::optional<std::string> Reassembly::add(const Part& part) {
    Lane& lane = lanes_[static_cast<std::size_t>(part.channel)];
    if (part.message <= lane.done_up_to) return std::nullopt;
    Open& open = lane.open[part.message];
    if (open.pieces.empty()) {
        open.pieces.resize(part.pieces);
        open.there.resize(part.pieces);
        open.missing = part.pieces;
        open.total_bytes = part.total_bytes;
    }
    // Two messages under one number: no correct peer does that.
    if (open.pieces.size() != part.pieces || open.total_bytes != part.total_bytes)
        return std::nullopt;
    if (open.there[part.piece]) return std::nullopt;
    open.there[part.piece] = true;
    open.pieces[part.piece] = part.bytes;
    if (--open.missing > 0) {
        if (lane.open.size() > kOpenMax) {
            lane.done_up_to = lane.open.begin()->first;
            lane.open.erase(lane.open.begin());
            ++given_up_;
        }
        return std::nullopt;
    }
    std::string message;
    message.reserve(open.total_bytes);
    for (const std::string& piece : open.pieces) message += piece;
    lane.open.erase(part.message);
    if (lane.open.empty()) lane.done_up_to = std::max(lane.done_up_to, part.message);
    return message;
}

void Reassembly::clear() {
    for (Lane& lane : lanes_) lane = {};
}

}  // namespace tidal::cluster::internal
