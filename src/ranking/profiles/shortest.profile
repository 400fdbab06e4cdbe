profile shortest version 1 {
    about 'The shortest first.';
    candidates scan;
    order duration asc;
}
