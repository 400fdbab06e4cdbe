#include "query/degradation.h"

namespace tidal::query {

std::vector<std::string> degrade(std::uint8_t level, FeedPlan* plan) {
    std::vector<std::string> left_out;
    const auto leave_out = [&](const char* what, const std::string& said) {
        left_out.emplace_back(what);
        plan->warnings.push_back("under load: " + said);
    };
    if (level >= 1 && plan->has_lists()) {
        plan->source_divisor = 2;
        leave_out("source_lists", "the profile's sources gave half as many candidates");
    }
    if (level >= 2 && !plan->facets.empty()) {
        plan->facets.clear();
        leave_out("facets", "facets were not counted");
    }
    if (level >= 2 && plan->explain) {
        plan->explain = false;
        leave_out("explain", "nothing is explained");
    }
    return left_out;
}

}  // namespace tidal::query
