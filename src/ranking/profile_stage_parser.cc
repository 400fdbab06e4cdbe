#include "ranking/internal/profile_stage_parser.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "ranking/source_text.h"

namespace tidal::ranking {
namespace {

/// By SourceKind.
constexpr std::array<std::string_view, 11> kSourceNames{
    "scan",    "ordered",    "window_top", "recent",     "ann",    "text",
    "follows", "co_engaged", "cohort_top", "collection", "popular"};
constexpr std::string_view kDiversityHint =
    "max_per_creator 2, max_share(category, 60%), min_distinct(category) 3, mmr(0.7, default)";

Result<std::string> name_of(TokenStream& tokens, std::string_view what) {
    if (tokens.peek().kind != TokenKind::kName) return tokens.expected(what);
    return std::string(tokens.take().text);
}

Result<std::uint32_t> whole_number(TokenStream& tokens, std::uint32_t max) {
    const Token token = tokens.peek();
    if (token.kind != TokenKind::kNumber || token.number != std::floor(token.number) ||
        token.number < 1 || token.number > max)
        return tokens.expected("a whole number from 1 to " + std::to_string(max));
    tokens.take();
    return static_cast<std::uint32_t>(token.number);
}

Result<double> number_within(TokenStream& tokens, double least, double most,
                             std::string_view what) {
    const Token token = tokens.peek();
    if (token.kind != TokenKind::kNumber || token.number < least || token.number > most)
        return tokens.expected(what);
    tokens.take();
    return token.number;
}

Result<schema::Window> window_of(TokenStream& tokens) {
    const Token token = tokens.peek();
    const bool word = token.kind == TokenKind::kName || token.kind == TokenKind::kDuration;
    const auto window = word ? schema::window_from_name(token.text) : std::nullopt;
    if (!window) return tokens.expected("a window: 1h 24h 7d 30d 365d all");
    tokens.take();
    return *window;
}

Result<Anchor> anchor_of(TokenStream& tokens, bool of_ann) {
    if (of_ann && tokens.accept_word("vector")) return Anchor::kVector;
    if (tokens.accept_word("user")) return Anchor::kUser;
    if (tokens.accept_word("item")) return Anchor::kItem;
    return tokens.expected(of_ann ? "`vector`, `user` or `item`" : "`user` or `item`");
}

std::optional<Anchor> anchor_named(std::string_view word) {
    if (word == "vector") return Anchor::kVector;
    if (word == "user") return Anchor::kUser;
    if (word == "item") return Anchor::kItem;
    return std::nullopt;
}

Result<void> source_arguments(TokenStream& tokens, Source* out) {
    TIDAL_TRY(tokens.expect_symbol("("));
    switch (out->kind) {
        case SourceKind::kOrdered: {
            TIDAL_ASSIGN(out->name, name_of(tokens, "the name of a signal"));
            break;
        }
        case SourceKind::kWindowTop: {
            TIDAL_ASSIGN(out->name, name_of(tokens, "the name of a signal"));
            TIDAL_TRY(tokens.expect_symbol(","));
            TIDAL_ASSIGN(out->window, window_of(tokens));
            break;
        }
        case SourceKind::kAnn: {
            const Token first = tokens.peek();
            TIDAL_ASSIGN(out->name, name_of(tokens, "the name of an embedding slot"));
            if (tokens.accept_symbol(",")) {
                TIDAL_ASSIGN(out->anchor, anchor_of(tokens, true));
            } else if (const auto anchor = anchor_named(first.text)) {
                // `ann(item)`: in the only slot. A slot of such a name is written with its anchor.
                out->anchor = *anchor;
                out->name.clear();
            }
            break;
        }
        case SourceKind::kCoEngaged: {
            TIDAL_ASSIGN(out->anchor, anchor_of(tokens, false));
            break;
        }
        case SourceKind::kText:
            if (!tokens.accept_word("query")) return tokens.expected("`query`");
            break;
        default: {
            const bool quoted = tokens.peek().kind == TokenKind::kString;
            constexpr std::string_view kWhat = "the name of a collection";
            if (quoted) {
                out->name = unquote(tokens.take());
                if (out->name.empty()) return tokens.expected(kWhat);
            } else {
                TIDAL_ASSIGN(out->name, name_of(tokens, kWhat));
            }
            break;
        }
    }
    return tokens.expect_symbol(")");
}

Result<Source> source(TokenStream& tokens) {
    const Token token = tokens.peek();
    Source out;
    out.offset = token.offset;
    const auto* found = std::ranges::find(kSourceNames, token.text);
    if (token.kind != TokenKind::kName || found == kSourceNames.end())
        return tokens.expected("a source of candidates")
            .with_hint(suggestion(token.text, "sources", kSourceNames));
    tokens.take();
    out.kind = static_cast<SourceKind>(found - kSourceNames.begin());
    switch (out.kind) {
        case SourceKind::kScan:
        case SourceKind::kRecent:
        case SourceKind::kFollows:
        case SourceKind::kCohortTop:
        case SourceKind::kPopular:
            return out;
        default:
            break;
    }
    TIDAL_TRY(source_arguments(tokens, &out));
    return out;
}

Result<void> limit(TokenStream& tokens, Source* source) {
    const auto offset = tokens.peek().offset;
    if (!tokens.accept_word("limit")) return {};
    if (source->kind == SourceKind::kScan)
        return tokens
            .error(ErrorCode::kInvalidArgument, offset,
                   "`scan` gives every entity and has no limit")
            .with_hint("`recent limit 1000` gives the newest");
    TIDAL_ASSIGN(source->limit, whole_number(tokens, kSourceLimitMax));
    return {};
}

Result<Source> member(TokenStream& tokens) {
    TIDAL_ASSIGN(Source out, source(tokens));
    TIDAL_TRY(limit(tokens, &out));
    if (tokens.accept_word("weight")) {
        constexpr double kLeast = 1e-6;
        TIDAL_ASSIGN(out.weight,
                     number_within(tokens, kLeast, kSourceWeightMax, "a weight from 1e-6 to 1000"));
    }
    const auto offset = tokens.peek().offset;
    out.when_cold = tokens.accept_word("when");
    if (!out.when_cold) return out;
    if (!tokens.accept_word("cold")) return tokens.expected("`cold`");
    if (out.kind == SourceKind::kScan)
        return tokens.error(ErrorCode::kInvalidArgument, offset,
                            "`scan` gives every entity, whoever asks");
    return out;
}

Result<void> max_share(TokenStream& tokens, DiversityRule* out) {
    TIDAL_TRY(tokens.expect_symbol("("));
    TIDAL_ASSIGN(out->name, name_of(tokens, "the name of a field"));
    TIDAL_TRY(tokens.expect_symbol(","));
    if (tokens.peek().kind == TokenKind::kString) {
        out->value = unquote(tokens.take());
        TIDAL_TRY(tokens.expect_symbol(","));
    }
    const auto offset = tokens.peek().offset;
    TIDAL_ASSIGN(out->percent, parse_percent(tokens));
    if (out->percent == 0)
        return tokens.error(ErrorCode::kInvalidArgument, offset, "a share is above 0%")
            .with_hint("to leave a value out, `require` or a filter");
    return tokens.expect_symbol(")");
}

Result<void> min_distinct(TokenStream& tokens, DiversityRule* out) {
    TIDAL_TRY(tokens.expect_symbol("("));
    TIDAL_ASSIGN(out->name, name_of(tokens, "the name of a field"));
    TIDAL_TRY(tokens.expect_symbol(")"));
    TIDAL_ASSIGN(out->count, whole_number(tokens, kDiversityCountMax));
    return {};
}

Result<void> mmr(TokenStream& tokens, DiversityRule* out) {
    TIDAL_TRY(tokens.expect_symbol("("));
    TIDAL_ASSIGN(out->lambda, number_within(tokens, 0, 1, "a number from 0 to 1"));
    if (tokens.accept_symbol(",")) {
        TIDAL_ASSIGN(out->name, name_of(tokens, "the name of an embedding slot"));
    }
    return tokens.expect_symbol(")");
}

Result<DiversityRule> rule(TokenStream& tokens) {
    DiversityRule out;
    out.offset = tokens.peek().offset;
    if (tokens.accept_word("max_per_creator")) {
        TIDAL_ASSIGN(out.count, whole_number(tokens, kDiversityCountMax));
    } else if (tokens.accept_word("max_share")) {
        out.kind = DiversityKind::kMaxShare;
        TIDAL_TRY(max_share(tokens, &out));
    } else if (tokens.accept_word("min_distinct")) {
        out.kind = DiversityKind::kMinDistinct;
        TIDAL_TRY(min_distinct(tokens, &out));
    } else if (tokens.accept_word("mmr")) {
        out.kind = DiversityKind::kMmr;
        TIDAL_TRY(mmr(tokens, &out));
    } else {
        return tokens.expected("`max_per_creator`, `max_share`, `min_distinct` or `mmr`")
            .with_hint(kDiversityHint);
    }
    return out;
}

}  // namespace

Result<std::vector<Source>> parse_sources(TokenStream& tokens) {
    std::vector<Source> out;
    if (!tokens.accept_word("union")) {
        TIDAL_ASSIGN(Source only, source(tokens));
        TIDAL_TRY(limit(tokens, &only));
        out.push_back(std::move(only));
        return out;
    }
    TIDAL_TRY(tokens.expect_symbol("("));
    do {
        TIDAL_ASSIGN(Source next, member(tokens));
        if (out.size() == kSourcesMax)
            return tokens.error(ErrorCode::kTooLarge, next.offset, "too many sources")
                .with_hint("at most " + std::to_string(kSourcesMax));
        const auto same = [&](const Source& other) { return other.same_list(next); };
        if (std::ranges::any_of(out, same))
            return tokens.error(ErrorCode::kInvalidArgument, next.offset,
                                "`" + print_source(next) + "` is given twice");
        out.push_back(std::move(next));
    } while (tokens.accept_symbol(","));
    if (out.size() == 1) return tokens.expected("`,` and another source");
    TIDAL_TRY(tokens.expect_symbol(")"));
    return out;
}

Result<double> parse_rank_base(TokenStream& tokens) {
    if (!tokens.accept_word("rank_base")) return kRankBaseDefault;
    return number_within(tokens, 0, kRankBaseMax, "a rank_base from 0 to 10000");
}

Result<std::vector<DiversityRule>> parse_diversity(TokenStream& tokens) {
    std::vector<DiversityRule> out;
    do {
        TIDAL_ASSIGN(DiversityRule next, rule(tokens));
        if (out.size() == kDiversityRulesMax)
            return tokens.error(ErrorCode::kTooLarge, next.offset, "too many rules of diversity")
                .with_hint("at most " + std::to_string(kDiversityRulesMax));
        const auto same = [&](const DiversityRule& other) {
            return other.kind == next.kind && other.name == next.name && other.value == next.value;
        };
        if (std::ranges::any_of(out, same))
            return tokens.error(ErrorCode::kInvalidArgument, next.offset,
                                "the same rule is given twice");
        out.push_back(std::move(next));
    } while (tokens.accept_symbol(","));
    return out;
}

Result<double> parse_percent(TokenStream& tokens) {
    TIDAL_ASSIGN(const double out, number_within(tokens, 0, 100, "a share such as 60%"));
    TIDAL_TRY(tokens.expect_symbol("%"));
    return out;
}

std::string_view source_kind_name(SourceKind kind) {
    return kSourceNames[static_cast<std::size_t>(kind)];
}

}  // namespace tidal::ranking
