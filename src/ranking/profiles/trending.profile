profile trending version 1 {
    about 'What many people share and watch today.';
    candidates scan;
    score 0.5 * log1p(sum(share, 24h)) + 0.3 * log1p(sum(view, 24h)) + 0.2 * log1p(unique(view, 24h));
    order score desc;
}
