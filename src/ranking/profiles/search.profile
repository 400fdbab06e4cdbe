# How well the texts answer decides; between answers that are alike, signals do.
profile search version 1 {
    about 'What answers the query, liked ones first.';
    candidates text(query);
    let pos = positive(all);
    let neg = negative(all);
    score fused * (1 + wilson(pos, pos + neg));
    order score desc;
}
