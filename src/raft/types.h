// raft/types.h: terms, indexes, entries: data without behaviour. Raft paper = Ongaro & Ousterhout,
// "In Search of an Understandable Consensus Algorithm", 2014; thesis = Ongaro, "Consensus: Bridging
// Theory and Practice", Stanford 2014. Section numbers in this module are the thesis's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace tidal::raft {

/// A replica of one group. Never reused for another machine or another disk; 0 = nobody.
using PeerId = Id<struct RaftPeerTag, std::uint64_t>;
inline constexpr PeerId kNobody{0};

enum class Role : std::uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };
std::string_view role_name(Role role);

enum class EntryKind : std::uint8_t {
    kEmpty = 0,          ///< Appended by every new leader; carries nothing.
    kRecord = 1,         ///< What was proposed; bytes the core does not look at.
    kConfiguration = 2,  ///< encode_configuration() (configuration.h).
};

/// Immutable and shared, so that an entry that is persisted, sent to each peer and applied is
/// copied nowhere. Null is the empty payload.
using Payload = std::shared_ptr<const std::string>;
inline Payload make_payload(std::string bytes) {
    return std::make_shared<const std::string>(std::move(bytes));
}

inline constexpr std::size_t kEntryOverheadBytes = 24;  ///< Counted per entry, beside its payload.

struct Entry {
    Term term;
    LogIndex index;  ///< >= 1, dense.
    EntryKind kind = EntryKind::kRecord;
    Payload payload;

    std::string_view bytes() const { return payload ? std::string_view(*payload) : ""; }
    /// What limits in bytes count.
    std::size_t cost() const { return bytes().size() + kEntryOverheadBytes; }
};

/// What must be durable before any answer that depends on it (3.8).
struct HardState {
    Term term;
    PeerId vote;  ///< In `term`; kNobody = none yet.
    bool operator==(const HardState&) const = default;
};

/// Where proposed entries stand: first .. last, all of one term. They are committed when an entry
/// with this (term, index) is; they never will be once another term is committed at that index.
struct Position {
    Term term;
    LogIndex first;
    LogIndex last;
};

inline std::uint64_t distance(LogIndex from, LogIndex to) {
    return to.value() - from.value();
}
inline LogIndex plus(LogIndex index, std::uint64_t count) {
    return LogIndex(index.value() + count);
}
inline LogIndex previous(LogIndex index) {
    return LogIndex(index.value() - 1);
}

}  // namespace tidal::raft
