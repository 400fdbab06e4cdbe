// ranking/feature.h: the columns a score program reads, and who fills them.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "audience/state_names.h"
#include "base/hlc.h"
#include "base/ids.h"
#include "base/result.h"
#include "ranking/candidate_source.h"
#include "schema/schema.h"

namespace tidal::ranking {

enum class FeatureKind : std::uint8_t {
    kDecay,      ///< Decayed score of `signal`.
    kCount,      ///< Events of `signal` in `window`.
    kSum,        ///< Weights of `signal` in `window`.
    kUnique,     ///< Distinct users of `signal` in its declared window.
    kAgeHours,   ///< max(0, now - created_at), in hours.
    kCreatedAt,  ///< Unix milliseconds.
    kField,      ///< `field`; `missing` where the entity lacks it.
    kText,       ///< entity::text_prefix() of the text or keyword `field`; 0 where it is missing.
    kRandom,     ///< Uniform in [0, 1) by (entity id, seed): the same on every shard.
    kDistance,   ///< Kilometres from the geo field `field` to a place; 0 without the field.
    // What the request brings, see Need.
    kSourceRank,  ///< 1 / (60 + rank) in the profile's source number `source`, else 0.
    kSimilarity,  ///< vector::FlatVectors::similarities in `slot` to `anchor`; 0 without a vector.
    kNearestDisliked,  ///< The greatest of the same to what the user disliked lately; else 0.
    kBm25,             ///< Of the query.
    kAffinity,         ///< Of the user to the entity's creator.
    kFollows,          ///< 1 where the user follows the entity's creator.
    kDaysSinceLast,    ///< Of the user's newest signal of `polarity`: one number for all entities.
    kFriends,          ///< Friends of the user who gave `signal`.
    kCoEngagement,     ///< With the request's item, else the user's last items.
    kState,            ///< 1 where `state` of the user and the entity holds.
};

/// A number that is one for a whole query.
struct Coordinate {
    std::optional<std::uint32_t> param;  ///< Index into EvaluationContext::params.
    double number = 0;                   ///< Without `param`.
    auto operator<=>(const Coordinate&) const = default;
};

/// One column. Members a kind does not use keep their defaults, so that equality is identity.
struct Feature {
    FeatureKind kind = FeatureKind::kAgeHours;
    SignalTypeId signal;
    schema::Window window = schema::Window::kAll;
    FieldId field;
    double missing = 0;
    bool seed_of_request = false;
    std::uint64_t seed = 0;
    bool of_cohort = false;  ///< Ledgers of the request's cohort instead of everybody's.
    std::uint32_t source = 0;
    EmbeddingSlotId slot;
    std::optional<Anchor> anchor;  ///< Of `slot`; nullopt = AnchorVectors says.
    audience::StateId state;
    schema::Polarity polarity = schema::Polarity::kNeutral;  ///< Of kDaysSinceLast; never neutral.
    std::uint32_t nanoseconds = 0;                           ///< One in `slot` takes about so long.
    Coordinate latitude, longitude;                          ///< Degrees.
    auto operator<=>(const Feature&) const = default;
};

/// What a request must bring besides a profile's name.
enum class Input : std::uint8_t {
    kUser,    ///< `user_id`
    kItem,    ///< `similar_to`
    kVector,  ///< `vector`
    kAnchor,  ///< One of the three above.
    kUserOrItem,
    kQuery,   ///< `query`
    kCohort,  ///< `cohort`
};
/// "a user (`user_id`)".
std::string_view input_name(Input input);

struct Need {
    Input input = Input::kUser;
    std::string by;  ///< The feature or source, as the language writes it.
    bool operator==(const Need&) const = default;
};

class AnchorVectors;

/// What a whole query has in common.
struct EvaluationContext {
    UnixMillis now_ms = 0;
    std::uint64_t seed = 0;                  ///< What `seed` stands for.
    std::span<const double> params;          ///< By Program::params.
    const AnchorVectors* anchors = nullptr;  ///< nullptr = none.
    std::optional<CohortId> cohort;          ///< Whose ledgers `of_cohort` means; else everybody's.
    bool neighbours = false;  ///< Set by the evaluator: slots of a block are consecutive.
};

/// Threads: as the state behind it (the shard's).
class FeatureSource {
public:
    virtual ~FeatureSource() = default;
    /// @param slots  1..kBlockSlots slots of live entities.
    /// @param out    Same length; finite values, |x| <= kMagnitudeMax.
    /// @return kIo   state on disk cannot be read; `out` is unspecified.
    virtual Result<void> fill(const Feature& feature, std::span<const Slot> slots,
                              const EvaluationContext& context, std::span<double> out) = 0;
    /// What `fill` would copy, where it lies: NaN where the entity lacks the value, any other
    /// number not saturated yet.
    /// @param slots  Consecutive.
    /// @return One for each slot, valid until the state changes; none when there is no such place.
    virtual std::span<const double> numbers(const Feature&, std::span<const Slot> /*slots*/) const {
        return {};
    }
    /// Whether `fill` gave the default because the entity lacks the value.
    virtual bool is_missing(const Feature& feature, Slot slot) const = 0;
};

}  // namespace tidal::ranking
