#include "transfer/internal/npy_header.h"

#include <charconv>
#include <iterator>
#include <utility>

namespace tidal::transfer {
namespace {

Error malformed() {
    return Error(ErrorCode::kInvalidArgument, "npy: the header is not that of a matrix of numbers");
}

/// Reads a dictionary of Python literals from the front on.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_(text) {}

    bool take(char wanted) {
        skip_spaces();
        if (rest_.empty() || rest_.front() != wanted) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool take_word(std::string_view word) {
        skip_spaces();
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }
    /// 'text', without escapes.
    bool take_text(std::string* out) {
        skip_spaces();
        if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) return false;
        const std::size_t end = rest_.find(rest_.front(), 1);
        if (end == std::string_view::npos) return false;
        *out = rest_.substr(1, end - 1);
        rest_.remove_prefix(end + 1);
        return true;
    }
    bool take_number(std::uint64_t* out) {
        skip_spaces();
        const auto [stop, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), *out);
        if (error != std::errc()) return false;
        rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
        return true;
    }
    bool at_end() {
        skip_spaces();
        return rest_.empty();
    }

private:
    void skip_spaces() {
        const std::size_t at = rest_.find_first_not_of(" \n");
        rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at);
    }

    std::string_view rest_;
};

/// (), (3,) or (2, 3).
bool take_shape(Reader& in, std::vector<std::uint64_t>* shape) {
    if (!in.take('(')) return false;
    while (!in.take(')')) {
        if (!in.take_number(&shape->emplace_back())) return false;
        if (!in.take(',')) return shape->size() > 1 && in.take(')');
    }
    return true;
}

bool take_value(Reader& in, std::string_view key, NpyHeader* header) {
    if (key == "descr") return in.take_text(&header->descr);
    if (key == "shape") return take_shape(in, &header->shape);
    header->fortran_order = in.take_word("True");
    return header->fortran_order || in.take_word("False");
}

}  // namespace

Result<NpyHeader> parse_npy_header(std::string_view text) {
    constexpr std::string_view kKeys[] = {"descr", "fortran_order", "shape"};
    Reader in(text);
    NpyHeader header;
    bool seen[std::size(kKeys)] = {};
    std::size_t count = 0;
    if (!in.take('{')) return malformed();
    for (bool open = true; open && !in.take('}');) {
        std::string key;
        if (!in.take_text(&key) || !in.take(':')) return malformed();
        std::size_t at = 0;
        while (at < std::size(kKeys) && kKeys[at] != key) ++at;
        if (at == std::size(kKeys) || std::exchange(seen[at], true)) return malformed();
        ++count;
        if (!take_value(in, key, &header)) return malformed();
        open = in.take(',');
        if (!open && !in.take('}')) return malformed();
    }
    if (count != std::size(kKeys) || !in.at_end()) return malformed();
    return header;
}

}  // namespace tidal::transfer
