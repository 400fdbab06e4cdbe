// query/tests/random_query.h: any query that can be printed.
#pragma once

#include <string>

#include "query/query_text.h"
#include "query/tests/random_filter.h"
#include "ranking/tests/random_expression.h"

namespace tidal::query {

inline Literal random_id() {
    if (die(2) == 0) return {.kind = Literal::Kind::kString, .text = random_word() + "'"};
    const auto id = die(1000);
    return {.kind = Literal::Kind::kNumber,
            .text = std::to_string(id),
            .number = static_cast<double>(id)};
}

inline std::string random_name() {
    static const std::vector<std::string> kNames{
        "trending", "limit", "odd \"name", "Where", "x", "friends_engaged", "in"};
    return kNames[die(kNames.size())];
}

inline Query random_query() {
    Query out;
    out.verb = static_cast<Query::Verb>(die(3));
    if (out.verb != Query::Verb::kRetrieve) out.text = random_word();
    if (die(2) == 0) out.limit = 1 + static_cast<std::uint32_t>(die(1000));
    if (out.verb == Query::Verb::kSuggest) return out;
    if (die(2) == 0) out.profile = random_name() + (die(2) == 0 ? "@3" : "");
    if (out.profile.empty() && die(2) == 0) out.experiment = random_name();
    for (std::size_t i = die(3); i > 0; --i)
        out.params[random_name()] = (static_cast<double>(die(2000)) - 1000) / 7;
    if (die(2) == 0) out.user = random_id();
    if (die(2) == 0) out.session = 1 + (static_cast<std::uint64_t>(die(1024)) << 42);
    out.fresh = out.session != 0 && die(2) == 0;
    if (die(2) == 0) out.similar_to = random_id();
    for (auto left = die(2) == 0 ? 1 + die(4) : 0; left > 0; --left)
        out.vector.push_back((static_cast<double>(die(2001)) - 1000) / 8);
    if (die(2) == 0) out.filter = RandomFilter::make(static_cast<int>(die(3)));
    for (std::size_t i = die(3); i > 0; --i) out.exclude.push_back(random_id());
    if (die(2) == 0) out.seed = static_cast<std::uint64_t>(die(9)) << 60;
    if (die(2) == 0) out.after = "a'b";
    out.explain = die(2) == 0;
    out.log_impressions = die(2) == 0;
    out.log_features = out.log_impressions && die(2) == 0;
    if (die(2) == 0) out.cohort = random_name();
    for (std::size_t i = die(3); i > 0; --i)
        out.highlight.push_back(random_name() + std::to_string(i));
    if (die(2) == 0) {
        out.sort.emplace();
        out.sort->by = ranking::RandomExpression::make(3);
        out.sort->descending = die(2) == 0;
    }
    if (die(2) == 0)
        out.group = GroupRequest{.field = random_name(),
                                 .top = 1 + static_cast<std::uint32_t>(die(kGroupTopMax))};
    if (die(2) == 0) {
        out.diversity.emplace();
        for (std::size_t i = die(3); i > 0; --i)
            out.diversity->push_back({.kind = ranking::DiversityKind::kMinDistinct,
                                      .name = "f" + std::to_string(i),
                                      .count = 1 + static_cast<std::uint32_t>(die(1000))});
    }
    for (std::size_t i = die(3); i > 0; --i) out.pin.push_back(random_id());
    for (std::size_t i = die(3); i > 0; --i) out.bury.push_back(random_id());
    if (die(2) == 0) {
        out.effort = vector::kEffortNames[die(4)];
        out.fields.emplace();
        for (std::size_t i = die(3); i > 0; --i)
            out.fields->push_back(random_name() + std::to_string(i));
    }
    for (std::size_t i = die(3); i > 0; --i) {
        FacetRequest facet{.field = random_name() + std::to_string(i)};
        for (std::size_t edges = die(3); edges > 0; --edges) facet.edges.push_back(random_id());
        if (die(2) == 0) facet.top = 1 + static_cast<std::uint32_t>(die(1000));
        out.facets.push_back(std::move(facet));
    }
    return out;
}

}  // namespace tidal::query
