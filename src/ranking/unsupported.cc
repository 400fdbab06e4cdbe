#include "ranking/internal/unsupported.h"

#include <algorithm>

namespace tidal::ranking {
namespace {

std::optional<Input> input_of(const Source& source) {
    switch (source.kind) {
        case SourceKind::kCollection:
            return Input::kUser;
        default:
            return std::nullopt;
    }
}

std::string missing(const std::string& by, Input input) {
    return "`" + by + "` needs " + std::string(input_name(input)) +
           ", which rankings do not read yet";
}

}  // namespace

std::optional<std::string> unsupported(const Profile& profile) {
    for (const Source& source : profile.sources)
        if (const auto input = input_of(source)) return missing(print_source(source), *input);
    return std::nullopt;
}

}  // namespace tidal::ranking
