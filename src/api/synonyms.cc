// Synonyms of searches, kept by the metadata shard.
#include "text/synonyms.h"

#include "api/database.h"

namespace tidal::api {
namespace {

constexpr auto kSynonymsKind = record::CatalogKind::kSynonyms;

}  // namespace

std::vector<StoredSynonyms> Database::synonyms() {
    std::vector<StoredSynonyms> out;
    for (shard::CatalogEntry& entry : catalog_entries())
        if (entry.kind == kSynonymsKind)
            out.push_back(
                {entry.name, entry.version, entry.stamp.wall_ms(), std::move(entry.text)});
    return out;
}

void Database::put_synonyms(const std::string& name, std::string text, bool dry_run,
                            CatalogDone done) {
    change_catalog(
        dry_run, [this, name, text = std::move(text)] { return make_synonyms(name, text); },
        std::move(done));
}

Result<Database::CatalogChange> Database::make_synonyms(const std::string& name,
                                                        const std::string& text) {
    if (auto named = schema::check_name(name); !named) return named.take_error().with_field("name");
    if (auto parsed = text::Synonyms::parse(text); !parsed.ok()) return parsed.take_error();
    std::uint32_t version = shards_[0]->with_state(
        [&](shard::ShardState& state) { return state.catalog().newest(kSynonymsKind, name); });
    bool known = false;
    for (const StoredSynonyms& each : synonyms())
        known = known || (each.name == name && each.text == text);
    if (!known) ++version;
    return CatalogChange{{kSynonymsKind, name, version, text}, {}};
}

}  // namespace tidal::api
