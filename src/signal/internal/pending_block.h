// signal/internal/pending_block.h: events that arrived for a pair whose state lies in a row.
//
// A write to a cold pair appends here and never reads the disk; folding replays the events in the
// order they came, which gives the bits the pair would have had in memory.
#pragma once

#include "signal/internal/pair_block.h"

namespace tidal::signal {

struct PendingHead : BlockHead {  ///< head = newest `at` of the events; form kPending.
    std::uint32_t events;
    std::uint32_t zero;
};
static_assert(sizeof(PendingHead) == 24, "on disk");

/// Folding is due at this many.
inline constexpr std::uint32_t kPendingEventsMax = 64;
inline constexpr std::size_t kPendingEventBytesMax = 30;

/// An empty list in a block of at least sizeof(PendingHead) bytes.
void start_pending(std::byte* block, UnixMillis at);
/// False when there is no room; nothing changed.
bool append_pending(std::byte* block, std::size_t capacity, const LedgerEvent& event);
/// In the order appended; slot and signal of each are those of `like`. kCorruption when damaged.
Result<void> read_pending(const std::byte* block, const LedgerEvent& like,
                          std::vector<LedgerEvent>* out);

}  // namespace tidal::signal
