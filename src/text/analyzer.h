// text/analyzer.h: from a text to the terms it is found by.
//
// Source  Unicode NFKC case folding and the break dictionaries of ICU 72; stemmers of Snowball
//         (libstemmer 2.2). Words: runs of letters, digits and combining marks, split at
//         apostrophes. Han and Kana give overlapping pairs of characters (a lone one itself); Thai,
//         Lao, Khmer and Burmese the words of ICU's dictionaries.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tidal::text {

/// Longer words end there, before a character that would pass it.
inline constexpr std::size_t kWordBytesMax = 255;

struct Token {
    std::string word;            ///< Folded, at most kWordBytesMax bytes.
    std::string term;            ///< What the index holds: the word's stem.
    std::uint32_t position = 0;  ///< From 0, rising; a stop word leaves its place empty.
    bool plain = true;           ///< No digits, no pair of characters: worth looking for typos.
    bool operator==(const Token&) const = default;
};

/// Threads: one at a time (it keeps stems and the state of ICU's breakers).
class Analyzer {
public:
    struct Options {
        /// "english" or a code such as "en"; one without a stemmer ("thai", "none") has words as
        /// they are. Empty = English.
        std::string language;
        std::vector<std::string> stop_words;  ///< Left out, compared folded.
    };

    explicit Analyzer(const Options& options = {});
    ~Analyzer();
    Analyzer(Analyzer&&) noexcept;
    Analyzer& operator=(Analyzer&&) noexcept;

    /// Appends nothing for a text without words. Bytes that are not UTF-8 separate words.
    /// @param out  Its content is replaced.
    void analyze(std::string_view text, std::vector<Token>* out);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// Equal where the same texts give the same terms: options, the libraries' versions and ours.
std::uint64_t fingerprint(const Analyzer::Options& options);

/// As terms are folded: NFKC, without the difference of upper and lower case.
std::string fold(std::string_view text);

}  // namespace tidal::text
