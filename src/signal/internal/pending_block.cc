#include "signal/internal/pending_block.h"

#include <algorithm>

#include "base/codec.h"

namespace tidal::signal {

void start_pending(std::byte* block, UnixMillis at) {
    auto* head = reinterpret_cast<PendingHead*>(block);
    head->decayed = 0;
    head->set(clamp_time(at), BlockForm::kPending, 0);
    head->events = head->zero = 0;
}

bool append_pending(std::byte* block, std::size_t capacity, const LedgerEvent& event) {
    auto* head = reinterpret_cast<PendingHead*>(block);
    std::uint8_t bytes[kPendingEventBytesMax];
    std::uint8_t* end = put_varint(bytes, zigzag(event.at_ms));
    end = put_varint(end, zigzag(event.weight));
    end = put_varint(end, zigzag(event.count));
    const auto size = static_cast<std::size_t>(end - bytes);
    const std::size_t used = head->body_bytes();
    if (sizeof(PendingHead) + used + size > capacity) return false;
    std::memcpy(block + sizeof(PendingHead) + used, bytes, size);
    head->set(std::max(head->head(), clamp_time(event.at_ms)), BlockForm::kPending, used + size);
    ++head->events;
    return true;
}

Result<void> read_pending(const std::byte* block, const LedgerEvent& like,
                          std::vector<LedgerEvent>* out) {
    const auto* head = reinterpret_cast<const PendingHead*>(block);
    Decoder in({reinterpret_cast<const char*>(block) + sizeof(PendingHead), head->body_bytes()});
    for (std::uint32_t i = 0; i < head->events && !in.failed(); ++i) {
        LedgerEvent event = like;
        event.at_ms = in.svarint();
        event.weight = in.svarint();
        event.count = static_cast<std::int32_t>(in.svarint());
        out->push_back(event);
    }
    return in.finish("events waiting for a cold ledger pair");
}

}  // namespace tidal::signal
