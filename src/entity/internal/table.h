// entity/internal/table.h: EntityTable over ShardStore rows, an id map and columns.
#pragma once

#include "base/huge_pages.h"
#include "entity/entity_table.h"
#include "entity/internal/columns.h"
#include "entity/internal/id_map.h"
#include "entity/internal/row.h"
#include "entity/internal/row_cache.h"

namespace tidal::entity {

/// Some 100,000 rows: the fronts of many orders.
inline constexpr std::size_t kRowCacheBytes = 16 << 20;

/// Invariants: every slot below slot_count() has a row; states_ and generations_ repeat that row;
/// an error leaves rows and memory unchanged.
class StoredEntityTable final : public EntityTable {
public:
    StoredEntityTable(EntityKind kind, storage::ShardStore& store,
                      std::shared_ptr<const schema::Schema> schema, TextListener* texts);
    Result<void> load();

    void set_schema(std::shared_ptr<const schema::Schema> schema) override;
    Result<UpsertOutcome> upsert(const record::UpsertBody& body, HybridTime stamp) override;
    Result<Slot> erase(const record::DeleteBody& body, HybridTime stamp) override;
    Result<void> set_embedding(const record::EmbeddingBody& body, HybridTime stamp) override;
    Result<std::optional<std::vector<float>>> embedding(const EntityId& id,
                                                        EmbeddingSlotId slot) override;
    Result<std::optional<std::string>> embedding_row(const EntityId& id,
                                                     EmbeddingSlotId slot) override;
    Result<void> for_each_embedding(EmbeddingSlotId slot, const EmbeddingVisitor& visit) override;

    std::optional<Slot> find(const EntityId& id) const override;
    Slot find_or_reserve(const EntityId& id) override;
    std::optional<Slot> find_reserved(const EntityId& id) const override { return ids_.find(id); }
    void prefetch_id(const EntityId& id) const override { ids_.prefetch(id); }
    std::optional<Slot> prefetch_slot(const EntityId& id) const override;
    const EntityId* prefetch_creator(Slot slot) const override {
        const EntityId* const creator = columns_.creator_of(slot);
        if (creator == nullptr) return nullptr;
        __builtin_prefetch(creator);
        __builtin_prefetch(creator + 1);  // It may lie across two lines.
        return creator;
    }
    bool exists(Slot slot) const override { return generations_[slot.value()] != HybridTime(); }
    void prefetch_entity(Slot slot) const override {
        ids_.prefetch_id(slot);
        __builtin_prefetch(&generations_[slot.value()]);
    }
    const EntityId& id_of(Slot slot) const override { return ids_.id_of(slot); }
    HybridTime generation_of(Slot slot) const override { return generations_[slot.value()]; }
    Result<std::optional<EntityView>> get(const EntityId& id) override;

    std::uint32_t slot_count() const override { return ids_.size(); }
    std::uint64_t live_count() const override { return live_count_; }
    const Roaring& live() const override { return columns_.live(); }
    std::span<const record::GeoPoint> geo_column(FieldId field) const override {
        return columns_.places(field);
    }
    std::span<const double> number_column(FieldId field) const override {
        return columns_.numbers(field);
    }
    NumberView numbers(const NumberSource& source) const override { return columns_.view(source); }
    Result<bool> build_texts(FieldId field, std::uint32_t rows) override;
    std::string_view text_of(FieldId field, Slot slot) const override {
        const TextColumn* const texts = columns_.built_texts(field);
        return texts == nullptr ? std::string_view() : texts->text(slot.value());
    }
    OrderedColumn* ordered_column(const NumberSource& source) const override {
        return columns_.ordered(source);
    }
    std::span<const UnixMillis> created_at_column() const override { return columns_.created_at(); }
    std::span<const UnixMillis> publish_at_column() const override { return columns_.publish_at(); }
    std::span<const UnixMillis> expires_at_column() const override { return columns_.expires_at(); }
    std::span<const std::uint64_t> always_open() const override { return columns_.always_open(); }
    const EntityId* creator_of(Slot slot) const override { return columns_.creator_of(slot); }
    const Roaring* keyword_bitmap(FieldId field, std::string_view value) const override {
        return columns_.keyword(field, value);
    }
    void for_each_keyword(FieldId field, const KeywordVisitor& visit) const override {
        columns_.visit_keywords(field, visit);
    }
    std::size_t keyword_count(FieldId field) const override {
        return columns_.keyword_count(field);
    }
    std::size_t visit_keywords(FieldId field, std::size_t left, std::size_t most,
                               const KeywordVisitor& visit) const override {
        return columns_.visit_some_keywords(field, left, most, visit);
    }
    const Roaring* creator_bitmap(const EntityId& creator) const override {
        return columns_.creator(creator);
    }
    const Roaring* present_bitmap(FieldId field) const override { return columns_.present(field); }

    std::size_t row_cache_bytes() const override { return row_cache_.bytes(); }
    Result<std::uint64_t> content_hash(Slot slot) override;
    std::vector<EntityId> sorted_ids() const override;

private:
    struct HeldRow {
        std::string bytes;  ///< What `row` borrows.
        Row row;
    };

    const schema::KindSchema& kind_schema() const { return schema_->kind(kind_); }
    std::string row_key(const EntityId& id) const;
    std::string vector_key(const EntityId& id, EmbeddingSlotId slot) const;
    Error not_found(const EntityId& id) const;
    Result<void> load_row(std::string_view key, std::string_view bytes);
    Result<void> read_row(const EntityId& id, Slot slot, HeldRow* held);
    Result<void> check_upsert(const record::UpsertBody& body) const;
    Slot add_slot(const EntityId& id);
    void write_row(const EntityId& id, const Row& row);
    /// Makes `after` the row of its slot, in rows and in memory.
    void replace_row(const EntityId& id, const Row& after,
                     std::span<const CellDifference> differences);
    void note_state(const Row& row);
    void resize(std::size_t slots);
    Result<std::vector<EmbeddingSlotId>> vectors_until(const EntityId& id, HybridTime stamp,
                                                       bool any_stamp);

    const EntityKind kind_;
    const std::string prefix_;
    storage::ShardStore& store_;
    std::shared_ptr<const schema::Schema> schema_;
    IdMap ids_;
    std::vector<RowState> states_;        ///< By slot.
    HugeVector<HybridTime> generations_;  ///< By slot; 0 = does not exist.
    Columns columns_;
    RowCache row_cache_{kRowCacheBytes};  ///< Of get().
    std::uint64_t live_count_ = 0;
    Encoder scratch_;  ///< Kept for its memory, as is the row being loaded.
    Row loading_;
};

}  // namespace tidal::entity
