// shard/state.h: the replicated state machine of one shard.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "audience/archive_keys.h"
#include "audience/co_engagement.h"
#include "audience/cohort_ledgers.h"
#include "audience/collections.h"
#include "audience/deliveries.h"
#include "audience/relationships.h"
#include "audience/saved_searches.h"
#include "audience/sessions.h"
#include "audience/tastes.h"
#include "audience/user_states.h"
#include "base/hlc.h"
#include "base/log.h"
#include "entity/entity_table.h"
#include "record/record.h"
#include "runtime/disk.h"
#include "shard/apply_version.h"
#include "shard/catalog.h"
#include "shard/idempotency.h"
#include "shard/outcome.h"
#include "shard/replicator.h"
#include "shard/streams.h"
#include "signal/cohort_unique_table.h"
#include "signal/ledger_table.h"
#include "signal/unique_table.h"
#include "storage/shard_store.h"
#include "vector/shard_vectors.h"

namespace tidal::query {
class TopViews;
}
namespace tidal::ranking {
struct ShardView;
}
namespace tidal::text {
class TextIndex;
}

namespace tidal::shard {

class IndexedTexts;
class QueuedPairs;

/// "no item with this id", for replies.
Error unknown_entity(EntityKind kind, const EntityId& id);

/// apply() is a pure function of the state and the record: no clock, no randomness, no order of
/// I/O. The same records in batches of any size, and restarted at any point, give the same content
/// hash. Threads: one at a time (shard::Shard is the monitor around it).
class ShardState {
public:
    struct Options {
        ShardId shard;
        Incarnation incarnation{1};
        std::uint64_t ledger_bytes_max = 4ULL << 30;
        std::uint64_t unique_bytes_max = 1ULL << 30;
        record::MemoryBudgets memory;  ///< Until the log says otherwise (ShardConfigBody).
        std::size_t sessions_max = 100'000;
        std::uint64_t idempotency_bytes_max = 256ULL << 20;
        /// With fewer items a feed is scanned instead of read from a view (query/top_views.h).
        std::uint64_t view_items_min = 4'096;
        // Where text indexes and graphs of vectors have their files; nullptr = nowhere, then a
        // start analyses all texts, and graphs are made anew.
        runtime::Disk* disk = nullptr;
        std::string directory;
        /// With fewer changed texts no file is made: a start analyses them as fast as it reads one.
        std::uint64_t text_changes_min = 10'000;
        Logger logger;  ///< Of files that cannot be used.
        /// So many vectors of a slot that no graph has make a graph (vector/graph_index.h).
        std::uint64_t graph_vectors_min = 8'192;
    };
    ~ShardState();

    /// State as of the store's newest checkpoint. The store must outlive it.
    static Result<std::unique_ptr<ShardState>> open(const Options& options,
                                                    storage::ShardStore& store);

    /// Applies consecutive records. An Error is the node's problem (disk, corruption), never the
    /// client's; what a client did wrong is in its Outcome. Ledger events are gathered; `settle()`
    /// before anyone reads.
    Result<void> apply(std::span<const record::Record> records, std::vector<Outcome>* outcomes);
    /// Records that wait for memory together.
    static constexpr std::size_t kPrefetched = 32;
    /// Counts the gathered ledger events and pairs of items, together, so that the tables can
    /// prefetch.
    Result<void> settle();

    /// Replicated: an entry of consensus itself. @param members  Empty = unchanged.
    void apply_control(LogIndex index, Term term, std::string_view members);
    /// Replicated: the records that follow are of this term.
    void enter_term(Term term) { term_ = term; }
    void set_members(std::string_view members) { members_ = members; }
    GroupPlace place() const { return {applied_, term_, members_}; }

    LogIndex applied() const { return applied_; }
    HybridTime last_stamp() const { return last_stamp_; }
    /// What a read takes as now: the wall clock, but never before the newest commit stamp.
    UnixMillis read_time_ms(UnixMillis wall_ms) const {
        return std::max(wall_ms, last_stamp_.wall_ms());
    }
    const std::shared_ptr<const schema::Schema>& schema() const { return schema_; }
    const record::ShardConfigBody& config() const { return config_; }
    record::MemoryBudgets memory() const { return config_.memory.value_or(options_.memory); }
    /// False until the first ShardConfig and Schema records: nothing else is applied before.
    bool configured() const { return config_.apply_version.value() != 0 && schema_ != nullptr; }
    bool owns(VShard vshard) const {
        return vshard.value() >= config_.vshard_begin && vshard.value() < config_.vshard_end;
    }

