# Of what goes on so, what people like lately.
profile suggest version 1 {
    about 'What begins as the query does, popular first.';
    candidates text(query);
    score popularity;
    order score desc;
}
