# `trending` on the cohort's own ledgers, but for its term 0.2 * log1p(unique(view, 24h)): of cohorts no
# distinct users are kept (docs/decisions/0059-exploration-and-cold-start.md).
profile cohort_trending version 1 {
    about 'What users of a cohort share and watch today.';
    candidates cohort_top;
    score 0.5 * log1p(cohort(sum(share, 24h))) + 0.3 * log1p(cohort(sum(view, 24h)));
    order score desc;
}
