// Any bytes as the row of a cold pair: refused or read, never a crash. What is read survives being
// written and read again.
#include <cstdint>
#include <cstdlib>
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
    PairState state, again;
    if (!view.decode(rule, &state).ok()) return 0;
    state.fold(rule);
    std::vector<std::uint64_t> out(encoded_bytes_max(state) / 8 + 1);
    auto* written = reinterpret_cast<std::byte*>(out.data());
    const std::size_t written_size = encode_block(rule, state, written);
    if (!well_formed(written, written_size)) std::abort();
    if (!BlockView(written).decode(rule, &again).ok()) std::abort();
    if (again.cells != state.cells || again.buckets != state.buckets || again.head != state.head ||
        again.total.count != state.total.count || again.total.sum != state.total.sum)
        std::abort();
    return 0;
}
