#include "schema/internal/rules.h"

#include <algorithm>
#include <cmath>

#include "base/edit_distance.h"
#include "base/utf8.h"
#include "schema/duration.h"
#include "schema/internal/names.h"

namespace tidal::schema {
namespace {

/// Written beside the fields in every request and reply, so a field cannot be called so.
constexpr std::array<std::string_view, 5> kReservedFields{"entity_id", "creator_id", "created_at",
                                                          "publish_at", "expires_at"};
/// Snowball's, as libstemmer of Debian 12 names them, and "none" for no stemming.
constexpr std::array<std::string_view, 30> kLanguages{
    "none",    "arabic",    "armenian",   "basque",     "catalan",  "danish",
    "dutch",   "english",   "finnish",    "french",     "german",   "greek",
    "hindi",   "hungarian", "indonesian", "irish",      "italian",  "lithuanian",
    "nepali",  "norwegian", "porter",     "portuguese", "romanian", "russian",
    "serbian", "spanish",   "swedish",    "tamil",      "turkish",  "yiddish"};

Error invalid(std::string message) {
    return Error(ErrorCode::kInvalidArgument, std::move(message));
}

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view name) {
    return std::find(list.begin(), list.end(), name) != list.end();
}

bool strictly_rising(const std::vector<Window>& windows) {
    return std::adjacent_find(windows.begin(), windows.end(),
                              [](Window a, Window b) { return a >= b; }) == windows.end();
}

bool is_window(Window window) {
    return static_cast<std::size_t>(window) < kWindowCount;
}

Result<void> check_default(const FieldSpec& field) {
    if (!field.default_value) return {};
    if (!is_number(field.type))
        return invalid("only int, float, timestamp and duration fields take a default")
            .with("type", name_of(field.type));
    const double value = *field.default_value;
    if (!std::isfinite(value)) return invalid("the default must be finite");
    // 2^53: every whole number up to it is exact.
    if (field.type != FieldType::kFloat &&
        (std::trunc(value) != value || std::fabs(value) > 0x1p53))
        return invalid("the default must be a whole number of at most 2^53")
            .with("type", name_of(field.type));
    return {};
}

Result<void> check_decay(const SignalSpec& signal) {
    if (signal.decay == DecayKind::kPermanent) {
        if (signal.half_life_ms != 0) return invalid("a permanent signal has no half-life");
        return {};
    }
    if (signal.half_life_ms <= 0 || signal.half_life_ms > kHalfLifeMsMax)
        return invalid("the half-life or lifetime must be above 0 and at most " +
                       print_duration(kHalfLifeMsMax))
            .with("given", print_duration(std::max<std::int64_t>(signal.half_life_ms, 0)));
    return {};
}

Result<void> check_windows(const SignalSpec& signal) {
    if (signal.windows.empty()) return invalid("at least one window is needed");
    if (!strictly_rising(signal.windows) ||
        !std::all_of(signal.windows.begin(), signal.windows.end(), is_window))
        return invalid("windows are listed once each, shortest first");
    if (signal.unique &&
        (!is_window(signal.unique->window) || signal.unique->window == Window::kAll))
        return invalid(
            "unique users are counted in a window of 1h, 24h, 7d, 30d or 365d, not in all");
    return {};
}

/// Adds where the declaration stands to an error of its own.
Result<void> at(Result<void> result, std::string_view path) {
    if (result.ok()) return result;
    Error error = result.take_error();
    return Error(error.code(), std::string(path) + ": " + error.message())
        .with_field(path)
        .with_hint(error.hint());
}

template <typename Spec>
Result<void> check_dense(const std::vector<Spec>& specs, std::string_view path, std::size_t max) {
    if (specs.size() > max)
        return invalid(std::string(path) + ": more than " + std::to_string(max) + " declared")
            .with_field(path);
    for (std::size_t i = 0; i < specs.size(); ++i) {
        const std::string at_path = std::string(path) + "." + specs[i].name;
        if (specs[i].id.value() != i)
            return invalid(at_path + ": ids must be dense").with_field(at_path);
        for (std::size_t j = 0; j < i; ++j)
            if (specs[j].name == specs[i].name)
                return invalid(at_path + ": declared twice").with_field(at_path);
    }
    return {};
}

}  // namespace

bool is_number(FieldType type) {
    return type == FieldType::kInt || type == FieldType::kFloat || type == FieldType::kTimestamp ||
           type == FieldType::kDuration;
}

Result<void> check_name(std::string_view name) {
    const auto is_start = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
    const bool ok = !name.empty() && name.size() <= kNameBytesMax && is_start(name[0]) &&
                    std::all_of(name.begin(), name.end(),
                                [&](char c) { return is_start(c) || (c >= '0' && c <= '9'); });
    if (ok) return {};
    return invalid("\"" + std::string(name.substr(0, 80)) + "\" is no name")
        .with_hint("a name has 1 to 63 of a-z, 0-9 and _, and starts with no digit");
}

