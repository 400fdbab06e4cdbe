// A later schema may only add. What counts as an addition is in docs/reference/schema.md.

#include <algorithm>

#include "schema/duration.h"
#include "schema/internal/names.h"
#include "schema/schema.h"

namespace tidal::schema {
namespace {

/// Differences that are no additions: path, and both sides in words.
class Differences {
public:
    void add(const std::string& path, std::string_view now, std::string_view wanted) {
        if (now != wanted)
            list_.emplace_back(path, std::string(now) + " -> " + std::string(wanted));
    }
    bool empty() const { return list_.empty(); }
    Error error() const {
        std::string message = "the schema removes or changes what is declared: ";
        for (const auto& [path, sides] : list_)
            message += (&path == &list_.front().first ? "" : "; ") + path + " (" + sides + ")";
        Error out(ErrorCode::kIncompatible, std::move(message));
        std::move(out).with_reason("schema_not_an_addition").with_field(list_.front().first);
        std::move(out).with_hint(
            "a schema may only gain fields, slots, signals and shown windows; keep the rest as it "
            "is");
        for (const auto& [path, sides] : list_) std::move(out).with(path, sides);
        return out;
    }

private:
    std::vector<std::pair<std::string, std::string>> list_;
};

std::string default_text(const FieldSpec& field) {
    return field.default_value ? "default " + std::to_string(*field.default_value) : "no default";
}
std::string unique_text(const SignalSpec& signal) {
    return signal.unique ? "unique " + std::string(window_name(signal.unique->window))
                         : "no unique";
}
std::string states_text(const SignalSpec& signal) {
    std::string out = "sets";
    for (const std::string& state : signal.sets_state) out += " " + state;
    return signal.sets_state.empty() ? "sets nothing" : out;
}
std::string windows_text(const std::vector<Window>& windows) {
    std::string out;
    for (const Window window : windows)
        out += (out.empty() ? "" : " ") + std::string(window_name(window));
    return out.empty() ? "none" : out;
}

std::string weights_text(const TextSpec& text) {
    return "k1 " + std::to_string(text.k1) + ", b " + std::to_string(text.b) + ", boost " +
           std::to_string(text.boost) + ", " + std::to_string(text.stop_words.size()) +
           " stop words";
}

void compare(const FieldSpec& now, const FieldSpec& wanted, const std::string& path,
             Differences* out) {
    out->add(path, name_of(now.type), name_of(wanted.type));
    if (now.default_value != wanted.default_value)
        out->add(path, default_text(now), default_text(wanted));
    const auto language = [](const FieldSpec& field) -> std::string_view {
        return field.language.empty() ? "english" : std::string_view(field.language);
    };
    out->add(path, language(now), language(wanted));
    if (now.text != wanted.text) out->add(path, weights_text(now.text), weights_text(wanted.text));
}

void compare(const EmbeddingSpec& now, const EmbeddingSpec& wanted, const std::string& path,
             Differences* out) {
    out->add(path, std::to_string(now.dimensions) + " dimensions",
             std::to_string(wanted.dimensions) + " dimensions");
    out->add(path, name_of(now.metric), name_of(wanted.metric));
    out->add(path, name_of(now.storage), name_of(wanted.storage));
}

void compare(const SignalSpec& now, const SignalSpec& wanted, const std::string& path,
             Differences* out) {
    out->add(path, name_of(now.target), name_of(wanted.target));
    out->add(path, name_of(now.polarity), name_of(wanted.polarity));
    out->add(path, name_of(now.decay), name_of(wanted.decay));
    out->add(path, "half-life " + print_duration(now.half_life_ms),
             "half-life " + print_duration(wanted.half_life_ms));
    out->add(path, unique_text(now), unique_text(wanted));
    out->add(path, states_text(now), states_text(wanted));
    if (!std::includes(wanted.windows.begin(), wanted.windows.end(), now.windows.begin(),
                       now.windows.end()))
        out->add(path, "windows " + windows_text(now.windows),
                 "windows " + windows_text(wanted.windows));
}

/// The declarations of `now` in their order and ids, then the new ones of `wanted` in theirs.
template <typename Spec>
std::vector<Spec> merge(const std::vector<Spec>& now, const std::vector<Spec>& wanted,
                        const std::string& path, bool keep_missing, Differences* out) {
    std::vector<Spec> merged = now;
    std::vector<bool> seen(now.size());
    for (const Spec& spec : wanted) {
        const auto found = std::find_if(now.begin(), now.end(),
                                        [&](const Spec& other) { return other.name == spec.name; });
        if (found == now.end()) {
            merged.push_back(spec);
            merged.back().id = decltype(spec.id)(static_cast<std::uint16_t>(merged.size() - 1));
            continue;
        }
        const auto at = static_cast<std::size_t>(found - now.begin());
        seen[at] = true;
        compare(*found, spec, path + "." + spec.name, out);
        merged[at] = spec;
        merged[at].id = found->id;
    }
    for (std::size_t i = 0; i < now.size(); ++i)
        if (!seen[i] && !keep_missing) out->add(path + "." + now[i].name, "declared", "missing");
    return merged;
}

KindSchema merge_kind(const KindSchema& now, const KindSchema& wanted, const std::string& key,
                      Differences* out) {
    out->add(key + ".ids", now.string_ids ? "string" : "u64", wanted.string_ids ? "string" : "u64");
    if (now.dynamic && !wanted.dynamic) out->add(key + ".dynamic", "true", "false");
    KindSchema merged;
    merged.string_ids = now.string_ids;
    merged.dynamic = wanted.dynamic;
    // Writes add fields to a dynamic kind, so its file cannot be expected to name them.
    const bool keep_missing = now.dynamic && wanted.dynamic;
    merged.fields = merge(now.fields, wanted.fields, key + ".fields", keep_missing, out);
    merged.embeddings = merge(now.embeddings, wanted.embeddings, key + ".embeddings", false, out);
    return merged;
}

}  // namespace

Result<Schema> check_addition(const Schema& current, const Schema& wanted) {
    Differences differences;
    Schema merged;
    merged.version = current.version;
    for (std::size_t k = 0; k < kEntityKindCount; ++k)
        merged.kinds[k] =
            merge_kind(current.kinds[k], wanted.kinds[k], std::string(kKindKeys[k]), &differences);
    merged.signals = merge(current.signals, wanted.signals, "signals", false, &differences);
    if (!differences.empty()) return differences.error();
    TIDAL_TRY(validate(merged));
    if (merged != current) merged.version = current.version.next();
    return merged;
}

}  // namespace tidal::schema
