#include "base/edit_distance.h"

#include <algorithm>
#include <array>
#include <vector>

namespace tidal {
namespace {

constexpr std::size_t kNameSizeMax = 64;
constexpr std::size_t kNamesListedMax = 8;

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t bound) {
    const auto longer = std::max(a.size(), b.size());
    if (longer - std::min(a.size(), b.size()) > bound) return bound + 1;

    // Three rows of the alignment table: two back (for swaps), last, current.
    std::array<std::vector<std::size_t>, 3> rows;
    for (auto& row : rows) row.resize(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;

    for (std::size_t i = 1; i <= a.size(); ++i) {
        const auto& before = rows[(i + 1) % 3];
        const auto& last = rows[(i + 2) % 3];
        auto& row = rows[i % 3];
        row[0] = i;
        std::size_t least = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = a[i - 1] == b[j - 1];
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
            least = std::min(least, row[j]);
        }
        // A swap reaches back two rows, at one less than its own cost.
        if (least > bound + 1) return bound + 1;
    }
    return std::min(rows[a.size() % 3][b.size()], bound + 1);
}

std::optional<std::string_view> nearest_name(std::string_view name,
                                             std::span<const std::string_view> known) {
    if (name.empty() || name.size() > kNameSizeMax) return std::nullopt;
    const std::string wanted = lower(name);
    std::size_t bound = std::clamp<std::size_t>(name.size() / 3, 1, 3);
    std::optional<std::string_view> best;
    for (const auto candidate : known) {
        const auto distance = edit_distance(wanted, lower(candidate), bound);
        if (distance > bound) continue;
        if (!best || distance < bound) best = candidate;
        bound = distance;
        if (bound == 0) break;
    }
    return best;
}

std::string name_hint(std::string_view name, std::span<const std::string_view> known) {
    if (known.empty()) return {};
    if (const auto nearest = nearest_name(name, known))
        return "did you mean '" + std::string(*nearest) + "'?";
    std::string out = "known: ";
    for (std::size_t i = 0; i < std::min(known.size(), kNamesListedMax); ++i) {
        if (i > 0) out += ", ";
        out += known[i];
    }
    if (known.size() > kNamesListedMax) out += ", ...";
    return out;
}

}  // namespace tidal
