#include <algorithm>
#include <array>
#include <charconv>

#include "schema/duration.h"
#include "schema/internal/names.h"
#include "schema/schema.h"

namespace tidal::schema {
namespace {

/// Names are plain scalars but for the words YAML reads as something else.
std::string quoted(std::string_view name) {
    static constexpr std::array<std::string_view, 9> kWords{"null", "true", "false", "yes", "no",
                                                            "on",   "off",  "y",     "n"};
    if (std::find(kWords.begin(), kWords.end(), name) == kWords.end()) return std::string(name);
    return "\"" + std::string(name) + "\"";
}

std::string quoted_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string number(double value) {
    std::array<char, 32> buffer;  // the shortest text that reads back as the same double
    const auto [end, status] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    return {buffer.data(), end};
}

std::string list(const std::vector<std::string>& names) {
    std::string out = "[";
    for (const std::string& name : names) out += (out.size() > 1 ? ", " : "") + quoted(name);
    return out + "]";
}

std::string list(const std::vector<Window>& windows) {
    std::vector<std::string> names;
    for (const Window window : windows) names.emplace_back(window_name(window));
    return list(names);
}

/// What differs from what is so unless said.
void print_text(const TextSpec& text, std::string* out) {
    const TextSpec usual;
    if (text.k1 != usual.k1) *out += ", k1: " + number(text.k1);
    if (text.b != usual.b) *out += ", b: " + number(text.b);
    if (text.boost != usual.boost) *out += ", boost: " + number(text.boost);
    if (text.stop_words.empty()) return;
    *out += ", stop_words: [";
    for (std::size_t i = 0; i < text.stop_words.size(); ++i)
        *out += (i == 0 ? "" : ", ") + quoted_text(text.stop_words[i]);
    *out += "]";
}

void print_field(const FieldSpec& field, std::string* out) {
    *out += "    " + quoted(field.name) + ": ";
    const std::string type(name_of(field.type));
    if (!field.default_value && field.language.empty() && field.text == TextSpec()) {
        *out += type + "\n";
        return;
    }
    *out += "{type: " + type;
    if (field.default_value) *out += ", default: " + number(*field.default_value);
    if (!field.language.empty()) *out += ", language: " + field.language;
    print_text(field.text, out);
    *out += "}\n";
}

void print_kind(const KindSchema& kind, std::string_view key, std::string* out) {
    *out += std::string(key) + ":\n";
    *out += std::string("  ids: ") + (kind.string_ids ? "string" : "u64") + "\n";
    if (kind.dynamic) *out += "  dynamic: true\n";
    if (!kind.fields.empty()) *out += "  fields:\n";
    for (const FieldSpec& field : kind.fields) print_field(field, out);
    if (!kind.embeddings.empty()) *out += "  embeddings:\n";
    for (const EmbeddingSpec& slot : kind.embeddings)
        *out += "    " + quoted(slot.name) + ": {dimensions: " + std::to_string(slot.dimensions) +
                ", metric: " + std::string(name_of(slot.metric)) +
                ", storage: " + std::string(name_of(slot.storage)) + "}\n";
}

void print_signal(const SignalSpec& signal, std::string* out) {
    *out += "  " + quoted(signal.name) + ":\n";
    *out += "    polarity: " + std::string(name_of(signal.polarity)) + "\n";
    *out += "    decay: " + std::string(name_of(signal.decay)) + "\n";
    if (signal.decay == DecayKind::kExponential)
        *out += "    half_life: " + print_duration(signal.half_life_ms) + "\n";
    if (signal.decay == DecayKind::kLinear)
        *out += "    lifetime: " + print_duration(signal.half_life_ms) + "\n";
    *out += "    windows: " + list(signal.windows) + "\n";
    if (signal.unique)
        *out += "    unique: " + std::string(window_name(signal.unique->window)) + "\n";
    if (!signal.sets_state.empty()) *out += "    sets: " + list(signal.sets_state) + "\n";
}

}  // namespace

std::string print_schema(const Schema& schema) {
    std::string out;
    for (std::size_t k = 0; k < kEntityKindCount; ++k)
        print_kind(schema.kinds[k], kKindKeys[k], &out);
    if (!schema.signals.empty()) out += "signals:\n";
    for (const SignalSpec& signal : schema.signals) print_signal(signal, &out);
    return out;
}

}  // namespace tidal::schema
