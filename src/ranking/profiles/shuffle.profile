# The same seed gives the same order; another seed another one.
profile shuffle version 1 {
    about 'A random order that favours quality.';
    candidates scan;
    let pos = positive(all);
    let neg = negative(all);
    let quality = wilson(pos, pos + neg);
    score random(seed) * sqrt(quality);
    order score desc;
}
