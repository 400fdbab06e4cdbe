profile controversial version 1 {
    about 'Many signals, about as many for as against.';
    candidates scan;
    let pos = positive(all);
    let neg = negative(all);
    score if(min(pos, neg) <= 0, 0, (pos + neg)^(min(pos, neg) / max(pos, neg)));
    order score desc;
}
