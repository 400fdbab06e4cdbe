// shard/catalog.h: named, versioned texts: what applications declare beside the schema.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/hlc.h"
#include "record/record.h"
#include "storage/shard_store.h"

namespace tidal::shard {

/// Of what applications declare, and again of what the cluster knows of itself.
inline constexpr std::size_t kCatalogEntriesMax = 10'000;  ///< Retired ones included.
inline constexpr std::uint64_t kCatalogBytesMax = 64ULL << 20;

inline constexpr std::string_view kCatalogChanged = "catalog_changed";

/// "profile", "experiment", "model", "member", "join token", "API key", "synonyms",
/// "cohort", "policy", "collection".
std::string_view name_of(record::CatalogKind kind);

struct CatalogEntry {
    record::CatalogKind kind = record::CatalogKind::kProfile;
    std::string name;
    std::uint32_t version = 1;
    std::string text;  ///< As written.
    HybridTime stamp;  ///< When it was put.
};

/// Kept in the metadata shard; rows `g/` of the store, and all of it in memory. A version is
/// written once: it keeps its text for ever, or is retired, and its number is not used again. Of a
/// model, of synonyms, a policy and a collection only the newest version is kept: nothing names an
/// older one.
/// Likewise of what is the cluster's: there a version is the next state of the same thing, and who
/// writes newest + 1 after reading newest loses to whoever did so first (kConflict): read again.
/// What was checked against the whole catalogue says so (CatalogBody::since): names that one text
/// refers to are there, and are not retired under it.
/// Threads: one at a time.
class Catalog {
public:
    static Result<Catalog> open(storage::ShardStore& store);

    /// False when it changed nothing: the same text under the same version, or retired already, be
    /// it below a version that was put afterwards.
    /// @return kConflict    the version has another text, or is not above the newest; or, reason
    ///                      kCatalogChanged, something was put or retired since it was checked;
    ///         kNotFound    nothing to retire; kTooLarge  the catalogue is full.
    Result<bool> apply(const record::CatalogBody& body, HybridTime stamp);

    /// The newest version of a name, retired or not; 0 = never put.
    std::uint32_t newest(record::CatalogKind kind, const std::string& name) const;
    /// When something was last put or retired; 0 = never.
    HybridTime newest_stamp() const { return newest_stamp_; }
    /// Those not retired, by kind, name, version.
    std::vector<CatalogEntry> entries() const;
    /// The same of one kind.
    std::vector<CatalogEntry> entries(record::CatalogKind kind) const;
    /// Every name of a kind, of retired ones too.
    std::vector<std::string> names(record::CatalogKind kind) const;

private:
    using Key = std::tuple<record::CatalogKind, std::string, std::uint32_t>;
    struct Version {
        bool retired = false;
        std::string text;
        HybridTime stamp;
    };

    explicit Catalog(storage::ShardStore& store) : store_(&store) {}
    Result<bool> put(const record::CatalogBody& body, HybridTime stamp);
    Result<bool> retire(const record::CatalogBody& body, HybridTime stamp);
    bool is_over(const record::CatalogBody& body, std::uint32_t last) const;
    void write_row(const Key& key, const Version& version);
    void forget_below(const Key& key);
    Result<void> check_room(const record::CatalogBody& body) const;
    Result<void> check_unchanged(const record::CatalogBody& body) const;

    storage::ShardStore* store_;
    std::map<Key, Version> versions_;
    HybridTime newest_stamp_;
    struct Use {
        std::size_t entries = 0;
        std::uint64_t bytes = 0;  ///< Of names and texts.
    };
    Use& use_of(record::CatalogKind kind) { return use_[record::is_of_cluster(kind)]; }
    Use use_[2];  ///< Of applications, of the cluster.
};

}  // namespace tidal::shard
