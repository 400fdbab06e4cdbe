#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "query/filter.h"
#include "query/internal/filter_words.h"
#include "ranking/expression.h"
#include "schema/duration.h"

namespace tidal::query {
namespace {

using ranking::Token;
using ranking::TokenKind;
using ranking::TokenStream;

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
///   condition := created_within DURATION | STATE | friends_engaged [ ( SIGNAL ) ]
///              | near ( [FIELD ,] number , number , number ) | in_collection ( STRING )
///              | ann ( SLOT [, vector | user | item] ) | mmr ( NUMBER [, SLOT] )
///              | similarity ( SLOT ) and what may follow a FIELD
///              | FIELD (= | != | < | <= | > | >=) value
///              | FIELD [NOT] IN ( value { , value } )
///              | FIELD [NOT] BETWEEN value AND value
///              | FIELD [NOT] LIKE STRING | FIELD IS [NOT] NULL | FIELD HAS value
///   value     := STRING | [-] NUMBER | TRUE | FALSE | DURATION
class FilterParser {
public:
    explicit FilterParser(TokenStream* tokens) : tokens_(*tokens) {}

    Result<FilterNode> parse() { return any(); }
    Result<Literal> parse_value() {
        FilterNode holder;
        TIDAL_TRY(value(&holder));
        return std::move(holder.values[0]);
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
            return test_of(std::move(out));
        }
        if (token.kind == TokenKind::kName && !is_filter_word(token.text)) {
            out.field = tokens_.take().text;
            if (out.field == kFriendsEngaged && !comparison_of(tokens_.peek()))
                return friends(std::move(out));
            if (tokens_.at_symbol("(")) return call(std::move(out));
            return test_of(std::move(out));
        }
        return tokens_.expected("a field, a state of the user, NOT or `(`");
    }

    Result<FilterNode> friends(FilterNode out) {
        out.field.clear();
        out.test = Test::kFriendsEngaged;
        if (!tokens_.accept_symbol("(")) return out;
        const Token signal = tokens_.peek();
        if (signal.kind != TokenKind::kName && signal.kind != TokenKind::kQuotedName)
            return tokens_.expected("the name of a signal");
        TIDAL_TRY(count(signal.offset));
        out.values.push_back({.kind = Literal::Kind::kString,
                              .text = signal.kind == TokenKind::kName ? std::string(signal.text)
                                                                      : ranking::unquote(signal),
                              .number = 0,
                              .offset = signal.offset});
        tokens_.take();
        TIDAL_TRY(tokens_.expect_symbol(")"));
        return out;
    }

    /// near(...) and the like, behind the name.
    Result<FilterNode> call(FilterNode out) {
        constexpr std::string_view kCalls[] = {"near",       "in_collection", "friends_engaged",
                                               "similarity", "ann",           "mmr"};
        const std::string name = lower(out.field);
        if (name == "similarity") return similarity(std::move(out));
        if (std::ranges::find(kCalls, name) == std::end(kCalls) || name == kFriendsEngaged)
            return tokens_
                .error(ErrorCode::kUnknownName, out.offset,
                       "unknown condition `" + out.field + "(...)`")
                .with_hint(ranking::suggestion(name, "conditions", kCalls))
                .with_reason("unknown_condition");
        out.field.clear();
        tokens_.take();
        if (name == "in_collection") {
            out.test = Test::kInCollection;
            if (tokens_.peek().kind != TokenKind::kString)
                return tokens_.expected("the name of a collection in single quotes");
            TIDAL_TRY(value(&out));
        } else if (name == "ann") {
            TIDAL_TRY(ann(&out));
        } else if (name == "mmr") {
            TIDAL_TRY(mmr(&out));
        } else if (auto read = near(&out); !read.ok()) {
            return read.take_error().with_hint(kNearForm);
        }
        if (tokens_.accept_symbol(")")) return out;
        Error open = tokens_.expected("`)`");
        return name == "near" ? std::move(open).with_hint(kNearForm) : open;
    }

    Result<void> slot(FilterNode* out) {
        const Token token = tokens_.peek();
        if (token.kind != TokenKind::kName && token.kind != TokenKind::kQuotedName)
            return tokens_.expected("the name of an embedding slot");
        out->field =
            token.kind == TokenKind::kName ? std::string(token.text) : ranking::unquote(token);
        tokens_.take();
        return {};
    }

