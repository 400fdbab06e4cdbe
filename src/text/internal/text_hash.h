// text/internal/text_hash.h: hash tables with texts as keys that are asked for views.
#pragma once

#include <absl/hash/hash.h>
#include <absl/strings/string_view.h>

#include <functional>
#include <string_view>

namespace tidal::text {

/// Seeded by process: people choose the words.
struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return absl::Hash<absl::string_view>()(absl::string_view(text.data(), text.size()));
    }
};
using TextEqual = std::equal_to<>;

}  // namespace tidal::text
