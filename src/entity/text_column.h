// entity/text_column.h: the order of a text or keyword field, by slot.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidal::entity {

/// What texts are ordered by: their first bytes without the difference of upper and lower case
/// (base/case_fold.h), compared as code points. Texts that agree so far are equal.
inline constexpr std::size_t kTextOrderBytes = 256;

/// An accelerator over the texts of one field: of each a number that compares as its first six
/// bytes do, and the whole, for those that agree. About 40 bytes a slot, and the text where it is
/// longer than 15. Threads: one at a time.
class TextColumn {
public:
    /// A value was written, or is read for the first time. Makes room for the slot.
    void put(std::uint32_t slot, std::string_view text);
    void remove(std::uint32_t slot);
    /// Room for that many slots, without a text where they are new.
    void resize(std::uint32_t slots);

    /// NaN where there is no text.
    std::span<const double> prefixes() const { return prefixes_; }
    /// As it is compared; empty where there is no text. Valid until the next change.
    std::string_view text(std::uint32_t slot) const {
        return slot < texts_.size() ? std::string_view(texts_[slot]) : std::string_view();
    }

    // How far it is made from rows; what is written meanwhile is put whatever they say.
    std::uint32_t built = 0;  ///< Slots below it are in.
    bool whole = false;

private:
    std::vector<double> prefixes_;
    std::vector<std::string> texts_;
};

/// The first six bytes as a whole number, 0 for those it lacks: exact, and greater for a text that
/// is greater there.
double text_prefix(std::string_view folded);

}  // namespace tidal::entity
