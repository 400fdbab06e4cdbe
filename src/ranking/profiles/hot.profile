# Does not change with time by itself: the age is in created_s, and 12.5 hours weigh as much as
# ten times the votes.
profile hot version 1 {
    about 'More liked than disliked, and recent.';
    candidates scan;
    let n = positive(all) - negative(all);
    score sign(n) * log10(max(abs(n), 1)) + created_s / 45000;
    order score desc;
}
