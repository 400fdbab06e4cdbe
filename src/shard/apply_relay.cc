// The relay's two records: rows arriving at their target, and the acknowledgement at their source.
#include "shard/internal/planted.h"
#include "shard/state.h"

namespace tidal::shard {

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::RelayBody& body) {
    if (!owns(body.target))
        return Outcome::refuse(
            Error(ErrorCode::kConflict, "relay rows for a vshard of another shard")
                .with_reason("wrong_shard")
                .with("vshard", body.target.value()));
    const Marks::Stream stream(body.source, body.source_incarnation, body.target);
    std::uint64_t mark = marks_->get(stream);
    Outcome outcome = accepted(envelope);
    for (const record::RelayRow& row : body.rows) {
        const auto is_of = [&](record::RelayEffect effect) { return row.effect == effect; };
        const bool again = planted(Bug::kMarkNotChecked) ||
                           (planted(Bug::kTasteAgain) && is_of(record::RelayEffect::kTaste));
        if (again && row.sequence <= mark)
            TIDAL_TRY(apply_row(envelope.tenant, envelope.origin, row, &outcome));
        if (row.sequence <= mark) continue;   // seen before: exactly once
        if (row.sequence != mark + 1) break;  // a gap: the source sends again from the mark
        mark = row.sequence;
        marks_->set(stream, mark);
        if (planted(Bug::kErasurePassedOver) && is_of(record::RelayEffect::kErasure)) continue;
        TIDAL_TRY(apply_row(envelope.tenant, envelope.origin, row, &outcome));
    }
    outcome.mark = mark;
    return outcome;
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::RelayAckBody& body) {
    outbox_->acknowledge(body.target, body.through);
    return accepted(envelope);
}

}  // namespace tidal::shard
