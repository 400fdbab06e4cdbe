profile live_viewers version 1 {
    about 'The most people watching now.';
    candidates scan;
    order live_viewers desc;
}
