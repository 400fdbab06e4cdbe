#include <algorithm>
#include <array>
#include <charconv>

#include "query/internal/query_words.h"

namespace tidal::query {
namespace {

constexpr std::array<std::string_view, 28> kQueryWords{
    "retrieve", "search", "suggest", "items",     "using",  "with",   "for",
    "user",     "where",  "exclude", "seed",      "facets", "ranges", "top",
    "limit",    "after",  "explain", "group",     "order",  "by",     "asc",
    "desc",     "pin",    "bury",    "diversify", "none",   "fields", "log"};

}  // namespace

bool at_keyword(const ranking::TokenStream& tokens, std::string_view word) {
    return tokens.peek().kind == ranking::TokenKind::kName && lower(tokens.peek().text) == word;
}

bool accept_keyword(ranking::TokenStream* tokens, std::string_view word) {
    if (!at_keyword(*tokens, word)) return false;
    tokens->take();
    return true;
}

bool is_query_word(std::string_view text) {
    return is_filter_word(text) || std::ranges::find(kQueryWords, lower(text)) != kQueryWords.end();
}

std::string print_query_name(std::string_view name) {
    return is_query_word(name) ? ranking::quote(name, '"') : print_filter_name(name);
}

Result<std::string> take_name(ranking::TokenStream* tokens, std::string_view what) {
    const ranking::Token token = tokens->peek();
    if (token.kind == ranking::TokenKind::kQuotedName) {
        tokens->take();
        return ranking::unquote(token);
    }
    if (token.kind != ranking::TokenKind::kName) return tokens->expected(what);
    tokens->take();
    return std::string(token.text);
}

Result<std::uint64_t> take_whole_number(ranking::TokenStream* tokens, std::uint64_t least,
                                        std::uint64_t most) {
    const ranking::Token token = tokens->peek();
    const std::string right =
        "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
    if (token.kind != ranking::TokenKind::kNumber) return tokens->expected(right);
    std::uint64_t out = 0;
    const char* const end = token.text.data() + token.text.size();
    const auto parsed = std::from_chars(token.text.data(), end, out);
    if (parsed.ec != std::errc() || parsed.ptr != end || out < least || out > most)
        return tokens->error(ErrorCode::kInvalidArgument, token.offset,
                             "`" + std::string(token.text) + "` is not " + right);
    tokens->take();
    return out;
}

}  // namespace tidal::query
