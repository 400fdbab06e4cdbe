// Models: trees that profiles call by name, kept by the metadata shard.
#include "api/internal/models.h"

#include "api/database.h"

namespace tidal::api {

ranking::ModelSet model_set(const std::vector<StoredModel>& models, std::string_view but) {
    ranking::ModelSet out;
    for (const StoredModel& each : models)
        if (each.name != but) out.put(each.name, each.model);
    return out;
}

std::optional<StoredModel> parse_model(const shard::CatalogEntry& entry,
                                       const std::vector<StoredModel>* known) {
    if (known != nullptr)
        for (const StoredModel& each : *known)
            if (each.name == entry.name && each.version == entry.version) return each;
    auto model = ranking::Model::parse(entry.text);
    if (!model.ok()) return std::nullopt;
    return StoredModel{entry.name, entry.version, entry.stamp.wall_ms(), entry.text.size(),
                       std::make_shared<const ranking::Model>(std::move(*model))};
}

std::shared_ptr<const std::vector<StoredModel>> Database::models() const {
    const std::lock_guard lock(mutex_);
    return models_;
}

Result<std::string> Database::model_text(const std::string& name) {
    for (shard::CatalogEntry& entry : catalog_entries())
        if (entry.kind == record::CatalogKind::kModel && entry.name == name)
            return std::move(entry.text);
    return Error(ErrorCode::kNotFound, "no model `" + name + "`").with_field("name");
}

/// A model is called by profiles that cannot do without it, or with other inputs.
Result<void> Database::check_profiles_live_on(const ranking::ModelSet& models,
                                              const std::string& name) {
    std::vector<ranking::StoredProfile> stored;
    for (shard::CatalogEntry& entry : catalog_entries())
        if (entry.kind == record::CatalogKind::kProfile)
            stored.push_back({entry.name, entry.version, std::move(entry.text)});
    const ranking::ProfileRegistry before(*schema(), stored, model_set(*this->models()));
    const ranking::ProfileRegistry after(*schema(), stored, models);
    for (const EntityKind kind : {EntityKind::kItem, EntityKind::kUser, EntityKind::kCreator}) {
        const auto was = before.list(kind), is = after.list(kind);
        for (std::size_t i = 0; i < was.size(); ++i)
            if (was[i].available && !is[i].available)
                return Error(ErrorCode::kConflict,
                             "profile `" + is[i].name + "@" + std::to_string(is[i].version) +
                                 "` needs model `" + name + "` as it is: " + is[i].reason)
                    .with_field("name")
                    .with_reason("model_in_use")
                    .with_hint("retire the profile first, or give the model another name");
    }
    return {};
}

void Database::put_model(const std::string& name, std::string text, bool dry_run,
                         CatalogDone done) {
    change_catalog(
        dry_run, [this, name, text = std::move(text)] { return make_model(name, text); },
        std::move(done));
}

Result<Database::CatalogChange> Database::make_model(const std::string& name,
                                                     const std::string& text) {
    if (auto named = schema::check_name(name); !named) return named.take_error().with_field("name");
    TIDAL_ASSIGN(ranking::Model model, ranking::Model::parse(text));
    ranking::ModelSet wanted = model_set(*models());
    wanted.put(name, std::make_shared<const ranking::Model>(std::move(model)));
    TIDAL_TRY(check_profiles_live_on(wanted, name));

    constexpr auto kModelKind = record::CatalogKind::kModel;
    std::uint32_t version = shards_[0]->with_state(
        [&](shard::ShardState& state) { return state.catalog().newest(kModelKind, name); });
    const auto stored = model_text(name);
    if (!stored.ok() || *stored != text) ++version;
    return CatalogChange{{kModelKind, name, version, text}, {}};
}

}  // namespace tidal::api