    Result<FilterNode> similarity(FilterNode out) {
        tokens_.take();
        TIDAL_TRY(slot(&out));
        TIDAL_TRY(tokens_.expect_symbol(")"));
        out.similarity = true;
        if (!comparison_of(tokens_.peek()) && !at("between") && !at("not"))
            return tokens_.expected("a comparison or BETWEEN");
        return test_of(std::move(out));
    }

    Result<void> ann(FilterNode* out) {
        out->test = Test::kAnn;
        TIDAL_TRY(slot(out));
        Literal anchor{.kind = Literal::Kind::kString, .text = "vector", .number = 0, .offset = 0};
        if (tokens_.accept_symbol(",")) {
            if (!at("vector") && !at("user") && !at("item"))
                return tokens_.expected("vector, user or item");
            anchor.offset = tokens_.peek().offset;
            anchor.text = lower(tokens_.take().text);
        }
        TIDAL_TRY(count(out->offset));
        out->values.push_back(std::move(anchor));
        return {};
    }

    Result<void> mmr(FilterNode* out) {
        out->test = Test::kMmr;
        if (tokens_.peek().kind != TokenKind::kNumber)
            return tokens_.expected("a number from 0 to 1");
        TIDAL_TRY(value(out));
        if (tokens_.accept_symbol(",")) TIDAL_TRY(slot(out));
        return {};
    }

    static constexpr std::string_view kNearForm = "near(field, latitude, longitude, kilometres)";

    Result<void> near(FilterNode* out) {
        out->test = Test::kNear;
        const Token first = tokens_.peek();
        if (first.kind == TokenKind::kName || first.kind == TokenKind::kQuotedName) {
            out->field =
                first.kind == TokenKind::kName ? std::string(first.text) : ranking::unquote(first);
            tokens_.take();
            TIDAL_TRY(tokens_.expect_symbol(","));
        }
        for (const std::string_view what : {"a latitude", "a longitude", "kilometres"}) {
            if (!out->values.empty()) TIDAL_TRY(tokens_.expect_symbol(","));
            if (tokens_.peek().kind != TokenKind::kNumber && !tokens_.at_symbol("-"))
                return tokens_.expected(what);
            TIDAL_TRY(value(out));
        }
        return {};
    }

    /// Whether a condition may end here: what stands before is a state, not a field.
    bool at_end_of_condition() const {
        const Token& token = tokens_.peek();
        return token.kind == TokenKind::kEnd || tokens_.at_symbol(")") || tokens_.at_symbol(";") ||
               (token.kind == TokenKind::kName && !at("in") && !at("is") && !at("has") &&
                !at("not") && !at("between") && !at("like"));
    }

    Result<FilterNode> test_of(FilterNode out) {
        if (const auto comparison = comparison_of(tokens_.peek())) {
            const Token token = tokens_.take();
            if (*comparison == Test::kLess && tokens_.at_symbol(">"))
                return tokens_
                    .error(ErrorCode::kInvalidArgument, token.offset, "`<>` compares nothing")
                    .with_hint("`!=` is not equal")
                    .with_reason("syntax_error");
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
        if (at_end_of_condition()) {
            out.test = Test::kState;
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

    TokenStream& tokens_;
    std::uint32_t depth_ = 0;
    std::uint32_t nodes_ = 0;
};

}  // namespace

Result<Literal> parse_value_part(TokenStream* tokens) {
    return FilterParser(tokens).parse_value();
}

Result<FilterNode> parse_filter_part(TokenStream* tokens) {
    return FilterParser(tokens).parse();
}

Result<FilterNode> parse_filter(std::string_view text) {
    if (text.size() > ranking::kTextBytesMax)
        return Error(ErrorCode::kTooLarge, "the filter is too long")
            .with("bytes", text.size())
            .with_hint("at most " + std::to_string(ranking::kTextBytesMax) + " bytes")
            .with_reason("filter_too_large");
    TokenStream tokens(text);
    TIDAL_ASSIGN(FilterNode out, parse_filter_part(&tokens));
    if (tokens.peek().kind != TokenKind::kEnd) return tokens.expected("AND, OR or the end");
    return out;
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

}  // namespace tidal::query