    entity::EntityTable& entities(EntityKind kind) {
        return *entities_[static_cast<std::size_t>(kind)];
    }
    text::TextIndex& texts(EntityKind kind);
    /// Ledgers by origin region, in region order.
    using Ledgers = std::map<RegionId, std::unique_ptr<signal::LedgerTable>>;
    Ledgers& ledgers(EntityKind kind) { return ledgers_[static_cast<std::size_t>(kind)]; }
    signal::UniqueTable& uniques(EntityKind kind) {
        return *uniques_[static_cast<std::size_t>(kind)];
    }
    audience::UserStates& user_states() { return *user_states_; }
    audience::Relationships& relationships() { return *relationships_; }
    audience::SavedSearches& saved_searches() { return saved_searches_; }
    const audience::ArchiveKeys& archive_keys() const { return archive_keys_; }
    audience::Sessions& sessions() { return *sessions_; }
    audience::Tastes& tastes() { return *tastes_; }
    audience::CoEngagement& co_engagement() { return *co_engagement_; }
    audience::CohortLedgers& cohorts() { return *cohorts_; }
    signal::CohortUniqueTable& cohort_uniques() { return *cohort_uniques_; }
    audience::Collections& collections() { return *collections_; }
    audience::Deliveries& deliveries() { return deliveries_; }
    /// The vectors of a kind, for scans; not part of the content hash.
    const vector::ShardVectors& vectors(EntityKind kind) const {
        return vectors_[static_cast<std::size_t>(kind)];
    }
    vector::ShardVectors& vectors(EntityKind kind) {
        return vectors_[static_cast<std::size_t>(kind)];
    }
    const Outbox& outbox() const { return *outbox_; }
    const Marks& marks() const { return *marks_; }
    const IdempotencyTable& idempotency() const { return *idempotency_; }
    const Catalog& catalog() const { return *catalog_; }
    /// The first answer under an idempotency key (IdempotencyTable::row_key), marked as repeated,
    /// or a refusal when it was used with another body; nullopt when the key is new.
    Result<std::optional<Outcome>> find_answer(const std::string& row_key,
                                               const record::Body& body);
    /// What apply would say of a session's signal that changes nothing: a repeat or a refusal that
    /// no record on its way can change; nullopt = it has to be applied.
    Result<std::optional<Outcome>> answer_session(const record::SessionSignalBody& body,
                                                  std::uint64_t sequence, UnixMillis wall_ms) const;
    /// Likewise of an undo in a session: a repeat, or a key that is not known and has no token left
    /// to be asked for.
    Result<std::optional<Outcome>> answer_session_undo(const record::Envelope& envelope,
                                                       const record::SessionUndoBody& body,
                                                       UnixMillis wall_ms);
    /// Rows of `import_id` up to this position are in this shard.
    Result<std::uint64_t> import_position(std::string_view import_id);

    /// What a query reads of one kind: valid until the next change.
    ranking::ShardView view(EntityKind kind);
    /// The top views of items, told of every change; nullptr until configured.
    query::TopViews* item_views() { return item_views_.get(); }
    /// Goes on making a view by so many slots.
    Result<void> step_views(std::uint32_t slots);

    /// A kind whose file of texts is to be made anew, and how many texts that file then has right.
    struct TextsDue {
        EntityKind kind = EntityKind::kItem;
        std::uint64_t changes = 0;
    };
    std::vector<TextsDue> texts_due() const;
    void texts_filed(const TextsDue& done);

    /// The number of a new file of a graph of vectors.
    std::uint64_t next_graph_file() { return ++graph_file_last_; }

    /// Puts rows that follow memory into the store, `most` of them. True when few are left: call it
    /// until then, in slices, before prepare_checkpoint().
    bool write_rows(std::size_t most);
    /// Puts everything into the store that is not there yet, but for frozen rows; right before
    /// begin_checkpoint.
    void prepare_checkpoint();
    /// Right after it: rows of tastes, neighbours and cohorts that are behind belong to this
    /// checkpoint, as things are now.
    void freeze_rows();
    /// Puts some of them into it, in slices until true: of so many bytes, each row a little more
    /// (audience::kRowCost).
    bool write_frozen_rows(std::size_t cost_max);
    /// One slice of what a budget of memory asks for after a checkpoint; LedgerTable::evict. True
    /// when nothing is left to do.
    Result<bool> evict_cold(std::size_t steps_max = std::numeric_limits<std::size_t>::max());
    /// Hash of the state, not of derived indexes or layout; docs/formats/shard_rows.md.
    Result<std::uint64_t> content_hash();

private:
    explicit ShardState(const Options& options, storage::ShardStore& store);
    Result<void> load();
    Result<void> load_place();
    Result<void> open_tables();
    void open_graphs();
    void open_views();
    /// The ledgers of one origin, made when the first event from there arrives.
    Result<signal::LedgerTable*> ledger(EntityKind kind, RegionId origin);

