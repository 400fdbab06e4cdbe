#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "query/filter.h"
#include "ranking/expression.h"
#include "ranking/token_stream.h"
#include "schema/duration.h"

namespace tidal::query {
namespace {

using ranking::Token;
using ranking::TokenKind;
using ranking::TokenStream;

/// Words of the language, in any case; a field of such a name is written in double quotes.
constexpr std::array<std::string_view, 12> kWords{"and",     "or",   "not",   "in",
                                                  "between", "like", "is",    "null",
                                                  "has",     "true", "false", "created_within"};

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

bool is_word(std::string_view text) {
    return std::ranges::find(kWords, lower(text)) != kWords.end();
}

bool is_plain_name(std::string_view text) {
    TokenStream tokens(text);
    const Token token = tokens.take();
    return token.kind == TokenKind::kName && token.text == text && !is_word(text);
}

std::optional<Test> comparison_of(const Token& token) {
    if (token.kind != TokenKind::kSymbol) return std::nullopt;
    if (token.text == "=" || token.text == "==") return Test::kEqual;
    if (token.text == "!=") return Test::kNotEqual;
    if (token.text == "<") return Test::kLess;
    if (token.text == "<=") return Test::kLessEqual;
    if (token.text == ">") return Test::kGreater;
    if (token.text == ">=") return Test::kGreaterEqual;
    return std::nullopt;
}

///   filter    := all { OR all }
///   all       := one { AND one }
///   one       := NOT one | ( filter ) | condition
///   condition := created_within DURATION
///              | FIELD (= | != | < | <= | > | >=) value
///              | FIELD [NOT] IN ( value { , value } )
///              | FIELD [NOT] BETWEEN value AND value
///              | FIELD [NOT] LIKE STRING | FIELD IS [NOT] NULL | FIELD HAS value
///   value     := STRING | [-] NUMBER | TRUE | FALSE | DURATION
class FilterParser {
public:
    explicit FilterParser(std::string_view text) : tokens_(text) {}

    Result<FilterNode> parse() {
        TIDAL_ASSIGN(FilterNode out, any());
        if (tokens_.peek().kind != TokenKind::kEnd) return tokens_.expected("AND, OR or the end");
        return out;
    }

private:
    bool at(std::string_view word) const {
        return tokens_.peek().kind == TokenKind::kName && lower(tokens_.peek().text) == word;
    }
    bool accept(std::string_view word) {
        if (!at(word)) return false;
        tokens_.take();
        return true;
    }

    Result<void> enter() {
        if (++depth_ <= ranking::kDepthMax) return {};
        return tokens_
            .error(ErrorCode::kTooLarge, tokens_.peek().offset, "the filter is nested too deeply")
            .with_hint("at most " + std::to_string(ranking::kDepthMax) + " levels")
            .with_reason("filter_too_deep");
    }

    Result<void> count(std::uint32_t offset) {
        if (++nodes_ <= kFilterNodesMax) return {};
        return tokens_.error(ErrorCode::kTooLarge, offset, "the filter has too many parts")
            .with_hint("at most " + std::to_string(kFilterNodesMax) + " conditions and values")
            .with_reason("filter_too_large");
    }

    /// A chain of one operator is one node, so that its length does not deepen the tree.
    template <typename Part>
    Result<FilterNode> chain(std::string_view word, FilterNode::Kind kind, Part part) {
        TIDAL_ASSIGN(FilterNode first, part());
        if (!at(word)) return first;
        FilterNode out;
        out.kind = kind;
        out.offset = tokens_.peek().offset;
        TIDAL_TRY(count(out.offset));
        out.children.push_back(std::move(first));
        while (accept(word)) {
            TIDAL_ASSIGN(FilterNode next, part());
            out.children.push_back(std::move(next));
        }
        return out;
    }

    Result<FilterNode> any() {
        TIDAL_TRY(enter());
        auto out = chain("or", FilterNode::Kind::kOr, [&] { return all(); });
        --depth_;
        return out;
    }

    Result<FilterNode> all() {
        return chain("and", FilterNode::Kind::kAnd, [&] { return one(); });
    }

    Result<FilterNode> one() {
        if (at("not")) {
            TIDAL_TRY(enter());
            FilterNode out;
            out.kind = FilterNode::Kind::kNot;
            out.offset = tokens_.take().offset;
            TIDAL_TRY(count(out.offset));
            TIDAL_ASSIGN(FilterNode inner, one());
            out.children.push_back(std::move(inner));
            --depth_;
            return out;
        }
        if (tokens_.accept_symbol("(")) {
            TIDAL_ASSIGN(FilterNode out, any());
            TIDAL_TRY(tokens_.expect_symbol(")"));
            return out;
        }
        return condition();
    }

