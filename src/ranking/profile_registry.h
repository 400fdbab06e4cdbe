// ranking/profile_registry.h: every profile that can be asked for, compiled against one schema.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ranking/profile.h"
#include "schema/schema.h"

namespace tidal::ranking {

/// A profile for one kind of entity. Immutable; shared by threads.
struct CompiledProfile {
    Profile profile;
    Program program;
    Program explain;  ///< The same score, with its terms and features.
    /// By source of the profile: its order as a profile, where it depends on nothing of a request;
    /// else nullptr.
    std::vector<std::shared_ptr<const CompiledProfile>> source_orders;
    /// Where the profile explores: the newest items under the budget first; else nullptr.
    std::shared_ptr<const CompiledProfile> explore_order;
    bool of_source = false;  ///< One of these, named by what it orders by.
    /// Without its second phase: what the sources list, in the order of `fused`, for who has no
    /// time for the score. Its `explain` is empty. nullptr = it has none: it ranks all entities, or
    /// the order is a field's, or that of the ranks already; or this would be too large.
    std::shared_ptr<const CompiledProfile> by_ranks;
    ModelSet models;  ///< That it may call: also what a request sorts by (request_stages.h).
};

/// @return As compile(), with the profile's name in the context pairs.
Result<std::shared_ptr<const CompiledProfile>> compile_profile(Profile profile,
                                                               const schema::Schema& schema,
                                                               EntityKind kind,
                                                               const ModelSet& models = {});

struct ProfileListing {
    std::string name;
    std::uint32_t version = 1;
    std::string about;
    std::string text;
    /// What it was understood as, in the same language: each statement in its place, defaults of
    /// sources and order said. Empty where this version cannot read the text.
    std::string normalized;
    bool built_in = false;
    bool available = false;
    std::string reason;                 ///< Why not: the unknown name, or what it needs.
    std::vector<std::string> warnings;  ///< Parts of it that are 0 under this schema.
};

/// A profile that an application made.
struct StoredProfile {
    std::string name;
    std::uint32_t version = 1;
    std::string text;
};

/// The built-in profiles and an application's own under one schema; a change of either means a new
/// registry. Immutable.
class ProfileRegistry {
public:
    explicit ProfileRegistry(const schema::Schema& schema,
                             std::span<const StoredProfile> stored = {},
                             const ModelSet& models = {});

    /// @param name  "trending" (its newest version) or "trending@1".
    /// @return kUnknownName  no such profile or version, or one this schema cannot serve.
    ///         kInvalidArgument  a version that is no number.
    Result<std::shared_ptr<const CompiledProfile>> find(std::string_view name,
                                                        EntityKind kind) const;
    /// As `find`, also of a profile that this schema cannot serve.
    Result<ProfileListing> listing(std::string_view name, EntityKind kind) const;
    /// By name, then version.
    std::vector<ProfileListing> list(EntityKind kind) const;

private:
    struct Entry {
        Profile profile;
        bool built_in = false;
        bool readable = true;  ///< Else only name, version and text are known.
        std::vector<Result<std::shared_ptr<const CompiledProfile>>> by_kind;
    };
    void add(Entry entry, const schema::Schema& schema, const ModelSet& models);
    /// By "name" or "name@version".
    Result<const Entry*> locate(std::string_view name) const;
    static ProfileListing describe(const Entry& entry, EntityKind kind);

    std::vector<Entry> entries_;  ///< By name, then version.
};

}  // namespace tidal::ranking
