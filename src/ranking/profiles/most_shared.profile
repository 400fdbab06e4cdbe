profile most_shared version 1 {
    about 'The most shares of all time.';
    candidates scan;
    score sum(share, all);
    order score desc;
}
