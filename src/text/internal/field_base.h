// text/internal/field_base.h: one field of a segment, read where it lies.
// Format: docs/formats/text_segments.md.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "base/codec.h"
#include "base/result.h"
#include "text/internal/posting_list.h"

namespace tidal::text {

/// Little-endian numbers at any address.
template <typename Number>
class NumberArray {
public:
    NumberArray() = default;
    NumberArray(const char* data, std::size_t size) : data_(data), size_(size) {}
    std::size_t size() const { return size_; }
    Number operator[](std::size_t at) const {
        Number out;
        std::memcpy(&out, data_ + at * sizeof(Number), sizeof(Number));
        return out;
    }
    std::vector<Number> copy() const {
        std::vector<Number> out(size_);
        if (size_ > 0) std::memcpy(out.data(), data_, size_ * sizeof(Number));
        return out;
    }

private:
    const char* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Byte strings one after the other, by number.
class StringArray {
public:
    StringArray() = default;
    StringArray(NumberArray<std::uint32_t> ends, std::string_view bytes)
        : ends_(ends), bytes_(bytes) {}
    std::size_t size() const { return ends_.size(); }
    std::string_view operator[](std::size_t at) const {
        const std::uint32_t begin = at == 0 ? 0 : ends_[at - 1];
        return bytes_.substr(begin, ends_[at] - begin);
    }

private:
    NumberArray<std::uint32_t> ends_;
    std::string_view bytes_;
};

/// The places of byte strings by hash, with gaps; 1 + number, 0 = nothing here.
struct StringTable {
    NumberArray<std::uint32_t> places;  ///< A power of two of them.

    std::optional<std::uint32_t> find(std::string_view wanted, const StringArray& strings,
                                      std::uint64_t seed) const;
    static std::vector<std::uint32_t> make(const std::vector<std::string_view>& strings,
                                           std::uint64_t seed);
};

/// Everything is checked by read(), so that whatever the bytes are nothing reads beside them. All
/// views are of those bytes.
struct FieldBase {
    std::uint64_t seed = 0;
    std::uint64_t documents = 0, total_length = 0;
    NumberArray<std::uint32_t> lengths;  ///< By slot; 0 = none.
    StringArray words;                   ///< Rising.
    NumberArray<std::uint32_t> word_terms, word_documents;
    StringArray terms;
    StringArray lists;  ///< By term; PostingList::encode().
    StringTable word_table, term_table;

    // Of the documents; read_documents().
    NumberArray<std::uint64_t> text_hashes;  ///< By slot.
    StringArray words_of_slots;              ///< Differences of rising numbers of words, varints.

    static Result<FieldBase> read(std::string_view index, std::uint64_t seed);
    Result<void> read_documents(std::string_view bytes);
    std::optional<std::uint32_t> find_word(std::string_view word) const {
        return word_table.find(word, words, seed);
    }
    std::optional<std::uint32_t> find_term(std::string_view term) const {
        return term_table.find(term, terms, seed);
    }
    /// The words of what was in a slot, rising. @return false  for what nobody writes; never after
    /// read_documents().
    bool words_of(std::uint32_t slot, std::vector<std::uint32_t>* out) const;
};

void write_numbers(const std::vector<std::uint32_t>& numbers, Encoder* out);
void write_strings(const std::vector<std::string_view>& strings, Encoder* out);

}  // namespace tidal::text
