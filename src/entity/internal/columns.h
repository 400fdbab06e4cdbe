// entity/internal/columns.h: what can be rebuilt from rows: columns and bitmaps by slot.
#pragma once

#include <array>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/huge_pages.h"
#include "base/ids.h"
#include "entity/entity_table.h"
#include "entity/internal/merge.h"
#include "entity/internal/row.h"
#include "entity/internal/value_bitmaps.h"
#include "entity/ordered_column.h"
#include "entity/text_column.h"
#include "record/value.h"
#include "schema/schema.h"

namespace tidal::entity {

inline constexpr UnixMillis kNoPublishTime = std::numeric_limits<UnixMillis>::min();
inline constexpr UnixMillis kNoExpiryTime = std::numeric_limits<UnixMillis>::max();

/// Every column has slot_count() entries. Either filled by load() ... finish_load() with each live
/// row once, or kept current by apply(); both give the same contents.
class Columns {
public:
    /// Fields past those known get empty columns; known ones are left alone.
    void set_fields(const std::vector<schema::FieldSpec>& fields);
    /// Of fields of type text; nullptr = nobody listens.
    void set_listener(TextListener* texts) { listener_ = texts; }
    void resize(std::uint32_t slot_count);
    std::uint32_t slot_count() const { return static_cast<std::uint32_t>(created_at_.size()); }

    void load(const Row& live_row);
    void finish_load();
    /// `after` is the row the differences led to.
    void apply(const Row& after, std::span<const CellDifference> differences);

    std::span<const double> numbers(FieldId field) const;
    std::span<const record::GeoPoint> places(FieldId field) const;
    NumberView view(const NumberSource& source) const;
    /// Made when first asked for, kept current from then on; nullptr for a field of no numbers.
    OrderedColumn* ordered(const NumberSource& source) const;
    /// Made when first asked for, told of every write from then on; nullptr for a field of another
    /// type than text and keyword.
    TextColumn* texts(FieldId field);
    /// nullptr until it was asked for.
    const TextColumn* built_texts(FieldId field) const;
    std::span<const UnixMillis> created_at() const { return created_at_; }
    std::span<const UnixMillis> publish_at() const { return publish_at_; }
    std::span<const UnixMillis> expires_at() const { return expires_at_; }
    /// A bit a slot: whether it is live and has neither of the two.
    std::span<const std::uint64_t> always_open() const { return always_open_; }
    const EntityId* creator_of(Slot slot) const { return creator_of_[slot.value()]; }
    // Inline by force: GCC drops calls of functions that only prefetch.
    [[gnu::always_inline]] void prefetch_creator(Slot slot) const {
        __builtin_prefetch(&creator_of_[slot.value()]);
    }
    const Roaring& live() const { return live_.bitmap(); }
    const Roaring* keyword(FieldId field, std::string_view value) const;
    template <typename Visitor>
    void visit_keywords(FieldId field, const Visitor& visit) const {
        if (field.value() < fields_.size()) fields_[field.value()].keywords.for_each(visit);
    }
    std::size_t keyword_count(FieldId field) const {
        return field.value() < fields_.size() ? fields_[field.value()].keywords.size() : 0;
    }
    template <typename Visitor>
    std::size_t visit_some_keywords(FieldId field, std::size_t left, std::size_t most,
                                    const Visitor& visit) const {
        if (field.value() >= fields_.size()) return 0;
        return fields_[field.value()].keywords.visit_some(left, most, visit);
    }
    const Roaring* creator(const EntityId& creator) const { return creators_.find(creator); }
    const Roaring* present(FieldId field) const;

private:
    struct FieldColumn {
        schema::FieldType type = schema::FieldType::kText;
        std::vector<double> numbers;           ///< Of number types only.
        std::vector<record::GeoPoint> places;  ///< Of geo fields only.
        std::unique_ptr<OrderedColumn> ordered;
        std::unique_ptr<TextColumn> texts;
        ValueBitmaps<std::string> keywords;
        SlotSet present;
    };

    template <bool kLoading>
    void change_keywords(FieldColumn& column, std::uint32_t slot, std::string_view encoded,
                         bool add);
    template <bool kLoading>
    void put(CellKey key, std::uint32_t slot, std::string_view encoded);
    void take(CellKey key, std::uint32_t slot, std::string_view encoded);
    void set_default_created_at(const Row& row);
    void note_ordered(CellKey key, std::uint32_t slot);
    void note_open(std::uint32_t slot, bool live);
    void tell_listener(std::uint32_t slot, const CellDifference& difference);

    static constexpr std::size_t kTimes = 3;

    mutable std::vector<FieldColumn> fields_;  ///< By FieldId; `ordered` is made by readers.
    mutable std::array<std::unique_ptr<OrderedColumn>, kTimes> ordered_times_;
    std::vector<UnixMillis> created_at_, publish_at_, expires_at_;
    std::vector<std::uint64_t> always_open_;
    HugeVector<const EntityId*> creator_of_;  ///< Keys of creators_.
    ValueBitmaps<EntityId> creators_;
    SlotSet live_;
    TextListener* listener_ = nullptr;
};

/// Encoded values of cells.
void encode_id_value(const EntityId& id, Encoder* out);
EntityId decode_id_value(std::string_view encoded);
void encode_time_value(UnixMillis time_ms, Encoder* out);
UnixMillis decode_time_value(std::string_view encoded);

}  // namespace tidal::entity
