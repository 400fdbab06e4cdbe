// entity/entity_table.h: the entities of one kind in one shard: rows, slots, columns, bitmaps.
#pragma once

#include <roaring/roaring.hh>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "entity/ordered_column.h"
#include "record/record.h"
#include "schema/schema.h"
#include "storage/shard_store.h"

namespace tidal::entity {

struct EntityView {
    EntityId id;
    Slot slot;
    HybridTime generation;  ///< Stamp of the upsert that made it.
    HybridTime version;     ///< Stamp of the newest upsert; the ETag. Vectors do not change it.
    std::vector<std::pair<FieldId, record::Value>> fields;  ///< By FieldId.
    std::optional<EntityId> creator;
    UnixMillis created_at_ms = 0;  ///< The first upsert's stamp when not given.
    std::optional<UnixMillis> publish_at_ms, expires_at_ms;
};

/// Told of the texts of fields of type text: a derived index outside the table.
class TextListener {
public:
    virtual ~TextListener() = default;
    /// Once for each live entity's text at open (`before` is empty), then at each change; empty =
    /// none. The views hold during the call.
    virtual void text_changed(Slot slot, FieldId field, std::string_view before,
                              std::string_view after) = 0;
};

enum class UpsertOutcome {
    kCreated,
    kUpdated,     ///< Also when every field named has a newer writer.
    kSuperseded,  ///< Older than the delete that ended its generation: nothing changed.
};

/// Entities get dense slots; a slot belongs to one id for ever while the process lives and is not
/// reused (semantics.md §1). A creator or user that only signals name has a slot but does not
/// exist. Rows are the truth; columns and bitmaps are accelerators rebuilt at open. Threads: one at
/// a time.
class EntityTable {
public:
    using KeywordVisitor = std::function<void(std::string_view value, const Roaring& slots)>;

    /// @param texts  Outlives the table; nullptr = nobody listens.
    static Result<std::unique_ptr<EntityTable>> open(EntityKind kind, storage::ShardStore& store,
                                                     std::shared_ptr<const schema::Schema> schema,
                                                     TextListener* texts = nullptr);
    virtual ~EntityTable() = default;
    virtual void set_schema(std::shared_ptr<const schema::Schema> schema) = 0;

    /// Last writer wins per field by stamp, in whatever order writes arrive. A delete's tombstone
    /// wins over an upsert with an older stamp. Of a field named twice the later one counts.
    /// @return kNotFound (must_exist), kPreconditionFailed (if_match), kUnknownName (field id),
    ///         kInvalidArgument (value of a wrong type, id of a wrong length), errors of the store.
    ///         After an error nothing has changed.
    virtual Result<UpsertOutcome> upsert(const record::UpsertBody& body, HybridTime stamp) = 0;
    /// Returns the slot whose ledgers must go. kNotFound, and no ledger goes, when it is older than
    /// the live generation or nothing lives: it moves the tombstone all the same (if_match does not
    /// make one), so that no older upsert brings the id back. kPreconditionFailed (if_match).
    virtual Result<Slot> erase(const record::DeleteBody& body, HybridTime stamp) = 0;
    /// The newest stamp wins; an older one changes nothing and is no error. kNotFound, kUnknownName
    /// (slot), kInvalidArgument (check_vector).
    virtual Result<void> set_embedding(const record::EmbeddingBody& body, HybridTime stamp) = 0;
    /// nullopt = no vector there.
    virtual Result<std::optional<std::vector<float>>> embedding(const EntityId& id,
                                                                EmbeddingSlotId slot) = 0;
    /// Its row (view_vector()); nullopt = no vector there.
    virtual Result<std::optional<std::string>> embedding_row(const EntityId& id,
                                                             EmbeddingSlotId slot) = 0;
    /// Every vector of an embedding slot, as its row has it, by id; stops at the first error.
    using EmbeddingVisitor = std::function<Result<void>(Slot slot, std::string_view row)>;
    virtual Result<void> for_each_embedding(EmbeddingSlotId slot,
                                            const EmbeddingVisitor& visit) = 0;