    /// What is found of a record before it is applied, and stays right whatever is applied first.
    struct Met {
        /// Of a signal's item, which need not exist: an id keeps its slot. nullopt = not known.
        std::optional<Slot> slot;
    };
    /// Asks the memory for what so many records will read; changes nothing.
    void prefetch(std::span<const record::Record> records, Met* met) const;
    Result<void> apply_one(const record::Record& record, const Met& met, Outcome* outcome);
    /// Why nothing of a record is looked at; nullopt = it is to be applied.
    std::optional<Error> check_place(const record::Envelope& envelope) const;
    Result<Outcome> apply_with_key(const record::Record& record);
    Result<void> apply_signal(const record::Envelope& envelope, const record::SignalBody& body,
                              const Met& met, Outcome* outcome);
    /// The slot of what a signal is on, made where that need not exist; nullopt = no item.
    std::optional<Slot> slot_for(EntityKind kind, const EntityId& id, const Met& met);
    Result<Outcome> dispatch(const record::Record& record);
    Result<Outcome> apply_body(const record::Envelope& envelope, const record::SignalBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope, const record::UndoBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope, const record::UpsertBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope, const record::DeleteBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope, const record::EmbeddingBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope, const record::SchemaBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope,
                               const record::ShardConfigBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope, const record::TickBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope, const record::RelayBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope, const record::RelayAckBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope,
                               const record::ImportMarkBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope,
                               const record::RelationshipBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope, const record::CatalogBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope,
                               const record::SavedSearchBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope, const record::SessionBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope,
                               const record::SessionSignalBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope,
                               const record::SessionUndoBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope,
                               const record::CollectionMemberBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope, const record::DeliveryBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope,
                               const record::ArchiveKeysBody& body);
    Result<Outcome> apply_body(const record::Envelope& envelope, const record::EraseUserBody& body);

    /// At the user's shard: all that is kept of a user there; signals committed up to `stamp` stay
    /// forgotten.
    Result<void> forget_user(const EntityId& user, HybridTime stamp);
    /// In any shard: what a user did with its items, and who of its users names them.
    Result<void> forget_visitor(const EntityId& user);
    void send_erasure(const record::EraseUserBody& body, Outcome* outcome);
    Result<Outcome> relate_to_item(const record::Envelope& envelope,
                                   const record::RelationshipBody& body);
    Outcome accepted(const record::Envelope& envelope) const;
    Result<std::optional<KeyEntry>> find_sent(const record::Envelope& envelope,
                                              const record::SessionUndoBody& body,
                                              const audience::Session& session);
    /// What an undo in the session takes back; nullopt = nothing was counted.
    Result<std::optional<UndoEntry>> undo_in_session(const record::Envelope& envelope,
                                                     const record::SessionSignalBody& body,
                                                     const Outcome& outcome);
    UndoEntry undo_entry(const record::Envelope& envelope, const record::SignalBody& body);
    /// @param stamp    Of the signal.
    /// @param arrived  As SignalEffect's.
    Result<void> take_back(const record::Envelope& envelope, const UndoEntry& undo,
                           HybridTime stamp, HybridTime arrived, Outcome* outcome);
    /// What a signal changes, borrowed from its record or its undo entry.
    struct SignalEffect {
        SignalTypeId signal;
        const EntityId& item;
        record::FixedWeight weight = 0;
        RegionId origin;
        UnixMillis event_time_ms = 0;
        const EntityId* creator = nullptr;  ///< Whose ledger it reaches; nullptr = nobody's.
        const std::optional<EntityId>& user;
        HybridTime stamp;       ///< Of the signal; an undo names the one it takes back.
        bool undoable = false;  ///< It has a key; of an undo: it may hold states of the user.
        std::span<const CohortId> cohorts;
        /// Of the record that brought it here, where another shard stamped the signal: states of
        /// the user go by the order of their own shard. 0 = `stamp`.
        HybridTime arrived = {};
    };
    /// Counts an event (or takes one back, count -1) at the item and sends it to user and creator.
    Result<void> count_signal(const record::Envelope& envelope, const SignalEffect& effect,
                              std::optional<Slot> slot, std::int32_t count, Outcome* outcome);
    Result<void> count_cohorts(const SignalEffect& effect, Slot slot, std::int32_t count);
    /// The states of the user that the signal's type sets.
    Result<void> mark_user(const SignalEffect& effect, Slot slot, std::int32_t count);
    /// Where an effect goes: the next row of the stream to its target.
    struct Route {
        VShard target;
        std::uint64_t sequence = 0;
        bool here = false;  ///< In this shard: then it is marked as arrived, and to be applied.
    };
    Route next_row(TenantId tenant, EntityKind kind, const EntityId& target);
    void send(const Route& to, record::RelayRow row, Outcome* outcome);
    /// To the shard of the row's target, which may be this one.
    Result<void> relay(TenantId tenant, EntityKind kind, RegionId origin, record::RelayRow row,
                       Outcome* outcome);
    /// One relay row at its target: a creator's ledger, a user's taste, an item's neighbours, a
    /// signal under a session or a user's erasure. What it sends on is added to the outcome.
    Result<void> apply_row(TenantId tenant, RegionId origin, const record::RelayRow& row,
                           Outcome* outcome);
    bool is_positive(SignalTypeId signal) const;
    /// At the user's shard.
    void count_taste(const record::Envelope& envelope, const SignalEffect& effect,
                     std::int32_t count, Outcome* outcome);
    void apply_taste(TenantId tenant, const EntityId& user, SignalTypeId signal,
                     const audience::TasteEvent& event, Outcome* outcome);
    /// At the shard of an item.
    void pair_items(TenantId tenant, SignalTypeId signal, const EntityId& item,
                    std::span<const EntityId> others, std::int32_t likes, UnixMillis at_ms,
                    Outcome* outcome);
    /// Counts the gathered pairs of items.
    void count_pairs();
    Result<void> apply_session_signal(TenantId tenant, RegionId origin, const record::RelayRow& row,
                                      Outcome* outcome);
    Result<void> keep_arrival(const std::string& key, RegionId origin, const record::RelayRow& row);
    Result<void> count_creator(RegionId origin, const EntityId& creator, signal::LedgerEvent event,
                               const std::optional<EntityId>& user);
    std::vector<signal::LedgerEvent>& queue_of(EntityKind kind, RegionId origin);
    Result<void> count_event(EntityKind kind, RegionId origin, const signal::LedgerEvent& event,
                             const std::optional<EntityId>& user);
    Result<std::uint64_t> hash_kind(EntityKind kind, std::uint64_t hash);

