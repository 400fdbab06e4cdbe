// Reads the YAML form of a schema. The reference is docs/reference/schema.md.

#include <algorithm>

#include "schema/duration.h"
#include "schema/internal/names.h"
#include "schema/internal/rules.h"
#include "schema/internal/yaml_reader.h"
#include "schema/schema.h"

namespace tidal::schema {
namespace {

using Path = std::string_view;

/// A broken rule becomes an error at the declaration's place.
Result<void> check_at(Result<void> rule, YamlMark mark, Path path) {
    if (rule.ok()) return rule;
    return locate(rule.take_error(), mark, path);
}

Result<std::vector<std::string>> read_texts(const YamlNode& node, Path path) {
    TIDAL_ASSIGN(const auto list, read_list(node, path));
    std::vector<std::string> out;
    for (const YamlNode* const each : list) {
        TIDAL_ASSIGN(std::string text, read_text(*each, path));
        out.push_back(std::move(text));
    }
    return out;
}

Result<FieldSpec> read_field(const YamlEntry& declared, Path path) {
    static constexpr std::array<std::string_view, 7> kKeys{"type", "default", "language",  "k1",
                                                           "b",    "boost",   "stop_words"};
    FieldSpec field;
    field.name = declared.key;
    if (declared.value.is_scalar()) {  // year: int
        TIDAL_ASSIGN(field.type, read_enum<FieldType>(declared.value, path, "type"));
    } else {
        bool has_type = false;
        TIDAL_TRY(read_map(
            declared.value, path, kKeys, [&](Path at, const YamlEntry& entry) -> Result<void> {
                if (entry.key == "type") {
                    TIDAL_ASSIGN(field.type, read_enum<FieldType>(entry.value, at, "type"));
                    has_type = true;
                } else if (entry.key == "default") {
                    TIDAL_ASSIGN(field.default_value, read_number(entry.value, at));
                } else if (entry.key == "language") {
                    TIDAL_ASSIGN(field.language, read_text(entry.value, at));
                } else if (entry.key == "stop_words") {
                    TIDAL_ASSIGN(field.text.stop_words, read_texts(entry.value, at));
                } else {
                    double& weight = entry.key == "k1"  ? field.text.k1
                                     : entry.key == "b" ? field.text.b
                                                        : field.text.boost;
                    TIDAL_ASSIGN(weight, read_number(entry.value, at));
                }
                return {};
            }));
        if (!has_type) return error_at(declared.mark, path, "a field needs a type");
    }
    if (field.type == FieldType::kText && field.language == "english") field.language.clear();
    TIDAL_TRY(check_at(check_field(field), declared.mark, path));
    return field;
}

Result<EmbeddingSpec> read_embedding(const YamlEntry& declared, Path path) {
    static constexpr std::array<std::string_view, 3> kKeys{"dimensions", "metric", "storage"};
    EmbeddingSpec slot;
    slot.name = declared.key;
    TIDAL_TRY(
        read_map(declared.value, path, kKeys, [&](Path at, const YamlEntry& entry) -> Result<void> {
            if (entry.key == "dimensions") {
                TIDAL_ASSIGN(const std::uint64_t n, read_count(entry.value, at));
                // Out of range stays out of range, whatever its upper bits.
                slot.dimensions =
                    static_cast<std::uint32_t>(std::min<std::uint64_t>(n, kDimensionsMax + 1));
            } else if (entry.key == "metric") {
                TIDAL_ASSIGN(slot.metric, read_enum<Metric>(entry.value, at, "metric"));
            } else {
                TIDAL_ASSIGN(slot.storage, read_enum<VectorStorage>(entry.value, at, "storage"));
            }
            return {};
        }));
    TIDAL_TRY(check_at(check_embedding(slot), declared.mark, path));
    return slot;
}

Result<std::vector<Window>> read_windows(const YamlNode& node, Path path) {
    TIDAL_ASSIGN(const auto nodes, read_list(node, path));
    std::vector<Window> windows;
    for (const YamlNode* item : nodes) {
        TIDAL_ASSIGN(const Window window, read_enum<Window>(*item, path, "window"));
        if (std::find(windows.begin(), windows.end(), window) != windows.end())
            return error_at(item->mark, path,
                            "window " + std::string(window_name(window)) + " is listed twice");
        windows.push_back(window);
    }
    std::sort(windows.begin(), windows.end());
    return windows;
}

Result<std::vector<std::string>> read_states(const YamlNode& node, Path path) {
    TIDAL_ASSIGN(const auto nodes, read_list(node, path));
    std::vector<std::string> states;
    for (const YamlNode* item : nodes) {
        TIDAL_ASSIGN(std::string state, read_text(*item, path));
        TIDAL_TRY(check_at(check_name(state), item->mark, path));
        if (std::find(states.begin(), states.end(), state) != states.end())
            return error_at(item->mark, path, "state \"" + state + "\" is listed twice");
        states.push_back(std::move(state));
    }
    std::sort(states.begin(), states.end());
    return states;
}

/// The keys of one signal. half_life and lifetime are two names of one number, each for its decay.
struct SignalReader {
    SignalSpec signal;
    const YamlEntry* half_life = nullptr;
    const YamlEntry* lifetime = nullptr;