    /// The slot of an existing entity.
    virtual std::optional<Slot> find(const EntityId& id) const = 0;
    /// The slot of an entity that need not exist, made when it has none: a change of state, kept in
    /// a row. `id` is valid (a text has 1 to 255 bytes).
    virtual Slot find_or_reserve(const EntityId& id) = 0;
    /// Slot even if the entity does not exist (reserved), nullopt when never seen.
    virtual std::optional<Slot> find_reserved(const EntityId& id) const = 0;
    /// Whether it is that of an existing entity. `slot` < slot_count().
    virtual bool exists(Slot slot) const = 0;
    /// Fetches what `find` and the columns of signals read of an id that is met soon: first
    /// `prefetch_id`, some ids later `prefetch_slot`, which gives find_reserved(), and some later
    /// again `prefetch_creator`, which gives creator_of(). Changes nothing.
    virtual void prefetch_id(const EntityId& id) const = 0;
    virtual std::optional<Slot> prefetch_slot(const EntityId& id) const = 0;
    virtual const EntityId* prefetch_creator(Slot slot) const = 0;
    /// Fetches what id_of() and generation_of() read.
    virtual void prefetch_entity(Slot slot) const = 0;
    virtual const EntityId& id_of(Slot slot) const = 0;
    /// 0 when it does not exist.
    virtual HybridTime generation_of(Slot slot) const = 0;
    virtual Result<std::optional<EntityView>> get(const EntityId& id) = 0;

    // Columns, indexed by slot; valid until the next change. Slots >= size or not `live` are not
    // entities.
    virtual std::uint32_t slot_count() const = 0;
    virtual std::uint64_t live_count() const = 0;
    virtual const Roaring& live() const = 0;
    /// int, timestamp, duration (exact to 2^53), float, bool as f64; NaN where absent. For texts
    /// see build_texts().
    virtual std::span<const double> number_column(FieldId field) const = 0;
    /// Values of a geo field; the latitude is NaN where absent.
    virtual std::span<const record::GeoPoint> geo_column(FieldId field) const = 0;
    /// Fixed fields.
    virtual std::span<const UnixMillis> created_at_column() const = 0;
    virtual std::span<const UnixMillis> publish_at_column() const = 0;  ///< INT64_MIN where absent.
    virtual std::span<const UnixMillis> expires_at_column() const = 0;  ///< INT64_MAX where absent.
    /// A bit a slot, 64 a word: whether it is `live` and has neither of the two.
    virtual std::span<const std::uint64_t> always_open() const = 0;
    /// Any of the columns of numbers; empty for a field of another type.
    virtual NumberView numbers(const NumberSource& source) const = 0;
    /// Reads up to `rows` more texts of a text or keyword field, so that its column of numbers
    /// (text_prefix() of each) and text_of() are whole; from the first call on writes keep them so.
    /// True when all are read.
    /// @return kIo, kCorruption  of a row.
    virtual Result<bool> build_texts(FieldId field, std::uint32_t rows) = 0;
    /// Of a field that was built: the text as it is ordered (text_column.h); empty where absent.
    virtual std::string_view text_of(FieldId field, Slot slot) const = 0;
    /// The accelerator over numbers(source): made when first asked for, told of every write from
    /// then on. nullptr for a field of another type, or one no entity has room for yet.
    virtual OrderedColumn* ordered_column(const NumberSource& source) const = 0;
    /// The creator of an item by slot: nullptr where none.
    virtual const EntityId* creator_of(Slot slot) const = 0;
    /// Slots whose keyword(s) field holds `value`; nullptr when none. Also for bool
    /// ("true"/"false").
    virtual const Roaring* keyword_bitmap(FieldId field, std::string_view value) const = 0;
    /// Every value of a keyword(s) or bool field with the slots that hold it, in no order.
    virtual void for_each_keyword(FieldId field, const KeywordVisitor& visit) const = 0;
    /// How many values there are, and up to `most` of them, in calls between which the table may
    /// change: the first with left = keyword_count(), each further one with what the one before
    /// returned, until that is 0. A value that is there all the time is visited; one may be twice,
    /// then the later visit has what it has by then.
    virtual std::size_t keyword_count(FieldId field) const = 0;
    virtual std::size_t visit_keywords(FieldId field, std::size_t left, std::size_t most,
                                       const KeywordVisitor& visit) const = 0;
    /// Slots of the items of a creator; nullptr when none.
    virtual const Roaring* creator_bitmap(const EntityId& creator) const = 0;
    /// Slots that have the field.
    virtual const Roaring* present_bitmap(FieldId field) const = 0;

    /// Memory of the rows that get() keeps for the next one, at most 16 MiB.
    virtual std::size_t row_cache_bytes() const = 0;
    /// Hash over one entity's row without its slot.
    virtual Result<std::uint64_t> content_hash(Slot slot) = 0;
    /// Existing, reserved and tombstoned ids, sorted: the order of the content hash.
    virtual std::vector<EntityId> sorted_ids() const = 0;
};

}  // namespace tidal::entity
