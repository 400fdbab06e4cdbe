profile top_hour version 1 {
    about 'The most positive signals in the last hour.';
    candidates scan;
    score positive(1h);
    order score desc;
}
