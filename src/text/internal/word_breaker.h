// text/internal/word_breaker.h: where words begin and end in a folded text.
#pragma once

#include <unicode/brkiter.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

namespace tidal::text {

/// Of a character of a folded text.
enum class Script : std::uint8_t {
    kNone,        ///< Separates words.
    kWord,        ///< Letters, digits, marks of scripts that write words apart.
    kMark,        ///< Combining: belongs to what it follows.
    kPairs,       ///< Han and Kana.
    kDictionary,  ///< Thai, Lao, Khmer, Burmese.
};
Script script_of(std::int32_t code_point);

/// Threads: one at a time.
class WordBreaker {
public:
    /// @param pair  A piece of Han or Kana.
    using Visit = std::function<void(std::string_view word, bool pair)>;
    void for_each(std::string_view folded, const Visit& visit);

private:
    void visit_run(std::string_view run, Script script, const Visit& visit);
    void visit_dictionary(std::string_view run, const Visit& visit);

    std::unique_ptr<icu::BreakIterator> dictionary_;  ///< Made when first needed.
};

}  // namespace tidal::text