    Result<void> read(Path at, const YamlEntry& entry) {
        const YamlNode& value = entry.value;
        if (entry.key == "target") {
            TIDAL_ASSIGN(signal.target, read_enum<EntityKind>(value, at, "kind"));
        } else if (entry.key == "polarity") {
            TIDAL_ASSIGN(signal.polarity, read_enum<Polarity>(value, at, "polarity"));
        } else if (entry.key == "decay") {
            TIDAL_ASSIGN(signal.decay, read_enum<DecayKind>(value, at, "decay"));
        } else if (entry.key == "half_life" || entry.key == "lifetime") {
            (entry.key == "lifetime" ? lifetime : half_life) = &entry;
            TIDAL_ASSIGN(signal.half_life_ms, read_duration(value, at));
        } else if (entry.key == "windows") {
            TIDAL_ASSIGN(signal.windows, read_windows(value, at));
        } else if (entry.key == "unique") {
            TIDAL_ASSIGN(const Window window, read_enum<Window>(value, at, "window"));
            signal.unique = UniqueSpec{window};
        } else {
            TIDAL_ASSIGN(signal.sets_state, read_states(value, at));
        }
        return {};
    }

    Result<void> check_decay_keys(YamlMark mark, Path path) const {
        const bool wants_half_life = signal.decay == DecayKind::kExponential;
        const bool wants_lifetime = signal.decay == DecayKind::kLinear;
        const std::string decay(decay_name(signal.decay));
        if (half_life != nullptr && !wants_half_life)
            return error_at(half_life->mark, path, "decay " + decay + " takes no half_life");
        if (lifetime != nullptr && !wants_lifetime)
            return error_at(lifetime->mark, path, "decay " + decay + " takes no lifetime");
        if (wants_half_life && half_life == nullptr)
            return error_at(mark, path,
                            "a signal with exponential decay needs half_life, such as 7d");
        if (wants_lifetime && lifetime == nullptr)
            return error_at(mark, path, "a signal with linear decay needs lifetime, such as 7d");
        return {};
    }
};

Result<SignalSpec> read_signal(const YamlEntry& declared, Path path) {
    static constexpr std::array<std::string_view, 8> kKeys{
        "target", "polarity", "decay", "half_life", "lifetime", "windows", "unique", "sets"};
    SignalReader reader;
    reader.signal.name = declared.key;
    for (std::size_t w = 0; w < kWindowCount; ++w)
        reader.signal.windows.push_back(static_cast<Window>(w));
    TIDAL_TRY(read_map(declared.value, path, kKeys,
                       [&](Path at, const YamlEntry& entry) { return reader.read(at, entry); }));
    TIDAL_TRY(reader.check_decay_keys(declared.mark, path));
    TIDAL_TRY(check_at(check_signal(reader.signal), declared.mark, path));
    return std::move(reader.signal);
}

/// Each entry of a map of declarations, with its dense id.
template <typename Spec, typename Read>
Result<std::vector<Spec>> read_all(const YamlNode& node, Path path, std::size_t max, Read read) {
    std::vector<Spec> out;
    TIDAL_TRY(read_map(node, path, {}, [&](Path at, const YamlEntry& entry) -> Result<void> {
        if (out.size() == max)
            return error_at(entry.mark, at, "more than " + std::to_string(max) + " declared");
        TIDAL_ASSIGN(Spec spec, read(entry, at));
        spec.id = decltype(spec.id)(static_cast<std::uint16_t>(out.size()));
        out.push_back(std::move(spec));
        return {};
    }));
    return out;
}

Result<KindSchema> read_kind(const YamlEntry& declared, Path path) {
    static constexpr std::array<std::string_view, 4> kKeys{"ids", "dynamic", "fields",
                                                           "embeddings"};
    KindSchema kind;
    TIDAL_TRY(
        read_map(declared.value, path, kKeys, [&](Path at, const YamlEntry& entry) -> Result<void> {
            if (entry.key == "ids") {
                static constexpr std::array<std::string_view, 2> kIds{"u64", "string"};
                TIDAL_ASSIGN(const std::string ids, read_text(entry.value, at));
                if (ids != "u64" && ids != "string")
                    return unknown_name(entry.value.mark, at, "kind of id", ids, kIds);
                kind.string_ids = ids == "string";
            } else if (entry.key == "dynamic") {
                TIDAL_ASSIGN(kind.dynamic, read_bool(entry.value, at));
            } else if (entry.key == "fields") {
                TIDAL_ASSIGN(kind.fields,
                             read_all<FieldSpec>(entry.value, at, kFieldsMax, read_field));
            } else {
                TIDAL_ASSIGN(kind.embeddings, read_all<EmbeddingSpec>(
                                                  entry.value, at, kEmbeddingsMax, read_embedding));
            }
            return {};
        }));
    TIDAL_TRY(check_at(check_kind(kind, declared.key), declared.mark, path));
    return kind;
}

}  // namespace

Result<Schema> parse_schema(std::string_view yaml) {
    static constexpr std::array<std::string_view, 4> kKeys{"items", "users", "creators", "signals"};
    TIDAL_ASSIGN(const YamlNode root, parse_yaml(yaml, {.bytes_max = kSchemaTextBytesMax}));
    Schema schema;
    TIDAL_TRY(read_map(root, "", kKeys, [&](Path at, const YamlEntry& entry) -> Result<void> {
        if (entry.key == "signals") {
            TIDAL_ASSIGN(schema.signals,
                         read_all<SignalSpec>(entry.value, at, kSignalsMax, read_signal));
            return {};
        }
        const auto kind =
            std::find(kKindKeys.begin(), kKindKeys.end(), entry.key) - kKindKeys.begin();
        TIDAL_ASSIGN(schema.kinds[kind], read_kind(entry, at));
        return {};
    }));
    return schema;
}

}  // namespace tidal::schema
