// text/highlight.h: the words of a text that a query asks for, marked for people to see.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "text/analyzer.h"
#include "text/query_parser.h"
#include "text/statistics.h"

namespace tidal::text {

/// Of a text that is longer, the part with most of the marks, from one word to another.
inline constexpr std::size_t kFragmentBytesMax = 240;
/// What of a text is looked at.
inline constexpr std::size_t kHighlightBytesMax = 64 * 1024;

class WordBreaker;

/// One field of one request. Threads: one at a time.
class Highlighter {
public:
    /// @param statistics  After choose_words(): what prefixes and mistyped words stand for.
    Highlighter(const Analyzer::Options& analysis, FieldId field, std::string_view name,
                const ParsedQuery& query, const Statistics& statistics, bool typos);
    ~Highlighter();

    /// "<em>Jazz</em> Piano": HTML, whatever the text holds. nullopt = no word is there.
    std::optional<std::string> mark(std::string_view text);

private:
    struct Range {
        std::size_t begin = 0, end = 0;
    };
    void want(const QueryNode& node, FieldId field, std::string_view name,
              const Statistics& statistics, bool typos);
    bool is_wanted(std::string_view word);
    std::vector<Range> find_words(std::string_view text);

    Analyzer analyzer_;
    const std::unique_ptr<WordBreaker> breaker_;
    absl::flat_hash_set<std::string> terms_;
    std::vector<std::string> prefixes_;  ///< Folded.
    std::vector<Token> tokens_;          ///< Kept for its memory.
};

}  // namespace tidal::text
