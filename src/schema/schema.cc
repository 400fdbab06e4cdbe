#include "schema/schema.h"

#include <algorithm>

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

Schema with_impression(Schema wanted, const Schema* current) {
    if (wanted.find_signal(kImpression) != nullptr) return wanted;
    SignalSpec spec;
    const SignalSpec* const kept = current ? current->find_signal(kImpression) : nullptr;
    if (kept != nullptr) {
        spec = *kept;
    } else {
        // Names in `current` that `wanted` lacks are an error that has nothing to do with this one.
        if (std::max(wanted.signals.size(), current ? current->signals.size() : 0) >= kSignalsMax)
            return wanted;
        spec.name = kImpression;
        spec.half_life_ms = 7LL * 24 * 3600 * 1000;
        for (std::size_t w = 0; w < kWindowCount; ++w)
            spec.windows.push_back(static_cast<Window>(w));
    }
    spec.id = SignalTypeId(static_cast<std::uint16_t>(wanted.signals.size()));
    wanted.signals.push_back(std::move(spec));
    return wanted;
}

}  // namespace tidal::schema