bool is_word(const std::string& word) {
    constexpr std::size_t kWordBytesMax = 255;
    return !word.empty() && word.size() <= kWordBytesMax && !find_utf8_error(word) &&
           std::ranges::none_of(word, [](char c) { return c >= 0 && c < ' '; });
}

Result<void> check_text(const FieldSpec& field) {
    const TextSpec& text = field.text;
    if (text == TextSpec()) return {};
    if (field.type != FieldType::kText)
        return invalid("only text fields have k1, b, boost and stop words")
            .with("type", name_of(field.type));
    // Also NaN.
    if (!(text.k1 >= 0 && text.k1 <= kTextWeightMax))
        return invalid("k1 must be 0 to 1000").with("given", text.k1);
    if (!(text.b >= 0 && text.b <= 1)) return invalid("b must be 0 to 1").with("given", text.b);
    if (!(text.boost > 0 && text.boost <= kTextWeightMax))
        return invalid("boost must be above 0, at most 1000").with("given", text.boost);
    if (text.stop_words.size() > kStopWordsMax)
        return invalid("at most 1024 stop words").with("given", text.stop_words.size());
    if (const auto bad = std::ranges::find_if_not(text.stop_words, is_word);
        bad != text.stop_words.end())
        return invalid("a stop word has 1 to 255 bytes of UTF-8, none of them a control character");
    return {};
}

Result<void> check_field(const FieldSpec& field) {
    TIDAL_TRY(check_name(field.name));
    if (contains(kReservedFields, field.name))
        return invalid("\"" + field.name + "\" is reserved: every entity has it already");
    TIDAL_TRY(check_default(field));
    TIDAL_TRY(check_text(field));
    if (field.language.empty()) return {};
    if (field.type != FieldType::kText)
        return invalid("only text fields have a language").with("type", name_of(field.type));
    if (!contains(kLanguages, field.language))
        return invalid("unknown language \"" + field.language + "\"")
            .with_hint(name_hint(field.language, kLanguages));
    return {};
}

Result<void> check_embedding(const EmbeddingSpec& embedding) {
    TIDAL_TRY(check_name(embedding.name));
    if (embedding.dimensions < 1 || embedding.dimensions > kDimensionsMax)
        return invalid("dimensions must be 1 to " + std::to_string(kDimensionsMax))
            .with("given", embedding.dimensions);
    return {};
}

Result<void> check_signal(const SignalSpec& signal) {
    TIDAL_TRY(check_name(signal.name));
    if (signal.name == kImpression && signal.polarity != Polarity::kNeutral)
        return invalid("\"" + signal.name +
                       "\" is neither praise nor blame: its polarity is neutral");
    if (signal.target != EntityKind::kItem)
        return invalid("signals are about items; creators and users get theirs through the item")
            .with("target", name_of(signal.target));
    TIDAL_TRY(check_decay(signal));
    TIDAL_TRY(check_windows(signal));
    if (signal.sets_state.size() > kStatesMax)
        return invalid("a signal sets at most " + std::to_string(kStatesMax) + " states");
    for (std::size_t i = 0; i < signal.sets_state.size(); ++i) {
        TIDAL_TRY(check_name(signal.sets_state[i]));
        if (i > 0 && signal.sets_state[i - 1] >= signal.sets_state[i])
            return invalid("states are listed once each, in order")
                .with("state", signal.sets_state[i]);
    }
    return {};
}

Result<void> check_kind(const KindSchema& kind, std::string_view key) {
    const std::string fields_path = std::string(key) + ".fields";
    const std::string embeddings_path = std::string(key) + ".embeddings";
    TIDAL_TRY(check_dense(kind.fields, fields_path, kFieldsMax));
    TIDAL_TRY(check_dense(kind.embeddings, embeddings_path, kEmbeddingsMax));
    for (const FieldSpec& field : kind.fields)
        TIDAL_TRY(at(check_field(field), fields_path + "." + field.name));
    for (const EmbeddingSpec& slot : kind.embeddings) {
        const std::string path = embeddings_path + "." + slot.name;
        TIDAL_TRY(at(check_embedding(slot), path));
        for (const FieldSpec& field : kind.fields)
            if (field.name == slot.name)
                return invalid(path + ": a field has the same name").with_field(path);
    }
    return {};
}

Result<void> check_signals(const std::vector<SignalSpec>& signals) {
    TIDAL_TRY(check_dense(signals, "signals", kSignalsMax));
    for (const SignalSpec& signal : signals)
        TIDAL_TRY(at(check_signal(signal), "signals." + signal.name));
    return {};
}

Result<void> validate(const Schema& schema) {
    for (std::size_t k = 0; k < kEntityKindCount; ++k)
        TIDAL_TRY(check_kind(schema.kinds[k], kKindKeys[k]));
    return check_signals(schema.signals);
}

}  // namespace tidal::schema
