profile top_month version 1 {
    about 'The most positive signals in the last month.';
    candidates scan;
    score positive(30d);
    order score desc;
}
