profile longest version 1 {
    about 'The longest first.';
    candidates scan;
    order duration desc;
}