    Options options_;
    storage::ShardStore& store_;
    LogIndex applied_;
    HybridTime last_stamp_;
    Term term_;            ///< Of the newest entry; 0 = not replicated.
    std::string members_;  ///< GroupPlace's.
    record::ShardConfigBody config_;
    std::shared_ptr<const schema::Schema> schema_;
    std::unique_ptr<IndexedTexts> texts_[kEntityKindCount];  ///< Before the tables that tell them.
    std::unique_ptr<entity::EntityTable> entities_[kEntityKindCount];
    vector::ShardVectors vectors_[kEntityKindCount] = {vector::ShardVectors(EntityKind::kItem),
                                                       vector::ShardVectors(EntityKind::kUser),
                                                       vector::ShardVectors(EntityKind::kCreator)};
    std::uint64_t graph_file_last_ = 0;  ///< Of the files there are, and of those begun.
    Ledgers ledgers_[kEntityKindCount];
    std::unique_ptr<signal::UniqueTable> uniques_[kEntityKindCount];
    std::unique_ptr<audience::UserStates> user_states_;       ///< Of items.
    std::unique_ptr<audience::Relationships> relationships_;  ///< To creators.
    audience::SavedSearches saved_searches_;
    audience::ArchiveKeys archive_keys_;                         ///< Of users at home here.
    std::unique_ptr<audience::Sessions> sessions_;               ///< Likewise.
    std::unique_ptr<audience::Tastes> tastes_;                   ///< Of users at home here.
    std::unique_ptr<audience::CoEngagement> co_engagement_;      ///< Of items.
    std::unique_ptr<audience::CohortLedgers> cohorts_;           ///< Of items.
    std::unique_ptr<signal::CohortUniqueTable> cohort_uniques_;  ///< Likewise.
    std::unique_ptr<audience::Collections> collections_;         ///< Of items.
    audience::Deliveries deliveries_;                            ///< To users at home here.
    std::unique_ptr<IdempotencyTable> idempotency_;
    std::unique_ptr<Outbox> outbox_;
    std::unique_ptr<Marks> marks_;
    std::unique_ptr<Catalog> catalog_;
    std::map<std::pair<EntityKind, RegionId>, std::vector<signal::LedgerEvent>> queued_events_;
    /// Where the last event of a kind went: nearly always where the next one goes.
    struct LastQueue {
        RegionId origin;
        std::vector<signal::LedgerEvent>* events = nullptr;
    };
    LastQueue last_queues_[kEntityKindCount];
    std::unique_ptr<QueuedPairs> queued_pairs_;
    // Of evict_cold: the kind under way, and the origin of its last table that is done.
    std::size_t evict_kind_ = 0;
    RegionId evicted_origin_{0};
    std::vector<signal::LedgerTable*> viewed_ledgers_[kEntityKindCount];
    std::unique_ptr<query::TopViews> item_views_;
};

}  // namespace tidal::shard
