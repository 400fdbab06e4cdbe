// ranking/profile.h: what to rank and how, as data. Language: docs/reference/profiles.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ranking/candidate_source.h"
#include "ranking/program.h"

namespace tidal::ranking {

inline constexpr std::size_t kGatesMax = 16;  ///< `require` statements.
inline constexpr std::size_t kPenaltiesMax = 16;
inline constexpr std::size_t kDiversityRulesMax = 8;
inline constexpr std::uint32_t kDiversityCountMax = 1000;
/// Items with this many impressions are known: the score alone places them.
inline constexpr double kExplorationBudget = 100;

enum class DiversityKind : std::uint8_t {
    kMaxPerCreator,  ///< `count`
    kMaxShare,       ///< `name`, `percent`, and `value` when only one value is held back
    kMinDistinct,    ///< `name`, `count`
    kMmr,            ///< `lambda`, `name`: an embedding slot or empty
};

/// What a page is to keep. Where it cannot, rules are given up in the order declared.
struct DiversityRule {
    DiversityKind kind = DiversityKind::kMaxPerCreator;
    std::string name;                  ///< A keyword(s) field, or a slot (embedding_name.h).
    std::optional<std::string> value;  ///< Of the field.
    std::uint32_t count = 0;           ///< 1..kDiversityCountMax.
    double percent = 0;                ///< (0, 100].
    double lambda = 0;                 ///< [0, 1]: 1 looks only at the score.
    std::uint32_t offset = 0;          ///< In the text; not compared.

    bool operator==(const DiversityRule& other) const {
        return kind == other.kind && name == other.name && value == other.value &&
               count == other.count && percent == other.percent && lambda == other.lambda;
    }
};
std::string print_diversity_rule(const DiversityRule& rule);

/// What the page is sorted by; ties break by rising id.
struct ProfileOrder {
    /// By a stored value (`order created_at desc`) instead of a computed score: positions in it do
    /// not move with time.
    bool by_field = false;
    bool descending = true;
    bool operator==(const ProfileOrder&) const = default;
};

struct ProfileParam {
    std::string name;
    double default_value = 0;
    bool operator==(const ProfileParam&) const = default;
};

inline constexpr std::uint32_t kDailyCapMax = 1000;
/// How many items a user is shown in a UTC day under any version of the profile.
struct DailyCap {
    double items = 0;          ///< Without `param`: a whole number, 1..kDailyCapMax.
    std::string param;         ///< A parameter of the profile that says it; empty = `items`.
    std::uint32_t offset = 0;  ///< In the text; not compared.
    bool operator==(const DailyCap& other) const {
        return items == other.items && param == other.param;
    }
};

struct Profile {
    std::string name;
    std::uint32_t version = 1;
    std::string about;
    std::vector<Source> sources = {Source{}};  ///< More than one is their union.
    double rank_base = kRankBaseDefault;       ///< Of `rank` and `fused`; [0, kRankBaseMax].
    std::vector<ProfileParam> params;          ///< Those with a default.
    std::vector<Definition> definitions;       ///< Each may use those before it.
    std::vector<Expr> gates;                   ///< An entity where one of them is 0 is not shown.
    Expr score;                                ///< With by_field: the field's name.
    std::vector<Penalty> penalties;            ///< Applied in this order; none with by_field.
    ProfileOrder order;
    std::vector<DiversityRule> diversity;
    double explore_percent = 0;  ///< Part of a page given to entities few have seen; [0, 100].
    std::optional<DailyCap> cap;
    std::string text;  ///< As written; not compared.

    std::string name_and_version() const { return name + "@" + std::to_string(version); }
    bool operator==(const Profile& other) const {
        return name == other.name && version == other.version && about == other.about &&
               sources == other.sources && rank_base == other.rank_base && params == other.params &&
               definitions == other.definitions && gates == other.gates && score == other.score &&
               penalties == other.penalties && order == other.order &&
               diversity == other.diversity && explore_percent == other.explore_percent &&
               cap == other.cap;
    }
};

/// @return kInvalidArgument with line, column and offset; kTooLarge as parse_expression, whose
///         limits hold for all expressions of the profile together.
Result<Profile> parse_profile(std::string_view text);
/// Text that parses to an equal profile.
std::string print_profile(const Profile& profile);

}  // namespace tidal::ranking
