#include "ranking/internal/unsupported.h"

namespace tidal::ranking {

std::optional<std::string> unsupported(const Profile& profile) {
    if (profile.sources.size() > 1) return "`union` of sources is not executed yet";
    for (const Source& source : profile.sources)
        if (source.kind != SourceKind::kScan)
            return "the source `" + print_source(source) + "` is not executed yet";
    if (!profile.gates.empty()) return "`require` is not executed yet";
    if (!profile.diversity.empty()) return "`diversity` is not executed yet";
    if (profile.explore_percent != 0) return "`explore` is not executed yet";
    return std::nullopt;
}

}  // namespace tidal::ranking