    Result<FilterNode> condition() {
        const Token token = tokens_.peek();
        FilterNode out;
        out.offset = token.offset;
        TIDAL_TRY(count(out.offset));
        if (accept("created_within")) {
            out.test = Test::kCreatedWithin;
            if (tokens_.peek().kind != TokenKind::kDuration)
                return tokens_.expected("a duration such as 7d");
            TIDAL_TRY(value(&out));
            return out;
        }
        if (token.kind == TokenKind::kQuotedName) {
            out.field = ranking::unquote(tokens_.take());
        } else if (token.kind == TokenKind::kName && !is_word(token.text)) {
            out.field = tokens_.take().text;
        } else {
            return tokens_.expected("a field, NOT or `(`");
        }
        return test_of(std::move(out));
    }

    Result<FilterNode> test_of(FilterNode out) {
        if (const auto comparison = comparison_of(tokens_.peek())) {
            tokens_.take();
            out.test = *comparison;
            TIDAL_TRY(value(&out));
            return out;
        }
        if (accept("is")) {
            const bool negated = accept("not");
            if (!accept("null")) return tokens_.expected(negated ? "NULL" : "NULL or NOT NULL");
            out.test = Test::kIsNull;
            return negated ? negate(std::move(out)) : std::move(out);
        }
        if (accept("has")) {
            out.test = Test::kHas;
            TIDAL_TRY(value(&out));
            return out;
        }
        const bool negated = accept("not");
        if (accept("in")) {
            TIDAL_TRY(list(&out));
        } else if (accept("between")) {
            out.test = Test::kBetween;
            TIDAL_TRY(value(&out));
            if (!accept("and")) return tokens_.expected("AND");
            TIDAL_TRY(value(&out));
        } else if (accept("like")) {
            TIDAL_TRY(pattern(&out));
        } else {
            return tokens_.expected(negated ? "IN, BETWEEN or LIKE"
                                            : "a comparison, IN, BETWEEN, LIKE, HAS or IS");
        }
        return negated ? negate(std::move(out)) : std::move(out);
    }

    Result<FilterNode> negate(FilterNode inner) {
        TIDAL_TRY(count(inner.offset));
        FilterNode out;
        out.kind = FilterNode::Kind::kNot;
        out.offset = inner.offset;
        out.children.push_back(std::move(inner));
        return out;
    }

    Result<void> list(FilterNode* out) {
        out->test = Test::kIn;
        TIDAL_TRY(tokens_.expect_symbol("("));
        do {
            TIDAL_TRY(value(out));
        } while (tokens_.accept_symbol(","));
        if (!tokens_.accept_symbol(")")) return tokens_.expected("`,` or `)`");
        return {};
    }

    Result<void> pattern(FilterNode* out) {
        out->test = Test::kLike;
        const Token token = tokens_.peek();
        if (token.kind != TokenKind::kString) return tokens_.expected("a pattern such as 'jazz%'");
        TIDAL_TRY(value(out));
        if (like_prefix(out->values[0].text)) return {};
        return tokens_
            .error(ErrorCode::kInvalidArgument, token.offset,
                   "a pattern is a beginning and one `%` at its end")
            .with_hint("for example LIKE 'jazz%'; a literal % or _ is written \\% or \\_");
    }

    Result<void> value(FilterNode* out) {
        const Token first = tokens_.peek();
        Literal literal;
        literal.offset = first.offset;
        TIDAL_TRY(count(first.offset));
        const bool minus = tokens_.accept_symbol("-");
        const Token token = tokens_.peek();
        if (token.kind == TokenKind::kNumber) {
            TIDAL_TRY(number(token, minus, &literal));
        } else if (minus) {
            return tokens_.expected("a number");
        } else if (token.kind == TokenKind::kString) {
            literal.text = ranking::unquote(token);
        } else if (token.kind == TokenKind::kDuration) {
            auto duration = schema::parse_duration_ms(token.text);
            if (!duration)
                return tokens_
                    .error(ErrorCode::kInvalidArgument, token.offset,
                           "`" + std::string(token.text) + "` is not a duration")
                    .with_hint("a whole number and one of ms s m h d w, as in 7d");
            literal.kind = Literal::Kind::kDuration;
            literal.text = token.text;
            literal.number = static_cast<double>(*duration);
        } else if (at("true") || at("false")) {
            literal.kind = Literal::Kind::kBool;
            literal.text = lower(token.text);
            literal.number = at("true") ? 1 : 0;
        } else {
            return tokens_.expected("a value ('text', a number, TRUE, FALSE or a duration)");
        }
        tokens_.take();
        out->values.push_back(std::move(literal));
        return {};
    }

