profile new version 1 {
    about 'The newest first.';
    candidates scan;
    order created_at desc;
}
