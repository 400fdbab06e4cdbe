#include <algorithm>

#include "query/internal/missing_inputs.h"
#include "query/internal/plan_anchors.h"

namespace tidal::query {
namespace {

using ranking::Anchor;
using ranking::Input;

void start_from_item(const FeedRequest& request, FeedPlan* plan) {
    plan->co_engaged[Anchor::kItem];
    plan->similar_to = request.similar_to;
    plan->exclude.insert(*request.similar_to);
}

}  // namespace

Result<void> plan_co_engaged(const FeedRequest& request, FeedPlan* plan) {
    const auto& sources = plan->profile->profile.sources;
    for (const ranking::Source& source : sources) {
        if (source.kind != ranking::SourceKind::kCoEngaged) continue;
        const bool of_user = source.anchor == Anchor::kUser;
        if (of_user && request.user) {
            plan->co_engaged[Anchor::kUser];
        } else if (!of_user && request.similar_to) {
            start_from_item(request, plan);
        } else {
            const Input input = of_user ? Input::kUser : Input::kItem;
            if (sources.size() == 1) return missing_input(print_source(source), input);
            plan->warnings.push_back("`" + print_source(source) + "` is empty: it needs " +
                                     std::string(ranking::input_name(input)));
        }
    }
    const bool read =
        std::ranges::any_of(plan->profile->program.features, [](const ranking::Feature& feature) {
            return feature.kind == ranking::FeatureKind::kCoEngagement;
        });
    if (!read) return {};
    if (request.similar_to) {
        start_from_item(request, plan);
    } else if (request.user) {
        plan->co_engaged[Anchor::kUser];
    } else {
        return placed_in_order(missing_input("co_engagement", Input::kUserOrItem), request,
                               "co_engagement");
    }
    return {};
}

}  // namespace tidal::query
