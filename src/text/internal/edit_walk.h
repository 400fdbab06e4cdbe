// text/internal/edit_walk.h: which words of a sorted list are near another, without looking at all.
//
// Distance: optimal string alignment over characters: insert, remove, replace or swap two
// neighbours, each costs 1. The first character is the same. Rows of the table are kept for the
// characters that the word before began with, too; a prefix from which no word can be near any more
// is left behind with all that begin so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidal::text {

class EditWalk {
public:
    EditWalk(std::string_view word, std::uint32_t most);

    /// The bytes of its first character.
    std::string_view first_character() const { return first_; }
    /// nullopt = above `most`.
    std::optional<std::uint32_t> distance(std::string_view other);
    /// Of the word that distance() saw last: whether no word that begins as it does can be near;
    /// then `next` is the least text behind all of these.
    bool skip_from(std::string_view other, std::string* next) const;

private:
    using Row = std::vector<std::uint32_t>;
    struct Character {
        char32_t code;
        std::size_t end;  ///< Offset behind it.
    };
    static void split(std::string_view text, std::vector<Character>* out);
    std::uint32_t fill_row(std::size_t at);

    std::vector<Character> word_, other_, before_;
    std::string first_;
    const std::uint32_t most_;
    std::vector<Row> rows_;             ///< By characters of `other_`, from none.
    std::vector<std::uint32_t> least_;  ///< By row.
    std::size_t hopeless_ = 0;  ///< Characters after which nothing can be near; 0 = not known.
};

}  // namespace tidal::text
