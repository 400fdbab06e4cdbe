// raft/internal/progress.h: what a leader knows of one peer, and how much it may send it.
#pragma once

#include <deque>
#include <optional>

#include "raft/message.h"
#include "raft/status.h"

namespace tidal::raft {

/// Appends on their way: (last index, bytes), oldest first.
class Inflights {
public:
    bool full(std::uint32_t messages_max, std::size_t bytes_max) const {
        return sent_.size() >= messages_max || bytes_ >= bytes_max;
    }
    void add(LogIndex last, std::size_t bytes) {
        sent_.push_back({last, bytes});
        bytes_ += bytes;
    }
    void acknowledged(LogIndex match) {
        while (!sent_.empty() && sent_.front().last <= match) {
            bytes_ -= sent_.front().bytes;
            sent_.pop_front();
        }
    }
    void clear() {
        sent_.clear();
        bytes_ = 0;
    }
    std::uint32_t messages() const { return static_cast<std::uint32_t>(sent_.size()); }
    std::size_t bytes() const { return bytes_; }

private:
    struct Sent {
        LogIndex last;
        std::size_t bytes;
    };
    std::deque<Sent> sent_;
    std::size_t bytes_ = 0;
};

/// A snapshot on its way: `acked` <= `sent` <= meta.bytes.
struct SnapshotSend {
    SnapshotMeta meta;
    std::uint64_t acked = 0;
    std::uint64_t sent = 0;
    bool answered = false;          ///< Since it began or went quiet.
    std::uint32_t quiet_ticks = 0;  ///< Since the peer last said anything about it.
    std::uint32_t held_ticks = 0;   ///< Nothing is sent: the way had no room.
};

/// Invariant: match < next. In kProbe, `waiting` says an Append has no answer yet.
struct Progress {
    Flow flow = Flow::kProbe;
    LogIndex match;
    LogIndex next{1};
    bool waiting = false;
    bool active = false;             ///< Since the last check of the quorum.
    std::uint64_t round_acked = 0;   ///< Greatest heartbeat round answered.
    std::uint64_t append_round = 0;  ///< A heartbeat of this round or later left after the Append.
    LogIndex commit_sent;            ///< With an Append or a Heartbeat of round 0.
    Inflights inflights;
    std::optional<SnapshotSend> snapshot;

    void probe_from(LogIndex index) {
        flow = Flow::kProbe;
        next = index;
        waiting = false;
        inflights.clear();
        snapshot.reset();
    }
};

}  // namespace tidal::raft
