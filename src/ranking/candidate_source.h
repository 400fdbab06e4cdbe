// ranking/candidate_source.h: where a profile takes its candidates from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "schema/schema.h"

namespace tidal::ranking {

inline constexpr std::size_t kSourcesMax = 16;  ///< Of one union.
inline constexpr std::uint32_t kSourceLimitMax = 10'000;
inline constexpr std::uint32_t kSourceLimitDefault = 1000;  ///< Of every source but `scan`.
inline constexpr double kSourceWeightMax = 1000;
/// Of reciprocal rank fusion, 1 / (base + rank): the greater, the less the first places stand out.
inline constexpr double kRankBaseDefault = 60, kRankBaseMax = 10'000;

/// Where candidates come from. All but `scan` have an order, and give their first `limit`.
enum class SourceKind : std::uint8_t {
    kScan,       ///< Every live entity that is published and not expired; has no order.
    kOrdered,    ///< `name`: a signal; by its decayed score.
    kWindowTop,  ///< `name`: a signal, `window`; by the sum of its weights.
    kRecent,     ///< The newest first.
    kAnn,  ///< `name`: an embedding slot, empty = embedding_name.h says; nearest to `anchor` first.
    kText,        ///< Best match of the request's query first.
    kFollows,     ///< Of creators the user follows, the newest first.
    kCoEngaged,   ///< Most often liked together with `anchor` first.
    kCohortTop,   ///< By the signals of the request's cohort.
    kCollection,  ///< `name`: a collection, in its order.
    kPopular,     ///< By the decayed scores of all positive signals, added up.
};

/// What `ann` and `co_engaged` start from.
enum class Anchor : std::uint8_t {
    kVector,  ///< The request's vector; only ann.
    kUser,    ///< What the request's user liked lately.
    kItem,    ///< The request's `similar_to`.
};

struct Source {
    SourceKind kind = SourceKind::kScan;
    std::string name;
    schema::Window window = schema::Window::kAll;
    Anchor anchor = Anchor::kVector;
    std::optional<std::uint32_t> limit;  ///< 1..kSourceLimitMax; never of `scan`.
    double weight = 1;                   ///< In `fused`; (0, kSourceWeightMax].
    bool when_cold = false;              ///< Only for a user who has liked nothing yet.
    std::uint32_t offset = 0;            ///< In the text; not compared.

    std::uint32_t limit_or_default() const { return limit.value_or(kSourceLimitDefault); }
    /// Whether both are the same list, whatever is taken of it.
    bool same_list(const Source& other) const {
        return kind == other.kind && name == other.name && window == other.window &&
               anchor == other.anchor;
    }
    bool operator==(const Source& other) const {
        return same_list(other) && limit == other.limit && weight == other.weight &&
               when_cold == other.when_cold;
    }
};
/// The source as the language writes it, without limit and weight: "window_top(view, 24h)".
std::string print_source(const Source& source);
/// The word it starts with: "window_top".
std::string_view source_kind_name(SourceKind kind);

}  // namespace tidal::ranking
