#include "ranking/internal/unsupported.h"

#include <algorithm>

namespace tidal::ranking {
namespace {

std::optional<Input> input_of(const Source& source) {
    switch (source.kind) {
        case SourceKind::kCollection:
            return Input::kUser;
        case SourceKind::kCohortTop:
            return Input::kCohort;
        default:
            return std::nullopt;
    }
}

std::string missing(const std::string& by, Input input) {
    return "`" + by + "` needs " + std::string(input_name(input)) +
           ", which rankings do not read yet";
}

bool is_read(const Need& need) {
    if (need.input == Input::kUser) return !need.by.starts_with("friends(");
    return need.input != Input::kCohort;
}

}  // namespace

std::optional<std::string> unsupported(const Profile& profile, const Program& program) {
    for (const Source& source : profile.sources)
        if (const auto input = input_of(source)) return missing(print_source(source), *input);
    for (const Need& need : program.needs)
        if (!is_read(need)) return missing(need.by, need.input);
    return std::nullopt;
}

}  // namespace tidal::ranking
