profile top_week version 1 {
    about 'The most positive signals in the last week.';
    candidates scan;
    score positive(7d);
    order score desc;
}
