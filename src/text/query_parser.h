// text/query_parser.h: what people type into a search field, as a tree. Never an error: what does
// not fit the language is searched for as plain words, with a warning.
//
//   query  := part { [ OR ] part }         any of them; the more, the better
//   part   := unit { AND unit }            all of them
//   unit   := [ NOT | - ] ( word | word* | "words in a row" | field:unit | ( query ) )
//
// Operators are in capitals. Language for people: docs/reference/search.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidal::text {

/// What of a text is read; the rest is left out, with a warning.
inline constexpr std::size_t kQueryBytesMax = 16 * 1024;
inline constexpr std::size_t kQueryWordsMax = 256;
inline constexpr std::size_t kQueryDepthMax = 16;

struct QueryNode {
    enum class Kind : std::uint8_t {
        kWord,    ///< `text`; several terms, when the analysis makes several of it.
        kPhrase,  ///< `text`: its terms in a row.
        kPrefix,  ///< `text`: what begins so.
        kAll,     ///< Every child.
        kAny,     ///< At least one child that is not kNot, and none that a kNot names.
        kNot,     ///< One child; only below kAll and kAny.
    };
    Kind kind = Kind::kAny;
    std::string text;
    std::string field;  ///< Of the first three; empty = every text field.
    std::vector<QueryNode> children;
    bool operator==(const QueryNode&) const = default;
};

struct ParsedQuery {
    QueryNode root;  ///< kAny; without children it finds nothing.
    std::vector<std::string> warnings;
};

/// @param fields  Names before a colon that mean a field; another is a plain word.
ParsedQuery parse_query(std::string_view text, const std::vector<std::string>& fields);

/// "(any word:jazz (all field title phrase:'a b' ...))", for tests and messages.
std::string print_node(const QueryNode& node);

}  // namespace tidal::text
