profile cohort_trending version 1 {
    about 'What many users of a cohort share and watch today.';
    candidates cohort_top;
    score 0.5 * log1p(cohort(sum(share, 24h))) + 0.3 * log1p(cohort(sum(view, 24h)))
        + 0.2 * log1p(cohort(unique(view, 24h)));
    order score desc;
}
