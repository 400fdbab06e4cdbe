profile related version 1 {
    about 'Close to this item, or liked together with it.';
    candidates union(ann(default, item), co_engaged(item));
    score fused;
    order score desc;
}
