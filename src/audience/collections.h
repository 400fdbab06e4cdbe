// audience/collections.h: which items of one shard are in which collection, and where in it.
// Why rows lie as they do: docs/decisions/0042-collections.md. Format:
// docs/formats/audience_rows.md.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/node_hash_map.h>

#include <functional>
#include <memory>
#include <roaring/roaring.hh>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "storage/shard_store.h"

namespace tidal::audience {

/// Rows are the truth; what is in memory equals a rebuild from them. A member is put and taken out
/// by records of one log, so the last one is the one in force, and nothing of it stays once it is
/// out. Every change is a function of the state and its arguments. Errors are the store's. Threads:
/// one at a time.
class Collections {
public:
    struct Options {
        std::uint64_t bytes_max = 256ULL << 20;  ///< As stats().bytes counts.
    };
    struct Member {
        double position = 0;  ///< Finite; the least comes first, equal ones by id.
        HybridTime added;     ///< When it was put and had not been in.
    };
    struct Collection {
        Roaring slots;
        absl::flat_hash_map<std::uint32_t, Member> members;  ///< By slot; those of `slots`.
    };
    static Result<std::unique_ptr<Collections>> open(const Options& options,
                                                     storage::ShardStore& store);

    /// What is there stays.
    void set_bytes_max(std::uint64_t bytes_max) { options_.bytes_max = bytes_max; }
    /// Whether put() would keep it: one that is in already may always move.
    bool has_room(CollectionId collection, Slot slot) const;
    /// Precondition: has_room(). @return whether it had not been in.
    bool put(CollectionId collection, Slot slot, double position, HybridTime stamp);
    /// @return whether it was in.
    bool remove(CollectionId collection, Slot slot);
    /// Takes at most `most` items out, the least slots first. @return how many are left.
    std::uint64_t drop(CollectionId collection, std::size_t most);
    /// An item that is deleted is in nothing.
    Result<void> drop_item(Slot slot);

    /// nullptr = nothing is in it here. Valid until the next change.
    const Collection* find(CollectionId collection) const;
    /// Those something of this shard is in, rising.
    std::vector<CollectionId> ids() const;

    struct Stats {
        std::uint64_t collections = 0, members = 0;
        std::uint64_t bytes = 0;  ///< Estimated from the two.
    };
    Stats stats() const;
    /// Without slots. @param item_of  The item of a slot.
    std::uint64_t content_hash(const std::function<const EntityId&(Slot)>& item_of) const;

private:
    Collections(const Options& options, storage::ShardStore& store)
        : options_(options), store_(store) {}
    /// From memory; the row is the caller's.
    void forget(CollectionId collection, Slot slot);

    Options options_;
    storage::ShardStore& store_;
    absl::node_hash_map<CollectionId, Collection> collections_;  ///< None of them empty.
    std::uint64_t members_ = 0;
};

}  // namespace tidal::audience
