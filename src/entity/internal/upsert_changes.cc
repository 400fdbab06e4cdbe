#include "entity/internal/upsert_changes.h"

#include <algorithm>

#include "entity/internal/columns.h"
#include "record/value.h"

namespace tidal::entity {

template <typename T, typename Encode>
void UpsertChanges::add(CellKey key, const std::optional<T>& value, Encode encode) {
    const std::size_t begin = values_.size();
    if (value) encode(*value, &values_);
    pieces_.push_back({key, value.has_value(), begin, values_.size()});
}

UpsertChanges::UpsertChanges(const record::UpsertBody& body) {
    pieces_.reserve(body.fields.size() + kFieldCells);
    if (body.creator) add(kCreatorCell, *body.creator, encode_id_value);
    if (body.created_at) add(kCreatedAtCell, *body.created_at, encode_time_value);
    if (body.publish_at) add(kPublishAtCell, *body.publish_at, encode_time_value);
    if (body.expires_at) add(kExpiresAtCell, *body.expires_at, encode_time_value);
    for (const record::FieldChange& change : body.fields)
        add(cell_of(change.field), change.value, record::encode_value);
    sort_and_view();
}

void UpsertChanges::sort_and_view() {
    const auto by_key = [](const Piece& a, const Piece& b) { return a.key < b.key; };
    // The usual case; stable_sort would allocate.
    if (!std::is_sorted(pieces_.begin(), pieces_.end(), by_key))
        std::stable_sort(pieces_.begin(), pieces_.end(), by_key);
    changes_.reserve(pieces_.size());
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
        const Piece& piece = pieces_[i];
        if (i + 1 < pieces_.size() && pieces_[i + 1].key == piece.key) continue;
        CellChange& change = changes_.emplace_back();
        change.key = piece.key;
        if (piece.has_value)
            change.value = values_.view().substr(piece.begin, piece.end - piece.begin);
    }
}

}  // namespace tidal::entity
