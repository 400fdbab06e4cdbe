profile following version 1 {
    about 'What the creators you follow made last.';
    candidates follows;
    order created_at desc;
}
