#include "query/sort.h"

#include "query/internal/query_words.h"

namespace tidal::query {
namespace {

template <typename Parse>
auto parse_whole(std::string_view text, std::string_view end, Parse parse)
    -> decltype(parse(std::declval<ranking::TokenStream*>())) {
    if (text.size() > ranking::kTextBytesMax)
        return Error(ErrorCode::kTooLarge, "the text is too long")
            .with_hint("at most " + std::to_string(ranking::kTextBytesMax) + " bytes");
    ranking::TokenStream tokens(text);
    auto out = parse(&tokens);
    if (out.ok() && tokens.peek().kind != ranking::TokenKind::kEnd) return tokens.expected(end);
    return out;
}

}  // namespace

Result<SortRequest> parse_sort_part(ranking::TokenStream* tokens) {
    SortRequest out;
    TIDAL_ASSIGN(out.by, ranking::parse_expression_part(*tokens));
    out.descending = accept_keyword(tokens, "desc");
    if (!out.descending) accept_keyword(tokens, "asc");
    return out;
}

Result<std::vector<ranking::DiversityRule>> parse_rules_part(ranking::TokenStream* tokens) {
    if (accept_keyword(tokens, "none")) return std::vector<ranking::DiversityRule>();
    return ranking::parse_diversity_part(*tokens);
}

Result<SortRequest> parse_sort(std::string_view text) {
    return parse_whole(text, "ASC, DESC or the end", parse_sort_part);
}

std::string print_sort(const SortRequest& sort) {
    return ranking::print_expression(sort.by) + (sort.descending ? " DESC" : " ASC");
}

Result<std::vector<ranking::DiversityRule>> parse_diversity_text(std::string_view text) {
    return parse_whole(text, "`,` or the end", parse_rules_part);
}

std::string print_diversity(const std::vector<ranking::DiversityRule>& rules) {
    if (rules.empty()) return "NONE";
    std::string out;
    for (const ranking::DiversityRule& rule : rules)
        out += (out.empty() ? "" : ", ") + ranking::print_diversity_rule(rule);
    return out;
}

}  // namespace tidal::query
