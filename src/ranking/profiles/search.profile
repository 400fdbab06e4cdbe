# Where text and vector agree, signals decide.
profile search version 1 {
    about 'What answers the query, liked ones first.';
    candidates union(text(query), ann(default, vector));
    let pos = positive(all);
    let neg = negative(all);
    score fused * (1 + wilson(pos, pos + neg));
    order score desc;
}
