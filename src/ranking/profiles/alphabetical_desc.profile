profile alphabetical_desc version 1 {
    about 'By title, Z to A.';
    candidates scan;
    order title desc;
}
