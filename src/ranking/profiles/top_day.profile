profile top_day version 1 {
    about 'The most positive signals in the last day.';
    candidates scan;
    score positive(24h);
    order score desc;
}
