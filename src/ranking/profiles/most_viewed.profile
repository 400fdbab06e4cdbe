profile most_viewed version 1 {
    about 'The most views of all time.';
    candidates scan;
    score sum(view, all);
    order score desc;
}
