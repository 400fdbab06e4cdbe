# Each by rank. What has no vector, or whose schema has none, is related by what is liked together.
profile related version 1 {
    about 'Close to this item, or liked together with it.';
    candidates union(ann(item), co_engaged(item));
    score fused;
    order score desc;
}
