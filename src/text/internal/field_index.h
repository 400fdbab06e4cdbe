// text/internal/field_index.h: one text field of one kind in one shard: words, terms, postings.
//
// Words and terms have dense numbers, those of an opened segment first: its strings, tables and
// posting lists are read where they lie. A list is copied to memory when it is first asked for, and
// stays; what changes, changes there. A new word that no document has any more is gone with its
// term and its list, and leaves its numbers to others.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>
#include <absl/functional/function_ref.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/analyzer.h"
#include "text/bm25.h"
#include "text/internal/field_base.h"
#include "text/internal/frequent_words.h"
#include "text/internal/numbered_texts.h"
#include "text/internal/posting_list.h"
#include "text/statistics.h"

namespace tidal::text {

using TermNumber = std::uint32_t;  ///< Dense; a term keeps its number while a document has it.
using WordNumber = std::uint32_t;  ///< Likewise.

class FieldIndex {
public:
    FieldIndex(const Analyzer::Options& analysis, const Bm25Options& scoring)
        : analyzer_(analysis),
          fingerprint_(tidal::text::fingerprint(analysis)),
          scoring_(scoring) {}

    /// @param before  What is there under `slot`; empty = nothing. @param after  Empty = nothing.
    void change(std::uint32_t slot, std::string_view before, std::string_view after);

    // A start: open(), then meet() for each text there is, then finish_open().
    /// Precondition: nothing was added. @param base  Its bytes outlive this.
    void open(const FieldBase& base);
    /// @return whether the segment had it.
    bool meet(std::uint32_t slot, std::string_view text);
    /// Takes away what was not met.
    void finish_open();

    /// From here on keeps what a segment says of texts; before the first add() or open(). A field
    /// that opens one has that one's seed.
    void keep_documents(std::uint64_t seed) {
        keeping_ = true;
        seed_ = seed;
    }
    /// Both parts of a field in a segment. Precondition: keep_documents().
    /// @return kTooLarge  a part would have 4 GiB; no segment holds it.
    Result<void> encode(Encoder* index, Encoder* documents) const;

    const std::vector<Token>& analyze(std::string_view text) {
        analyzer_.analyze(text, &tokens_);
        return tokens_;
    }
    std::uint64_t fingerprint() const { return fingerprint_; }  ///< Of the analysis.
    const Bm25Options& scoring() const { return scoring_; }
    std::uint64_t documents() const { return documents_; }
    std::uint64_t total_length() const { return total_length_; }
    std::uint32_t length(std::uint32_t slot) const {
        return slot < lengths_.size() ? lengths_[slot] : 0;
    }
    std::optional<TermNumber> find(std::string_view term) const;
    /// Of find(), of now. It changes with the index while any document has the term; then it is
    /// empty, and stays so.
    std::shared_ptr<const PostingList> postings(TermNumber term) const { return list(term); }

    struct Looked {
        std::size_t at = 0;  ///< So many words, at most `look_at_most`.
        bool all = true;     ///< No word that was not would be found instead of one that was.
        bool more = false;   ///< There are more than were added.
    };
    /// Adds the kPrefixWordsMax most frequent words that begin with `prefix`, of equal ones the
    /// first in order; unless `all`, of those looked at.
    Looked expand_prefix(const std::string& prefix, std::size_t look_at_most,
                         std::map<std::string, ExpandedWord>* out) const;
    /// Adds words at most `edits` away that begin with the same character; unless `all`, of the
    /// first in order.
    Looked expand_typo(const std::string& word, std::uint32_t edits, std::size_t look_at_most,
                       std::map<std::string, ExpandedWord>* out) const;
    std::size_t word_count() const { return word_count_; }
    std::size_t bytes() const;

private:
    class WordWalk;
    class SegmentWriter;

    struct Occurrence {
        TermNumber term;
        std::uint32_t position;
    };
    /// With keep_documents(), of a text that no opened segment has.
    struct Document {
        std::uint64_t text_hash = 0;
        std::vector<WordNumber> words;  ///< Each once.
    };
    std::uint32_t base_words() const { return static_cast<std::uint32_t>(base_.words.size()); }
    std::uint32_t base_terms() const { return static_cast<std::uint32_t>(base_.terms.size()); }
    std::string_view word(WordNumber number) const {
        return number < base_words() ? base_.words[number] : new_words_[number - base_words()];
    }
    std::string_view term(TermNumber number) const {
        return number < base_terms() ? base_.terms[number] : new_terms_[number - base_terms()];
    }
    std::optional<WordNumber> find_word(std::string_view word) const;
    TermNumber number_of(std::string_view term);
    /// Of a word that stands in one more document.
    WordNumber word_of(const Token& token);
    void count_word(WordNumber word);
    void discount_word(WordNumber word);
    const std::shared_ptr<PostingList>& list(TermNumber term) const;
    /// To be added to.
    PostingList& own_list(TermNumber term);
    void add(std::uint32_t slot, std::string_view text);
    void remove(std::uint32_t slot, std::string_view text);
    void remove_posting(TermNumber term, std::uint32_t slot);
    /// Those that lost their last posting and got no other since.
    void forget_empty_terms();
    /// What the segment had in a slot.
    void remove_met(std::uint32_t slot);
    void forget_length(std::uint32_t slot);
    /// In order, but for those that are gone.
    using VisitWord = absl::FunctionRef<void(std::string_view word, WordNumber number)>;
    void visit_words(VisitWord visit) const;
    /// The first of the segment's words that is not before `from`.
    std::uint32_t base_from(std::string_view from) const;
    /// The first behind those that begin with `prefix`, which is not empty.
    std::uint32_t base_behind(std::string_view prefix) const;
    ExpandedWord expanded(WordNumber word, std::uint32_t edits) const;
    auto length_of() const {
        return [this](std::uint32_t slot) { return length(slot); };
    }

    Analyzer analyzer_;
    const std::uint64_t fingerprint_;
    const Bm25Options scoring_;
    FieldBase base_;             ///< Empty = none was opened.
    std::vector<bool> to_meet_;  ///< While a segment is opened: what it has and nobody met.
    std::vector<TermNumber> word_terms_;         ///< By WordNumber...
    std::vector<std::uint32_t> word_documents_;  ///< ...in so many documents; 0 = it is gone.
    std::size_t word_count_ = 0;                 ///< Of those that are not.
    NumberedTexts new_words_, new_terms_;        ///< Numbers behind the segment's.
    FrequentWords frequent_;
    absl::btree_map<std::string_view, WordNumber> in_order_;  ///< New words.
    /// By TermNumber; nullptr = lies in the segment as it was, or it is a new term that is gone.
    mutable std::vector<std::shared_ptr<PostingList>> lists_;
    /// Of all terms of the segment that no document has any more.
    const std::shared_ptr<PostingList> empty_list_ = std::make_shared<PostingList>();
    std::vector<std::uint32_t> lengths_;  ///< By slot; 0 = none.
    std::uint64_t documents_ = 0, total_length_ = 0;
    bool keeping_ = false;
    std::uint64_t seed_ = 0;
    absl::flat_hash_map<std::uint32_t, Document> new_documents_;  ///< By slot.
    // Kept for their memory.
    std::vector<Token> tokens_;
    std::vector<Occurrence> occurrences_;
    std::vector<std::uint32_t> positions_;
    std::vector<WordNumber> seen_;
    std::vector<TermNumber> emptied_;  ///< Since the last forget_empty_terms().
};

}  // namespace tidal::text
