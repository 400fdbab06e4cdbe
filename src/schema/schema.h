// schema/schema.h: what an application declares: fields, embedding slots, signals.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace tidal::schema {

enum class FieldType : std::uint8_t {
    kText,
    kKeyword,
    kKeywords,
    kInt,
    kFloat,
    kBool,
    kTimestamp,
    kDuration,
    kGeo,
    kJson
};
enum class Metric : std::uint8_t { kCosine, kL2, kDot };
enum class VectorStorage : std::uint8_t { kF32, kF16, kInt8 };
enum class Polarity : std::uint8_t { kPositive, kNegative, kNeutral };
enum class DecayKind : std::uint8_t { kExponential, kLinear, kPermanent };
std::string_view field_type_name(FieldType type);
std::string_view metric_name(Metric metric);
std::string_view storage_name(VectorStorage storage);
std::string_view polarity_name(Polarity polarity);
std::string_view decay_name(DecayKind decay);

/// Windows of semantics.md §2, in this order everywhere.
enum class Window : std::uint8_t { k1h, k24h, k7d, k30d, k365d, kAll };
inline constexpr std::size_t kWindowCount = 6;

inline constexpr std::size_t kNameBytesMax = 63;
/// [a-z_][a-z0-9_]{0,62}, of fields, signals and whatever else is declared.
Result<void> check_name(std::string_view name);
inline constexpr std::size_t kFieldsMax = 256;     ///< Per kind.
inline constexpr std::size_t kEmbeddingsMax = 16;  ///< Slots per kind.
inline constexpr std::size_t kSignalsMax = 64;
inline constexpr std::size_t kStatesMax = 8;  ///< User-state bitmaps one signal sets.
inline constexpr std::uint32_t kDimensionsMax = 4096;
inline constexpr std::size_t kSchemaTextBytesMax = 256 * 1024;
inline constexpr std::int64_t kHalfLifeMsMax = 36'500LL * 24 * 3600 * 1000;  ///< A century.

std::string_view window_name(Window window);
std::optional<Window> window_from_name(std::string_view name);

/// How searches weigh a field of texts: BM25 (Robertson & Zaragoza 2009).
struct TextSpec {
    double k1 = 1.2;   ///< 0..kTextWeightMax: how much a word that comes again adds.
    double b = 0.75;   ///< 0..1: how much longer texts count less.
    double boost = 1;  ///< (0, kTextWeightMax]: of the field's scores.
    std::vector<std::string> stop_words;  ///< Left out; at most kStopWordsMax of 1..255 bytes.
    bool operator==(const TextSpec&) const = default;
};
inline constexpr double kTextWeightMax = 1000;
inline constexpr std::size_t kStopWordsMax = 1024;

struct FieldSpec {
    FieldId id;
    std::string name;
    FieldType type = FieldType::kText;
    /// Used by scores when an entity lacks the field; numbers only.
    std::optional<double> default_value;
    std::string language;  ///< Of text fields; empty = English. Read by the text index.
    TextSpec text;         ///< Likewise.
    bool operator==(const FieldSpec&) const = default;
};

struct EmbeddingSpec {
    EmbeddingSlotId id;
    std::string name;
    std::uint32_t dimensions = 0;  ///< 1..4096.
    Metric metric = Metric::kCosine;
    VectorStorage storage = VectorStorage::kF32;
    bool operator==(const EmbeddingSpec&) const = default;
};

struct UniqueSpec {
    Window window = Window::k24h;  ///< Any but kAll.
    bool operator==(const UniqueSpec&) const = default;
};

struct SignalSpec {
    SignalTypeId id;
    std::string name;
    EntityKind target = EntityKind::kItem;
    Polarity polarity = Polarity::kNeutral;
    DecayKind decay = DecayKind::kExponential;
    std::int64_t half_life_ms = 0;  ///< Exponential: half-life; linear: lifetime; permanent: 0.
    std::vector<Window> windows;    ///< Which the replies show, rising; cells are kept for all.
    std::optional<UniqueSpec> unique;
    std::vector<std::string> sets_state;  ///< User-state bitmaps set by it ("seen"), sorted.
    bool operator==(const SignalSpec&) const = default;
};

struct KindSchema {
    std::vector<FieldSpec> fields;          ///< Dense by FieldId.
    std::vector<EmbeddingSpec> embeddings;  ///< Dense by EmbeddingSlotId.
    bool string_ids = false;
    bool dynamic = false;  ///< Unknown fields are added instead of refused.
    bool operator==(const KindSchema&) const = default;
};

/// Immutable once built; shared by pointer. Ids are positions and never change: a later version of
/// the schema only appends (`check_addition`).
struct Schema {
    SchemaVersion version{1};
    KindSchema kinds[kEntityKindCount];
    std::vector<SignalSpec> signals;  ///< Dense by SignalTypeId.

    const KindSchema& kind(EntityKind k) const { return kinds[static_cast<std::size_t>(k)]; }
    const FieldSpec* find_field(EntityKind kind, std::string_view name) const;
    const EmbeddingSpec* find_embedding(EntityKind kind, std::string_view name) const;
    const SignalSpec* find_signal(std::string_view name) const;
    bool operator==(const Schema&) const = default;
};

/// Reads the YAML form (docs/reference/schema.md). kInvalidArgument with line and column, the key
/// at fault and the nearest known key.
Result<Schema> parse_schema(std::string_view yaml);
/// Every database counts what it has shown: a neutral signal, half-life 7 days, all windows.
inline constexpr std::string_view kImpression = "impression";
/// `wanted` with the signal `impression`, where it declares none: as `current` has it, else the
/// built-in one. Unchanged where all kSignalsMax are taken.
Schema with_impression(Schema wanted, const Schema* current = nullptr);
/// Names, ranges, limits, dense ids, no duplicates: what parse_schema enforces, for a schema built
/// by hand. kInvalidArgument; `field()` is the path of the declaration ("signals.view").
Result<void> validate(const Schema& schema);
/// The built-in schema, used without --schema; the text of config/default-schema.yaml.
std::string_view default_schema_yaml();
/// YAML that parses to an equal schema.
std::string print_schema(const Schema& schema);
/// 128-bit fingerprint of the meaning (names, types, order), as 32 hex digits; the version is not
/// in it.
std::string fingerprint(const Schema& schema);

/// Format: docs/formats/schema.md. Precondition of encode_schema: the schema is valid.
std::string encode_schema(const Schema& schema);
/// kCorruption for bytes that are no valid schema; kIncompatible for a newer format.
Result<Schema> decode_schema(std::string_view bytes);

/// `wanted` in the ids of `current`, its version one higher; equal to `current` (same version) when
/// nothing is new. Additions: fields, slots, signals, more shown windows, `dynamic: true`. Anything
/// else is kIncompatible with both sides of each difference in the context pairs. A field that
/// `wanted` lacks stays where `wanted` says the kind is dynamic.
Result<Schema> check_addition(const Schema& current, const Schema& wanted);

}  // namespace tidal::schema
