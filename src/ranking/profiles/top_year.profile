profile top_year version 1 {
    about 'The most positive signals in the last year.';
    candidates scan;
    score positive(365d);
    order score desc;
}
