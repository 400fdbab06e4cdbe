#include <algorithm>
#include <utility>

#include "query/facets.h"
#include "query/internal/query_words.h"

namespace tidal::query {

using ranking::Token;
using ranking::TokenKind;

Result<FacetRequest> parse_facet(ranking::TokenStream* tokens) {
    FacetRequest out;
    out.offset = tokens->peek().offset;
    TIDAL_ASSIGN(out.field, take_name(tokens, "the name of a field"));
    if (accept_keyword(tokens, "ranges")) {
        TIDAL_TRY(tokens->expect_symbol("("));
        do {
            if (out.edges.size() == kFacetEdgesMax)
                return tokens->error(ErrorCode::kTooLarge, tokens->peek().offset, "too many ranges")
                    .with_hint("at most " + std::to_string(kFacetEdgesMax) + " edges");
            TIDAL_ASSIGN(Literal edge, parse_value_part(tokens));
            out.edges.push_back(std::move(edge));
        } while (tokens->accept_symbol(","));
        if (!tokens->accept_symbol(")")) return tokens->expected("`,` or `)`");
    }
    if (accept_keyword(tokens, "top")) {
        TIDAL_ASSIGN(const std::uint64_t top, take_whole_number(tokens, 1, kFacetValuesMax));
        out.top = static_cast<std::uint32_t>(top);
    }
    return out;
}

Result<std::vector<FacetRequest>> parse_facets_part(ranking::TokenStream* tokens) {
    std::vector<FacetRequest> out;
    do {
        TIDAL_ASSIGN(FacetRequest next, parse_facet(tokens));
        if (out.size() == kFacetsMax)
            return tokens->error(ErrorCode::kTooLarge, next.offset, "too many facets")
                .with_hint("at most " + std::to_string(kFacetsMax));
        if (std::ranges::find(out, next.field, &FacetRequest::field) != out.end())
            return tokens->error(ErrorCode::kInvalidArgument, next.offset,
                                 "the facet `" + next.field + "` is given twice");
        out.push_back(std::move(next));
    } while (tokens->accept_symbol(","));
    return out;
}

Result<std::vector<FacetRequest>> parse_facets(std::string_view text) {
    if (text.size() > ranking::kTextBytesMax)
        return Error(ErrorCode::kTooLarge, "the facets are too long")
            .with_hint("at most " + std::to_string(ranking::kTextBytesMax) + " bytes");
    ranking::TokenStream tokens(text);
    TIDAL_ASSIGN(auto out, parse_facets_part(&tokens));
    if (tokens.peek().kind != TokenKind::kEnd)
        return tokens.expected("`,`, RANGES, TOP or the end");
    return out;
}

std::string print_facets(std::span<const FacetRequest> facets) {
    std::string out;
    for (const FacetRequest& facet : facets) {
        out += (out.empty() ? "" : ", ") + print_query_name(facet.field);
        if (!facet.edges.empty()) {
            out += " RANGES (";
            for (std::size_t i = 0; i < facet.edges.size(); ++i)
                out += (i > 0 ? ", " : "") + print_literal(facet.edges[i]);
            out += ")";
        }
        if (facet.top != kFacetValuesDefault) out += " TOP " + std::to_string(facet.top);
    }
    return out;
}

}  // namespace tidal::query
