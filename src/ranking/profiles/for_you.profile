# Weights are those that foresaw best what people like next: bench/quality/for_you.sh.
profile for_you version 1 {
    about 'What this user has neither seen nor liked: liked together with, or close to, what they liked, by whom they follow, or liked now.';
    candidates union(co_engaged(user) limit 200, ann(user) limit 150, follows limit 50, ordered(like) limit 100);
    require 1 - state(seen);
    require 1 - state(liked);
    score co_engagement + rank(ann(user)) + rank(follows) + 0.01 * log1p(max(affinity(creator), 0))
        + 0.01 * log1p(sum(like, all)) - 0.01 * max(nearest_disliked, 0);
    order score desc;
    explore 10%;
}
