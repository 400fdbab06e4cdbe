# Weights are those that foresaw best what people like next, also after a gap: bench/quality/for_you.sh.
# Who comes back likes what is liked these days: after three days without a like the taste of before counts half.
# What is liked now is a sum in which a like of the last month counts three times, and one of the last week more.
# Who has liked nothing yet is shown what their cohorts watch (or the request's), then what everybody
# likes, then what is new; a tenth of the places goes to what few have seen, also outside these lists.
profile for_you version 1 {
    about 'What this user has neither seen nor liked: liked together with, or close to, what they liked, by whom they follow, or liked now, which counts more the longer they have liked nothing.';
    candidates union(co_engaged(user) limit 200, ann(user) limit 150, follows limit 50, popular limit 100,
        cohort_top limit 100 when cold, recent limit 100 when cold);
    let days = days_since_last(positive);
    let gap = if(days < 3650, days / (days + 3), 0);
    let now = 0.5 * log1p(positive(7d)) + log1p(2 * positive(30d) + positive(365d)) - 0.3 * log1p(age_hours);
    require 1 - state(seen);
    require 1 - state(liked);
    score (1 - gap) * co_engagement + (1 - gap) * rank(ann(user)) + rank(follows)
        + 0.01 * log1p(max(affinity(creator), 0)) + (1 - gap) * 0.01 * log1p(positive(all))
        + gap * 0.01 * now - 0.01 * max(nearest_disliked, 0)
        + 10 * rank(cohort_top) + 0.01 * rank(recent);
    order score desc;
    explore 10%;
}
