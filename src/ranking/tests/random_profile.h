// ranking/tests/random_profile.h: RapidCheck generators of the statements around a score, over the
// sample schema.
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <string>

#include "ranking/profile.h"
#include "ranking/tests/random_expression.h"

namespace tidal::ranking {

class RandomProfile {
public:
    static void add_stages(Profile* profile) {
        profile->sources = sources();
        profile->rank_base = *rc::gen::element(60.0, 0.0, 12.5, 10'000.0);
        for (int i = *rc::gen::inRange(0, 3); i > 0; --i)
            profile->gates.push_back(RandomExpression::make(2));
        for (int i = *rc::gen::inRange(0, 3); i > 0; --i)
            profile->penalties.push_back(
                {*rc::gen::element(1e-6, 0.1, 0.5, 0.999, 1.0), RandomExpression::make(1)});
        profile->diversity = diversity();
        profile->explore_percent = *rc::gen::element(0.0, 10.0, 0.5, 100.0);
    }

    static Source source() {
        Source out;
        out.kind = static_cast<SourceKind>(*rc::gen::inRange(0, 11));
        const std::string signal = *rc::gen::element<std::string>("view", "like", "skip");
        if (out.kind == SourceKind::kOrdered || out.kind == SourceKind::kWindowTop)
            out.name = signal;
        if (out.kind == SourceKind::kWindowTop)
            out.window = static_cast<schema::Window>(*rc::gen::inRange(0, 6));
        if (out.kind == SourceKind::kCollection) out.name = "later";
        if (out.kind == SourceKind::kAnn) {
            out.name = "cover";
            out.anchor = static_cast<Anchor>(*rc::gen::inRange(0, 3));
        }
        if (out.kind == SourceKind::kCoEngaged)
            out.anchor = *rc::gen::element(Anchor::kUser, Anchor::kItem);
        if (out.kind != SourceKind::kScan && *rc::gen::inRange(0, 2) == 0)
            out.limit = *rc::gen::inRange(1u, kSourceLimitMax + 1);
        return out;
    }

    static std::vector<Source> sources() {
        std::vector<Source> out{source()};
        for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
            Source next = source();
            next.weight = *rc::gen::element(1.0, 0.25, 1e-6, 1000.0);
            next.when_cold = next.kind != SourceKind::kScan && *rc::gen::inRange(0, 3) == 0;
            if (std::ranges::none_of(out, [&](const auto& s) { return s.same_list(next); }))
                out.push_back(next);
        }
        return out;
    }

    static std::vector<DiversityRule> diversity() {
        std::vector<DiversityRule> out;
        const DiversityRule all[] = {
            {.count = *rc::gen::inRange(1u, 1000u)},
            {.kind = DiversityKind::kMaxShare, .name = "category", .percent = 60},
            {.kind = DiversityKind::kMaxShare, .name = "genres", .value = "it's", .percent = 0.1},
            {.kind = DiversityKind::kMinDistinct, .name = "genres", .count = 3},
            {.kind = DiversityKind::kMmr, .name = "cover", .lambda = 0.7}};
        for (const DiversityRule& rule : all)
            if (*rc::gen::inRange(0, 2) == 0) out.push_back(rule);
        return out;
    }
};

}  // namespace tidal::ranking
