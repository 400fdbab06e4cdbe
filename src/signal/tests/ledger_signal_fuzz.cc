// Any bytes as the row of a cold pair: refused, or read, folded and written; never a crash.
#include <cstdint>
#include <cstring>
#include <vector>

#include "signal/internal/pair_block.h"

using namespace tidal;
using namespace tidal::signal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2 || size > 16'384) return 0;
    schema::SignalSpec spec;
    spec.decay = static_cast<schema::DecayKind>(data[0] % 3);
    spec.half_life_ms =
        spec.decay == schema::DecayKind::kPermanent ? 0 : 1'000 + data[1] * 86'400'000LL;
    const DecayRule rule(spec);
    std::vector<std::uint64_t> memory((size - 2 + 7) / 8 + 1);
    auto* block = reinterpret_cast<std::byte*>(memory.data());
    std::memcpy(block, data + 2, size - 2);
    if (!well_formed(block, size - 2)) return 0;

    const BlockView view(block);
    const UnixMillis now = view.head().head() + 12'345;
    WindowValue windows[schema::kWindowCount];
    view.add_windows(now, 31, windows);
    (void)view.decayed(rule, DecayReader(rule, now), now);
    PairState state;
    if (!view.decode(rule, &state).ok()) return 0;
    state.fold(rule);
    std::vector<std::uint64_t> out(encoded_bytes_max(state) / 8 + 1);
    auto* written = reinterpret_cast<std::byte*>(out.data());
    // Forged cells may fold into sums that no real history has, so that equality after another
    // round is a property of histories (ledger_table_test), not of bytes.
    (void)encode_block(rule, state, written);
    return 0;
}
