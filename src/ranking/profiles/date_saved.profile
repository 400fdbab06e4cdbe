profile date_saved version 1 {
    about 'The latest saved first.';
    candidates scan;
    order date_saved desc;
}
