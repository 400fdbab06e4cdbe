#include "schema/schema.h"

#include "schema/internal/names.h"

namespace tidal::schema {

std::string_view field_type_name(FieldType type) {
    return name_of(type);
}
std::string_view metric_name(Metric metric) {
    return name_of(metric);
}
std::string_view storage_name(VectorStorage storage) {
    return name_of(storage);
}
std::string_view polarity_name(Polarity polarity) {
    return name_of(polarity);
}
std::string_view decay_name(DecayKind decay) {
    return name_of(decay);
}
std::string_view window_name(Window window) {
    return name_of(window);
}
std::optional<Window> window_from_name(std::string_view name) {
    return from_name<Window>(name);
}

namespace {

// A schema has tens of names: comparing them beats hashing.
template <typename Spec>
const Spec* find(const std::vector<Spec>& specs, std::string_view name) {
    for (const Spec& spec : specs)
        if (spec.name == name) return &spec;
    return nullptr;
}

}  // namespace

const FieldSpec* Schema::find_field(EntityKind k, std::string_view name) const {
    return find(kind(k).fields, name);
}
const EmbeddingSpec* Schema::find_embedding(EntityKind k, std::string_view name) const {
    return find(kind(k).embeddings, name);
}
const SignalSpec* Schema::find_signal(std::string_view name) const {
    return find(signals, name);
}

}  // namespace tidal::schema
