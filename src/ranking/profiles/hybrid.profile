# Words and vector decide together, by the places they give (reciprocal rank fusion).
profile hybrid version 1 {
    about 'What answers the query or lies near to the vector, liked ones first.';
    candidates union(text(query), ann(default, vector));
    let pos = positive(all);
    let neg = negative(all);
    score fused * (1 + wilson(pos, pos + neg));
    order score desc;
}
