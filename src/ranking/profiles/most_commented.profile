profile most_commented version 1 {
    about 'The most comments of all time.';
    candidates scan;
    score sum(comment, all);
    order score desc;
}
