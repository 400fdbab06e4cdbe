# How far the last hour lies above the item's own usual hour, in standard deviations of a Poisson
# count, halved every two days of age. In its first hour an item neither rises nor falls.
profile rising version 1 {
    about 'Busier in the last hour than in its usual hour.';
    candidates scan;
    let v = engagement(view, 1h);
    let b = engagement(view, 7d) / max(1, min(168, age_hours));
    let youth = 2^(-age_hours / 48);
    score (v - b) / sqrt(b + 1) * youth;
    order score desc;
}
