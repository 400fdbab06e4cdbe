profile notification version 1 {
    about 'What is worth telling this user now: of creators they like, new, and rising; a few a day.';
    candidates union(follows limit 300, co_engaged(user) limit 300, recent limit 300);
    param daily_cap = 5;
    require 1 - state(seen);
    score log1p(max(affinity(creator), 0)) + 2 ^ (-age_hours / 24) + log1p(3600 * velocity(view, 24h));
    order score desc;
    cap param(daily_cap) per day;
}
