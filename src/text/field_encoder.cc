// A field as a segment has it: words and terms that are gone are left out, so that both get new
// numbers, and lists that nothing changed are copied as they lie.
#include <algorithm>
#include <limits>

#include "text/internal/field_index.h"

namespace tidal::text {

class FieldIndex::SegmentWriter {
public:
    explicit SegmentWriter(const FieldIndex& index) : index_(index) {
        words_.resize(index.word_terms_.size(), kGone);
        terms_.resize(index.lists_.size(), kGone);
    }
    Result<void> write(Encoder* index, Encoder* documents);

private:
    static constexpr std::uint32_t kGone = std::numeric_limits<std::uint32_t>::max();

    void number_words();
    Result<void> write_index(Encoder* out);
    Result<void> write_lists(Encoder* out);
    Result<void> write_documents(Encoder* out);
    std::string words_of(std::uint32_t slot);
    static Result<void> small_enough(std::size_t bytes) {
        if (bytes < kGone) return {};
        return Error(ErrorCode::kTooLarge, "a text segment has no room for more than 4 GiB")
            .with("bytes", bytes);
    }

    const FieldIndex& index_;
    std::vector<std::uint32_t> words_, terms_;  ///< New numbers by old ones.
    std::vector<std::string_view> word_names_, term_names_;
    std::vector<std::uint32_t> word_terms_, word_documents_;
    std::vector<TermNumber> old_terms_;  ///< By new number.
    std::vector<WordNumber> numbers_;    ///< Kept for its memory.
};

void FieldIndex::SegmentWriter::number_words() {
    index_.visit_words([&](std::string_view word, WordNumber old) {
        words_[old] = static_cast<std::uint32_t>(word_names_.size());
        word_names_.push_back(word);
        word_documents_.push_back(index_.word_documents_[old]);
        const TermNumber old_term = index_.word_terms_[old];
        if (terms_[old_term] == kGone) {
            terms_[old_term] = static_cast<std::uint32_t>(term_names_.size());
            term_names_.push_back(index_.term(old_term));
            old_terms_.push_back(old_term);
        }
        word_terms_.push_back(terms_[old_term]);
    });
}

Result<void> FieldIndex::SegmentWriter::write(Encoder* index, Encoder* documents) {
    number_words();
    TIDAL_TRY(write_index(index));
    return write_documents(documents);
}

Result<void> FieldIndex::SegmentWriter::write_index(Encoder* out) {
    std::size_t names = 0;
    for (const std::string_view word : word_names_) names += word.size();
    TIDAL_TRY(small_enough(names));  // Terms are at most about as long.
    out->u64(index_.documents_);
    out->u64(index_.total_length_);
    // Slots behind the last text are room to grow.
    std::vector<std::uint32_t> lengths = index_.lengths_;
    while (!lengths.empty() && lengths.back() == 0) lengths.pop_back();
    write_numbers(lengths, out);
    write_strings(word_names_, out);
    write_numbers(word_terms_, out);
    write_numbers(word_documents_, out);
    write_numbers(StringTable::make(word_names_, index_.seed_), out);
    write_strings(term_names_, out);
    write_numbers(StringTable::make(term_names_, index_.seed_), out);
    return write_lists(out);
}

Result<void> FieldIndex::SegmentWriter::write_lists(Encoder* out) {
    std::vector<std::uint32_t> ends;
    Encoder lists;
    for (const TermNumber old : old_terms_) {
        const auto& list = index_.lists_[old];
        if (list == nullptr)
            lists.raw(index_.base_.lists[old]);
        else
            list->encode(&lists);
        TIDAL_TRY(small_enough(lists.size()));
        ends.push_back(static_cast<std::uint32_t>(lists.size()));
    }
    write_numbers(ends, out);
    out->raw(lists.view());
    return {};
}

/// Numbers of words, new ones and rising, as differences.
std::string FieldIndex::SegmentWriter::words_of(std::uint32_t slot) {
    if (index_.length(slot) == 0) return {};
    const auto found = index_.new_documents_.find(slot);
    if (found != index_.new_documents_.end())
        numbers_ = found->second.words;
    else
        index_.base_.words_of(slot, &numbers_);
    for (WordNumber& number : numbers_) number = words_[number];
    std::ranges::sort(numbers_);
    Encoder out;
    WordNumber last = 0;
    for (const WordNumber number : numbers_) {
        out.varint(number - last);
        last = number;
    }
    return out.take();
}

Result<void> FieldIndex::SegmentWriter::write_documents(Encoder* out) {
    auto slots = static_cast<std::uint32_t>(index_.lengths_.size());
    while (slots > 0 && index_.lengths_[slots - 1] == 0) --slots;
    out->varint(slots);
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
        const auto found = index_.new_documents_.find(slot);
        if (found != index_.new_documents_.end())
            out->u64(found->second.text_hash);
        else
            out->u64(slot < index_.base_.text_hashes.size() ? index_.base_.text_hashes[slot] : 0);
    }
    std::vector<std::uint32_t> ends;
    std::string words;
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
        words += words_of(slot);
        TIDAL_TRY(small_enough(words.size()));
        ends.push_back(static_cast<std::uint32_t>(words.size()));
    }
    write_numbers(ends, out);
    out->raw(words);
    return {};
}

Result<void> FieldIndex::encode(Encoder* index, Encoder* documents) const {
    return SegmentWriter(*this).write(index, documents);
}

}  // namespace tidal::text
