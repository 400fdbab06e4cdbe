// audience/saved_searches.h: searches that the users of one shard keep, and when they last looked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/hlc.h"
#include "record/record.h"
#include "storage/shard_store.h"

namespace tidal::audience {

/// Rows are all there is: nothing is in memory. Errors are the store's. Threads: one at a time.
class SavedSearches {
public:
    static constexpr std::size_t kEachMax = 100;  ///< Of one user.

    struct Search {
        std::string name;
        std::string text;
        HybridTime saved;
        HybridTime looked;  ///< What is newer is new; at first when it was saved.
        bool operator==(const Search&) const = default;
    };

    explicit SavedSearches(storage::ShardStore& store) : store_(store) {}

    /// By name.
    Result<std::vector<Search>> of(const EntityId& user) const;
    Result<std::optional<Search>> find(const EntityId& user, const std::string& name) const;
    /// A text under a name that is taken replaces it, and keeps when the user looked.
    /// @return kNotFound (nothing to look at or to end), kOverloaded, reason
    ///         "too_many_saved_searches"; otherwise a failure of the store.
    Result<void> apply(const record::SavedSearchBody& body, HybridTime stamp);
    /// Everything of a user.
    Result<void> erase_user(const EntityId& user);

private:
    storage::ShardStore& store_;
};

}  // namespace tidal::audience
