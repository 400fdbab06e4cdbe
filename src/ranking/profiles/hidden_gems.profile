profile hidden_gems version 1 {
    about 'Well liked by the few who saw it.';
    candidates scan;
    let pos = positive(all);
    let neg = negative(all);
    let quality = wilson(pos, pos + neg);
    let views = sum(view, all);
    score quality / log10(views + 10);
    order score desc;
}
