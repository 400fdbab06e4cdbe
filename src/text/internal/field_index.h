// text/internal/field_index.h: one text field of one kind in one shard: words, terms, postings.
#pragma once

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>
#include <absl/container/node_hash_map.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/analyzer.h"
#include "text/bm25.h"
#include "text/internal/posting_list.h"
#include "text/internal/text_hash.h"
#include "text/statistics.h"

namespace tidal::text {

using TermNumber = std::uint32_t;  ///< Dense; a term keeps its number.

class FieldIndex {
public:
    FieldIndex(const Analyzer::Options& analysis, const Bm25Options& scoring)
        : analyzer_(analysis), scoring_(scoring) {}

    /// Precondition: nothing is added under `slot`.
    void add(std::uint32_t slot, std::string_view text);
    /// @param text  What was added.
    void remove(std::uint32_t slot, std::string_view text);

    const std::vector<Token>& analyze(std::string_view text) {
        analyzer_.analyze(text, &tokens_);
        return tokens_;
    }
    const Bm25Options& scoring() const { return scoring_; }
    std::uint64_t documents() const { return documents_; }
    std::uint64_t total_length() const { return total_length_; }
    std::uint32_t length(std::uint32_t slot) const {
        return slot < lengths_.size() ? lengths_[slot] : 0;
    }
    std::optional<TermNumber> find(std::string_view term) const;
    const PostingList& postings(TermNumber term) const { return lists_[term]; }

    /// Adds the words that begin with `prefix`, the most frequent of those looked at. @return how
    /// many were looked at.
    std::size_t expand_prefix(const std::string& prefix, std::size_t look_at_most,
                              std::map<std::string, ExpandedWord>* out, bool* cut) const;
    /// Adds words at most `edits` away that begin with the same character.
    std::size_t expand_typo(const std::string& word, std::uint32_t edits, std::size_t look_at_most,
                            std::map<std::string, ExpandedWord>* out) const;
    std::size_t word_count() const { return words_.size(); }
    std::size_t bytes() const;

private:
    struct Word {
        TermNumber term = 0;
        std::uint32_t documents = 0;
    };
    struct Occurrence {
        TermNumber term;
        std::uint32_t position;
    };
    TermNumber number_of(std::string_view term);
    Word* word_of(const Token& token);
    ExpandedWord expanded(std::string_view word, std::uint32_t edits) const;
    auto length_of() const {
        return [this](std::uint32_t slot) { return length(slot); };
    }

    Analyzer analyzer_;
    const Bm25Options scoring_;
    absl::node_hash_map<std::string, Word, TextHash, TextEqual>
        words_;                                   ///< Those in some document.
    absl::btree_set<std::string_view> in_order_;  ///< Keys of words_.
    absl::flat_hash_map<std::string, TermNumber, TextHash, TextEqual> terms_;
    std::deque<PostingList> lists_;       ///< By TermNumber.
    std::vector<std::string> names_;      ///< By TermNumber.
    std::vector<std::uint32_t> lengths_;  ///< By slot; 0 = none.
    std::uint64_t documents_ = 0, total_length_ = 0;
    // Kept for their memory.
    std::vector<Token> tokens_;
    std::vector<Occurrence> occurrences_;
    std::vector<std::uint32_t> positions_;
    std::vector<Word*> seen_;
};

}  // namespace tidal::text
