profile for_you version 1 {
    about 'What this user has not seen: liked together with, or close to, what they liked, by whom they follow, or liked now.';
    candidates union(co_engaged(user) limit 300, ann(user) limit 200, follows limit 100, ordered(like) limit 300);
    require 1 - state(seen);
    score 4 * rank(co_engaged(user)) + 2 * rank(ann(user)) + rank(follows) + rank(ordered(like))
        + 0.002 * log1p(max(affinity(creator), 0)) + 0.0005 * log1p(decay(like));
    order score desc;
    explore 10%;
}
