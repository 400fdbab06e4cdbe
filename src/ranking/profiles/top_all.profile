profile top_all version 1 {
    about 'The most positive signals of all time.';
    candidates scan;
    score positive(all);
    order score desc;
}
