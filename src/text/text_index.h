// text/text_index.h: what one shard's texts of one kind are found by. In memory, searchable as soon
// as a text is added; exact after every change.
//
//   parse_query()              once: the tree (query_parser.h)
//   TextIndex::gather()        on each shard: what the shard adds to the statistics
//   Statistics::add(), choose_words()   once
//   Search                     on each shard: the best, or the scores of given slots (search.h)
//
// Memory  about 5 bytes a posting (slot, frequency, length and a position), 440 bytes a word of one
//         document, 4 bytes a slot and field.
// Threads one at a time: the shard's monitor.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "text/analyzer.h"
#include "text/bm25.h"
#include "text/query_parser.h"
#include "text/segment.h"
#include "text/statistics.h"

namespace tidal::text {

class FieldIndex;

/// Words of the vocabulary looked at for one prefix or one word that may be mistyped, at most. Of a
/// prefix the most frequent come first: too few are so many of nearly the same frequency.
inline constexpr std::size_t kLookAtMax = 8'192;

class TextIndex {
public:
    struct Field {
        FieldId id;
        std::string name;
        Analyzer::Options analysis;
        Bm25Options scoring;
    };

    TextIndex();
    ~TextIndex();

    /// Fields that are known stay as they are.
    void set_fields(const std::vector<Field>& fields);
    bool has(FieldId field) const { return index_of(field) != nullptr; }

    /// Precondition of both: has(field). `before` is what was added under the slot, empty =
    /// nothing; an empty `after` only takes that away.
    void change(Slot slot, FieldId field, std::string_view before, std::string_view after);

    // A start with a segment of an earlier one (segment.h): open(), then meet() for every text
    // there is, then finish_open(); the index is then the one that those texts give. Without a
    // segment meet() adds.
    /// What it has of fields that are known, as they are analysed now. Precondition: nothing was
    /// added.
    /// @return kCorruption  nothing was opened.
    Result<void> open(Segment segment);
    /// Precondition: has(field). @return whether the segment had it.
    bool meet(Slot slot, FieldId field, std::string_view text);
    void finish_open();

    /// For encode(): from here on keeps what a segment says of texts. Before set_fields().
    /// @param seed  Random.
    void keep_documents(std::uint64_t seed) { seed_ = seed; }
    /// @param head  Shard, kind and index. @return kTooLarge  a part would have 4 GiB.
    Result<Segment> encode(const SegmentHead& head) const;

    /// What this shard knows of one of words_of(). Of a prefix or a typo at most some milliseconds,
    /// of words some microseconds.
    /// @param out  Of this shard alone.
    /// @param typos  Instead of the words themselves, what may have been meant by them.
    void gather(const QueryNode& word, bool typos, Statistics* out) const;
    /// Sizes of fields; once.
    void gather_fields(Statistics* out) const;

    std::uint64_t documents() const;  ///< Of all fields.
    /// Looks at everything.
    struct Stats {
        std::uint64_t documents = 0;
        std::uint64_t words = 0, bytes = 0;
    };
    Stats stats() const;

    FieldIndex* index_of(FieldId field) const {
        return field.value() < indexes_.size() ? indexes_[field.value()].get() : nullptr;
    }
    /// Fields that a node is about, rising.
    std::vector<FieldId> fields_of(const QueryNode& word) const;

private:
    std::unique_ptr<Segment> segment_;                  ///< That fields read.
    std::optional<std::uint64_t> seed_;                 ///< Of keep_documents().
    std::vector<std::unique_ptr<FieldIndex>> indexes_;  ///< By FieldId; nullptr = no text field.
    std::vector<std::string> names_;                    ///< Likewise.
};

/// The words, phrases and prefixes of a query, in order; they borrow it.
std::vector<const QueryNode*> words_of(const QueryNode& root);

/// How many edits may be between a word and what was meant (0 = none is looked for): 1 from 5
/// letters on, 2 from 9.
std::uint32_t edits_allowed(const Token& token);

}  // namespace tidal::text
