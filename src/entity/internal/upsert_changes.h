// entity/internal/upsert_changes.h: the cells that an upsert names, encoded and in order.
#pragma once

#include <span>
#include <vector>

#include "entity/internal/merge.h"
#include "record/record.h"

namespace tidal::entity {

/// Owns the encoded values; the changes borrow them, so it neither moves nor copies.
class UpsertChanges {
public:
    explicit UpsertChanges(const record::UpsertBody& body);
    UpsertChanges(const UpsertChanges&) = delete;
    UpsertChanges& operator=(const UpsertChanges&) = delete;

    /// Ascending by key. Of a field named twice the later one counts.
    std::span<const CellChange> sorted() const { return changes_; }

private:
    struct Piece {
        CellKey key;
        bool has_value;
        std::size_t begin, end;  ///< In values_.
    };
    template <typename T, typename Encode>
    void add(CellKey key, const std::optional<T>& value, Encode encode);
    void sort_and_view();

    Encoder values_;
    std::vector<Piece> pieces_;
    std::vector<CellChange> changes_;
};

}  // namespace tidal::entity
