# One half of `related`: what is like it, whoever liked it.
profile similar version 1 {
    about 'Close to this item by its vector.';
    candidates ann(item);
    score similarity;
    order score desc;
}
