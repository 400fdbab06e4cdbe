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
    with_newest_catalog([this, name, text = std::move(text), dry_run,
                         done = std::move(done)](Result<void> fenced) mutable {
        if (!fenced.ok()) return done(fenced.take_error());
        put_synonyms_now(name, std::move(text), dry_run, std::move(done));
    });
}

void Database::put_synonyms_now(const std::string& name, std::string text, bool dry_run,
                                CatalogDone done) {
    if (auto named = schema::check_name(name); !named)
        return done(named.take_error().with_field("name"));
    if (auto parsed = text::Synonyms::parse(text); !parsed.ok()) return done(parsed.take_error());
    std::uint32_t version = shards_[0]->with_state(
        [&](shard::ShardState& state) { return state.catalog().newest(kSynonymsKind, name); });
    bool known = false;
    for (const StoredSynonyms& each : synonyms())
        known = known || (each.name == name && each.text == text);
    if (!known) ++version;
    if (dry_run) return done(CatalogReply{name, version, false, {}});
    put_catalog({kSynonymsKind, name, version, std::move(text)}, {}, std::move(done));
}

}  // namespace tidal::api
