// ranking/profile.h: what to rank and how, as data. Language: docs/reference/profiles.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ranking/program.h"

namespace tidal::ranking {

enum class CandidateSource : std::uint8_t {
    kScan,  ///< Every live entity that is published and not expired.
};

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

struct Profile {
    std::string name;
    std::uint32_t version = 1;
    std::string about;
    CandidateSource candidates = CandidateSource::kScan;
    std::vector<ProfileParam> params;     ///< Those with a default.
    std::vector<Definition> definitions;  ///< Each may use those before it.
    Expr score;                           ///< With by_field: the field's name.
    ProfileOrder order;
    std::string text;  ///< As written; not compared.

    std::string name_and_version() const { return name + "@" + std::to_string(version); }
    bool operator==(const Profile& other) const {
        return name == other.name && version == other.version && about == other.about &&
               candidates == other.candidates && params == other.params &&
               definitions == other.definitions && score == other.score && order == other.order;
    }
};

/// @return kInvalidArgument with line, column and offset; kTooLarge as parse_expression, whose
///         limits hold for all expressions of the profile together.
Result<Profile> parse_profile(std::string_view text);
/// Text that parses to an equal profile.
std::string print_profile(const Profile& profile);

}  // namespace tidal::ranking
