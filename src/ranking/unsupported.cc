#include "ranking/internal/unsupported.h"

#include <algorithm>

namespace tidal::ranking {
namespace {

std::optional<Input> input_of(const Source& source) {
    switch (source.kind) {
        case SourceKind::kAnn:
        case SourceKind::kCoEngaged:
            if (source.anchor == Anchor::kVector) return Input::kVector;
            return source.anchor == Anchor::kUser ? Input::kUser : Input::kItem;
        case SourceKind::kText:
            return Input::kQuery;
        case SourceKind::kFollows:
        case SourceKind::kCollection:
            return Input::kUser;
        case SourceKind::kCohortTop:
            return Input::kCohort;
        default:
            return std::nullopt;
    }
}

std::string missing(const std::string& by, Input input) {
    const std::string out = "`" + by + "` needs " + std::string(input_name(input));
    if (input == Input::kQuery) return out + ", and there is no text index yet";
    return out + ", which rankings do not read yet";
}

}  // namespace

std::optional<std::string> unsupported(const Profile& profile, const Program& program) {
    for (const Source& source : profile.sources)
        if (const auto input = input_of(source)) return missing(print_source(source), *input);
    for (const Need& need : program.needs) return missing(need.by, need.input);
    if (profile.sources.size() > 1) return "`union` of sources is not executed yet";
    for (const Source& source : profile.sources)
        if (source.kind != SourceKind::kScan)
            return "the source `" + print_source(source) + "` is not executed yet";
    const auto reads_rank = [](const Feature& f) { return f.kind == FeatureKind::kSourceRank; };
    if (std::ranges::any_of(program.features, reads_rank)) return "`rank` is not executed yet";
    if (!profile.gates.empty()) return "`require` is not executed yet";
    if (!profile.diversity.empty()) return "`diversity` is not executed yet";
    if (profile.explore_percent != 0) return "`explore` is not executed yet";
    return std::nullopt;
}

}  // namespace tidal::ranking
