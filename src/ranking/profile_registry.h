// ranking/profile_registry.h: every profile that can be asked for, compiled against one schema.
#pragma once

#include <memory>
#include <optional>
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
};

/// @return As compile(), and kUnsupported for a statement that no query executes yet; with the
///         profile's name in the context pairs.
Result<std::shared_ptr<const CompiledProfile>> compile_profile(Profile profile,
                                                               const schema::Schema& schema,
                                                               EntityKind kind);

struct ProfileListing {
    std::string name;
    std::uint32_t version = 1;
    std::string about;
    std::string text;
    bool available = false;
    std::string reason;                 ///< Why not: the unknown name, or what it needs.
    std::vector<std::string> warnings;  ///< Parts of it that are 0 under this schema.
};

/// The built-in profiles under one schema; a new schema means a new registry. Immutable.
class ProfileRegistry {
public:
    explicit ProfileRegistry(const schema::Schema& schema);

    /// @param name  "trending" (its newest version) or "trending@1".
    /// @return kUnknownName  no such profile or version, or one this schema cannot serve.
    ///         kInvalidArgument  a version that is no number.
    Result<std::shared_ptr<const CompiledProfile>> find(std::string_view name,
                                                        EntityKind kind) const;
    /// By name, then version.
    std::vector<ProfileListing> list(EntityKind kind) const;

private:
    struct Entry {
        Profile profile;
        std::vector<Result<std::shared_ptr<const CompiledProfile>>> by_kind;
    };
    std::vector<Entry> entries_;  ///< By name, then version.
};

}  // namespace tidal::ranking
