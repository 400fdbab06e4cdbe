#include "text/internal/field_base.h"

#include <bit>

#include "base/hash.h"

namespace tidal::text {
namespace {

Error damaged(std::string_view what) {
    return Error(ErrorCode::kCorruption, "text segment: " + std::string(what));
}

template <typename Number>
NumberArray<Number> read_numbers(Decoder* in) {
    const std::size_t size = in->count(sizeof(Number));
    return {in->raw(size * sizeof(Number)).data(), in->failed() ? 0 : size};
}

Result<StringArray> read_strings(Decoder* in) {
    const auto ends = read_numbers<std::uint32_t>(in);
    std::uint32_t last = 0;
    for (std::size_t i = 0; i < ends.size(); ++i) {
        if (ends[i] < last) return damaged("strings that end before they begin");
        last = ends[i];
    }
    return StringArray(ends, in->raw(last));
}

Result<StringTable> read_table(Decoder* in, std::size_t strings) {
    StringTable table{read_numbers<std::uint32_t>(in)};
    const std::size_t size = table.places.size();
    if (!std::has_single_bit(size) || size <= strings) return damaged("a table of a wrong size");
    std::size_t used = 0;
    for (std::size_t i = 0; i < size; ++i) {
        if (table.places[i] > strings) return damaged("a table that names what is not there");
        used += table.places[i] != 0 ? 1 : 0;
    }
    // Without a gap a search for something else would never end.
    if (used != strings) return damaged("a table of other strings");
    return table;
}

}  // namespace

std::optional<std::uint32_t> StringTable::find(std::string_view wanted, const StringArray& strings,
                                               std::uint64_t seed) const {
    const std::size_t mask = places.size() - 1;
    for (std::size_t at = hash64(wanted, seed) & mask;; at = (at + 1) & mask) {
        const std::uint32_t place = places[at];
        if (place == 0) return std::nullopt;
        if (strings[place - 1] == wanted) return place - 1;
    }
}

std::vector<std::uint32_t> StringTable::make(const std::vector<std::string_view>& strings,
                                             std::uint64_t seed) {
    std::vector<std::uint32_t> places(std::bit_ceil(strings.size() * 3 / 2 + 1));
    const std::size_t mask = places.size() - 1;
    for (std::uint32_t i = 0; i < strings.size(); ++i) {
        std::size_t at = hash64(strings[i], seed) & mask;
        while (places[at] != 0) at = (at + 1) & mask;
        places[at] = i + 1;
    }
    return places;
}

Result<FieldBase> FieldBase::read(std::string_view index, std::uint64_t seed) {
    Decoder in(index);
    FieldBase out;
    out.seed = seed;
    out.documents = in.u64();
    out.total_length = in.u64();
    out.lengths = read_numbers<std::uint32_t>(&in);
    TIDAL_ASSIGN(out.words, read_strings(&in));
    out.word_terms = read_numbers<std::uint32_t>(&in);
    out.word_documents = read_numbers<std::uint32_t>(&in);
    TIDAL_ASSIGN(out.word_table, read_table(&in, out.words.size()));
    TIDAL_ASSIGN(out.terms, read_strings(&in));
    TIDAL_ASSIGN(out.term_table, read_table(&in, out.terms.size()));
    TIDAL_ASSIGN(out.lists, read_strings(&in));
    TIDAL_TRY(in.finish("a field of a text segment"));
    std::uint64_t documents = 0, total_length = 0;
    for (std::size_t i = 0; i < out.lengths.size(); ++i) {
        documents += out.lengths[i] != 0 ? 1 : 0;
        total_length += out.lengths[i];
    }
    if (documents != out.documents || total_length != out.total_length)
        return damaged("sums of other lengths");
    if (out.word_terms.size() != out.words.size() ||
        out.word_documents.size() != out.words.size() || out.lists.size() != out.terms.size())
        return damaged("parts of different sizes");
    for (std::size_t i = 0; i < out.words.size(); ++i)
        if (out.word_terms[i] >= out.terms.size()) return damaged("a word of no term");
    const auto slots = static_cast<std::uint32_t>(out.lengths.size());
    for (std::size_t i = 0; i < out.lists.size(); ++i)
        if (!PostingList::check(out.lists[i], slots)) return damaged("postings that nobody writes");
    return out;
}

Result<void> FieldBase::read_documents(std::string_view bytes) {
    Decoder in(bytes);
    text_hashes = read_numbers<std::uint64_t>(&in);
    TIDAL_ASSIGN(words_of_slots, read_strings(&in));
    TIDAL_TRY(in.finish("documents of a text segment"));
    if (text_hashes.size() != lengths.size() || words_of_slots.size() != lengths.size())
        return damaged("parts of different sizes");
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t slot = 0; slot < lengths.size(); ++slot)
        if (!words_of(slot, &numbers)) return damaged("words that are not there");
    return {};
}

bool FieldBase::words_of(std::uint32_t slot, std::vector<std::uint32_t>* out) const {
    out->clear();
    Decoder in(words_of_slots[slot]);
    std::uint64_t word = 0;
    while (in.remaining() > 0) {
        const std::uint64_t step = in.varint();
        if (in.failed() || step >= words.size() || (!out->empty() && step == 0)) return false;
        word += step;
        if (word >= words.size()) return false;
        out->push_back(static_cast<std::uint32_t>(word));
    }
    return true;
}

void write_numbers(const std::vector<std::uint32_t>& numbers, Encoder* out) {
    out->varint(numbers.size());
    out->raw({reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof numbers[0]});
}

void write_strings(const std::vector<std::string_view>& strings, Encoder* out) {
    std::vector<std::uint32_t> ends;
    ends.reserve(strings.size());
    std::uint32_t end = 0;
    for (const std::string_view each : strings)
        ends.push_back(end += static_cast<std::uint32_t>(each.size()));
    write_numbers(ends, out);
    for (const std::string_view each : strings) out->raw(each);
}

}  // namespace tidal::text
