// text/internal/numbered_texts.h: texts with dense numbers, which those that go leave to others.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "text/internal/text_hash.h"

namespace tidal::text {

/// Memory   About 60 bytes and its own a text; 12 bytes a number whose text is gone, until the next
///          that is added has it.
/// Threads  One at a time.
class NumberedTexts {
public:
    std::optional<std::uint32_t> find(std::string_view text) const {
        const auto found = numbers_.find(text);
        if (found == numbers_.end()) return std::nullopt;
        return found->second;
    }
    /// Precondition: it is not there. @return below size(); it keeps the number, and its place in
    /// memory, until drop().
    std::uint32_t add(std::string_view text);
    /// Precondition: it is there. Views of the text end.
    void drop(std::uint32_t number);
    std::string_view operator[](std::uint32_t number) const { return view(texts_[number].get()); }
    /// Of numbers, those whose texts are gone among them.
    std::uint32_t size() const { return static_cast<std::uint32_t>(texts_.size()); }
    std::size_t bytes() const;

private:
    using Length = std::uint32_t;
    static std::string_view view(const char* text);

    std::vector<std::unique_ptr<char[]>> texts_;  ///< A length and bytes; nullptr = it is gone.
    std::vector<std::uint32_t> free_;             ///< Numbers of those.
    absl::flat_hash_map<std::string_view, std::uint32_t, TextHash, TextEqual> numbers_;
};

}  // namespace tidal::text
