#include "query/degradation.h"

#include <algorithm>
#include <utility>

namespace tidal::query {
namespace {

/// A search that no source of the profile makes has no order but the score's; that of a request
/// is what it asked for.
bool has_second_phase(const FeedPlan& plan) {
    return plan.profile->by_ranks && !plan.text_alone && !plan.text_matches;
}

/// @pre has_second_phase(*plan).
void order_by_ranks(FeedPlan* plan) {
    const auto whole = std::exchange(plan->profile, plan->profile->by_ranks);
    const auto& known = whole->program.params;
    std::vector<double> params;
    for (const std::string& name : plan->profile->program.params)
        params.push_back(plan->params[std::ranges::find(known, name) - known.begin()]);
    plan->params = std::move(params);
}

}  // namespace

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
    if (level >= 2 && has_second_phase(*plan)) {
        order_by_ranks(plan);
        leave_out("reranking", "ordered by the places that the sources give, not by the score");
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
