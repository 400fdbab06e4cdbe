// ranking/internal/built_in_profiles.h: the files of profiles/, made into source by CMakeLists.txt.
#pragma once

#include <span>
#include <string_view>

namespace tidal::ranking {

struct BuiltInProfile {
    std::string_view file;  ///< "trending.profile"
    std::string_view text;
};

/// By file name.
std::span<const BuiltInProfile> built_in_profiles();

}  // namespace tidal::ranking
