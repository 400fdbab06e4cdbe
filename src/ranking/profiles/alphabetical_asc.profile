profile alphabetical_asc version 1 {
    about 'By title, A to Z.';
    candidates scan;
    order title asc;
}
