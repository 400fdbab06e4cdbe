profile most_liked version 1 {
    about 'The most likes of all time.';
    candidates scan;
    score sum(like, all);
    order score desc;
}
