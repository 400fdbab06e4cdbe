// query/filter.h: filters as trees. Language: docs/reference/filters.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidal::query {

/// Conditions, operators and values of one filter together.
inline constexpr std::uint32_t kFilterNodesMax = 1024;

struct Literal {
    enum class Kind : std::uint8_t { kString, kNumber, kBool, kDuration };
    Kind kind = Kind::kString;
    /// The string itself; a number or duration as written, sign included; "true" or "false".
    std::string text;
    double number = 0;         ///< Of kNumber, finite; 1 and 0 of kBool; milliseconds.
    std::uint32_t offset = 0;  ///< In the source; not compared.
    bool operator==(const Literal& other) const {
        return kind == other.kind && text == other.text && number == other.number;
    }
};

enum class Test : std::uint8_t {
    kEqual,
    kNotEqual,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,    // one value
    kBetween,         ///< Two values, both included.
    kIn,              ///< One or more values.
    kLike,            ///< One string that like_prefix() accepts.
    kHas,             ///< One value.
    kIsNull,          ///< No value.
    kCreatedWithin,   ///< One duration; no field.
    kNear,            ///< Latitude, longitude, kilometres; field empty = the only geo field.
    kState,           ///< No value; the field is the name of a user's state: seen, liked, ...
    kFriendsEngaged,  ///< No field; one string, the signal, or no value = any.
    kInCollection,    ///< No field; one string.
    kAnn,             ///< Field = embedding slot or empty; one string: vector, user or item.
    kMmr,             ///< Field = embedding slot or empty; one number.
};

/// Names are not resolved yet: bind_filter() does that against a schema.
struct FilterNode {
    enum class Kind : std::uint8_t { kAnd, kOr, kNot, kTest };
    Kind kind = Kind::kTest;
    std::vector<FilterNode> children;  ///< kAnd, kOr: two or more; kNot: one.
    Test test = Test::kEqual;
    std::string field;
    std::vector<Literal> values;
    /// Compared is the similarity in the embedding slot `field`, not a field of that name.
    bool similarity = false;
    std::uint32_t offset = 0;  ///< Of the field or operator, in the source; not compared.
    bool operator==(const FilterNode& other) const {
        return kind == other.kind && children == other.children && test == other.test &&
               field == other.field && values == other.values && similarity == other.similarity;
    }
};

/// @return kInvalidArgument with line, column and offset, what was expected and what was found;
///         kTooLarge above ranking::kTextBytesMax, kDepthMax or kFilterNodesMax.
Result<FilterNode> parse_filter(std::string_view text);

/// What a pattern's matches begin with: "50\%a%" -> "50%a". A backslash takes `%`, `_` and itself
/// literally. nullopt unless the pattern is a beginning and one `%` at its end.
std::optional<std::string> like_prefix(std::string_view pattern);

/// One line that parses to an equal tree.
std::string print_filter(const FilterNode& filter);

}  // namespace tidal::query
