profile old version 1 {
    about 'The oldest first.';
    candidates scan;
    order created_at asc;
}
