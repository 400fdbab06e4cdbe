#include <algorithm>

#include "query/internal/plan_anchors.h"

namespace tidal::query {
namespace {

using ranking::Anchor;
using ranking::Input;

Error missing(const std::string& by, Input input) {
    const bool item = input == Input::kItem;
    return Error(ErrorCode::kInvalidArgument,
                 "`" + by + "` needs " + std::string(ranking::input_name(input)))
        .with_field(item ? "similar_to" : "user_id")
        .with_reason("missing_input")
        .with_hint(item ? "similar_to=42, the id of an item"
                        : "say for which user: user_id of the request, FOR USER of a query");
}

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
            if (sources.size() == 1) return missing(print_source(source), input);
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
        return missing("co_engagement", Input::kUserOrItem);
    }
    return {};
}

}  // namespace tidal::query
