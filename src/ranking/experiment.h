// ranking/experiment.h: which version of a profile a user sees. Language:
// docs/reference/profiles.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace tidal::ranking {

inline constexpr std::size_t kArmsMax = 16;
inline constexpr std::uint32_t kArmWeightMax = 1'000'000;

struct ExperimentArm {
    std::string profile;  ///< "trending@1".
    std::uint32_t weight = 1;
    bool operator==(const ExperimentArm&) const = default;
};

/// Users are split by a salted hash of their id: the same user gets the same arm on every node and
/// after every restart, and another experiment's salt splits them independently.
struct Experiment {
    std::string name;
    std::uint32_t version = 1;
    std::string about;
    std::string salt;                 ///< The experiment's name when not given.
    std::vector<ExperimentArm> arms;  ///< 2 to kArmsMax.
    std::string text;                 ///< As written; not compared.

    bool operator==(const Experiment& other) const {
        return name == other.name && version == other.version && about == other.about &&
               salt == other.salt && arms == other.arms;
    }
    /// Index of the user's arm: shares of users follow the weights.
    std::size_t arm_of(const EntityId& user) const;
};

/// @return kInvalidArgument with line, column and offset; kTooLarge above kTextBytesMax.
Result<Experiment> parse_experiment(std::string_view text);
/// Text that parses to an equal experiment.
std::string print_experiment(const Experiment& experiment);

}  // namespace tidal::ranking