    Result<void> number(const Token& token, bool minus, Literal* out) {
        if (!std::isfinite(token.number))
            return tokens_.error(ErrorCode::kInvalidArgument, token.offset, "number out of range");
        out->kind = Literal::Kind::kNumber;
        out->number = minus ? -token.number : token.number;
        out->text = (minus ? "-" : "") + std::string(token.text);
        return {};
    }

    TokenStream tokens_;
    std::uint32_t depth_ = 0;
    std::uint32_t nodes_ = 0;
};

std::string print_value(const Literal& value) {
    if (value.kind == Literal::Kind::kString) return ranking::quote(value.text, '\'');
    if (value.kind == Literal::Kind::kBool) return value.number != 0 ? "TRUE" : "FALSE";
    return value.text;
}

std::string print_test(const FilterNode& node, bool negated) {
    constexpr std::string_view kComparisons[] = {"=", "!=", "<", "<=", ">", ">="};
    if (node.test == Test::kCreatedWithin) return "created_within " + print_value(node.values[0]);
    std::string out = is_plain_name(node.field) ? node.field : ranking::quote(node.field, '"');
    const std::string maybe_not = negated ? " NOT" : "";
    switch (node.test) {
        case Test::kIsNull:
            return out + " IS" + maybe_not + " NULL";
        case Test::kHas:
            return out + " HAS " + print_value(node.values[0]);
        case Test::kLike:
            return out + maybe_not + " LIKE " + print_value(node.values[0]);
        case Test::kBetween:
            return out + maybe_not + " BETWEEN " + print_value(node.values[0]) + " AND " +
                   print_value(node.values[1]);
        case Test::kIn:
            out += maybe_not + " IN (";
            for (std::size_t i = 0; i < node.values.size(); ++i)
                out += (i > 0 ? ", " : "") + print_value(node.values[i]);
            return out + ")";
        default:
            return out + " " + std::string(kComparisons[static_cast<std::size_t>(node.test)]) +
                   " " + print_value(node.values[0]);
    }
}

bool has_inner_not(const FilterNode& node) {
    return node.kind == FilterNode::Kind::kTest &&
           (node.test == Test::kIsNull || node.test == Test::kLike || node.test == Test::kBetween ||
            node.test == Test::kIn);
}

std::string print_node(const FilterNode& node) {
    if (node.kind == FilterNode::Kind::kTest) return print_test(node, false);
    if (node.kind == FilterNode::Kind::kNot) {
        const FilterNode& inner = node.children[0];
        if (has_inner_not(inner)) return print_test(inner, true);
        const bool wrapped =
            inner.kind == FilterNode::Kind::kAnd || inner.kind == FilterNode::Kind::kOr;
        return wrapped ? "NOT (" + print_node(inner) + ")" : "NOT " + print_node(inner);
    }
    const bool conjunction = node.kind == FilterNode::Kind::kAnd;
    std::string out;
    for (const FilterNode& child : node.children) {
        if (!out.empty()) out += conjunction ? " AND " : " OR ";
        // A nested chain of the same operator keeps its parentheses: they are part of the tree.
        const bool wrapped = child.kind == FilterNode::Kind::kOr || child.kind == node.kind;
        out += wrapped ? "(" + print_node(child) + ")" : print_node(child);
    }
    return out;
}

}  // namespace

Result<FilterNode> parse_filter(std::string_view text) {
    if (text.size() > ranking::kTextBytesMax)
        return Error(ErrorCode::kTooLarge, "the filter is too long")
            .with("bytes", text.size())
            .with_hint("at most " + std::to_string(ranking::kTextBytesMax) + " bytes")
            .with_reason("filter_too_large");
    return FilterParser(text).parse();
}

std::optional<std::string> like_prefix(std::string_view pattern) {
    std::string out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '%') {
            if (i + 1 == pattern.size()) return out;
            return std::nullopt;
        }
        if (pattern[i] == '_') return std::nullopt;
        if (pattern[i] == '\\' && ++i == pattern.size()) return std::nullopt;
        out += pattern[i];
    }
    return std::nullopt;
}

std::string print_filter(const FilterNode& filter) {
    return print_node(filter);
}

}  // namespace tidal::query
