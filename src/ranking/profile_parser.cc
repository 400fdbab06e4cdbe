#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "ranking/internal/expression_parser.h"
#include "ranking/internal/functions.h"
#include "ranking/profile.h"

namespace tidal::ranking {
namespace {

constexpr double kVersionMax = 1e9;

///   profile   := profile NAME version NUMBER { { statement ; } }
///   statement := about STRING | candidates scan | param NAME = [-] NUMBER
///              | let NAME = expression | score expression | order (score | NAME) [asc | desc]
class ProfileParser {
public:
    explicit ProfileParser(std::string_view text) : tokens_(text) {}

    Result<Profile> parse() {
        out_.text = tokens_.source();
        TIDAL_TRY(header());
        while (!tokens_.at_symbol("}")) {
            TIDAL_TRY(statement());
            TIDAL_TRY(tokens_.expect_symbol(";"));
        }
        const Token close = tokens_.take();
        if (tokens_.peek().kind != TokenKind::kEnd) return tokens_.expected("the end of the text");
        if (has_score_ == out_.order.by_field)
            return tokens_
                .error(ErrorCode::kInvalidArgument, close.offset,
                       "a profile has either `score` or an `order` by a field")
                .with_hint("for example `score sum(view, 24h);` or `order created_at desc;`");
        return std::move(out_);
    }

private:
    Result<std::string> name(std::string_view what) {
        if (tokens_.peek().kind != TokenKind::kName) return tokens_.expected(what);
        return std::string(tokens_.take().text);
    }

    Result<void> word(std::string_view wanted) {
        if (tokens_.accept_word(wanted)) return {};
        return tokens_.expected("`" + std::string(wanted) + "`");
    }

    Result<double> number(std::string_view what) {
        const bool minus = tokens_.accept_symbol("-");
        const Token token = tokens_.peek();
        if (token.kind != TokenKind::kNumber || token.number > kMagnitudeMax)
            return tokens_.expected(what);
        tokens_.take();
        return minus ? -token.number : token.number;
    }

    Result<void> header() {
        TIDAL_TRY(word("profile"));
        TIDAL_ASSIGN(out_.name, name("the name of the profile"));
        TIDAL_TRY(word("version"));
        const auto offset = tokens_.peek().offset;
        TIDAL_ASSIGN(const double version, number("the number of the version"));
        if (version < 1 || version > kVersionMax || version != std::floor(version))
            return tokens_.error(ErrorCode::kInvalidArgument, offset,
                                 "a version is a whole number from 1 to 1000000000");
        out_.version = static_cast<std::uint32_t>(version);
        return tokens_.expect_symbol("{");
    }

    Result<void> statement() {
        const Token keyword = tokens_.peek();
        if (tokens_.accept_word("param")) return param();
        if (tokens_.accept_word("let")) return definition();
        if (tokens_.accept_word("about")) {
            TIDAL_TRY(once(keyword, &has_about_));
            if (tokens_.peek().kind != TokenKind::kString)
                return tokens_.expected("a text in single quotes");
            out_.about = unquote(tokens_.take());
            return {};
        }
        if (tokens_.accept_word("candidates")) {
            TIDAL_TRY(once(keyword, &has_candidates_));
            return word("scan");
        }
        if (tokens_.accept_word("score")) {
            TIDAL_TRY(once(keyword, &has_score_));
            TIDAL_ASSIGN(out_.score, ExpressionParser(tokens_, nodes_).parse());
            return {};
        }
        if (tokens_.accept_word("order")) {
            TIDAL_TRY(once(keyword, &has_order_));
            return order();
        }
        return tokens_.expected("`about`, `candidates`, `param`, `let`, `score`, `order` or `}`");
    }

    Result<void> once(const Token& keyword, bool* seen) {
        if (!std::exchange(*seen, true)) return {};
        return tokens_.error(ErrorCode::kInvalidArgument, keyword.offset,
                             "`" + std::string(keyword.text) + "` is given twice");
    }

    Result<void> param() {
        const auto offset = tokens_.peek().offset;
        TIDAL_ASSIGN(auto param_name, name("the name of the parameter"));
        TIDAL_TRY(tokens_.expect_symbol("="));
        TIDAL_ASSIGN(const double value, number("a number"));
        for (const auto& other : out_.params)
            if (other.name == param_name) return repeated(offset, param_name);
        out_.params.push_back({std::move(param_name), value});
        return {};
    }

    Result<void> definition() {
        const auto offset = tokens_.peek().offset;
        TIDAL_ASSIGN(auto defined, name("the name of the definition"));
        TIDAL_TRY(tokens_.expect_symbol("="));
        TIDAL_ASSIGN(Expr value, ExpressionParser(tokens_, nodes_).parse());
        for (const auto& other : out_.definitions)
            if (other.name == defined) return repeated(offset, defined);
        if (find_function(defined) != nullptr)
            return tokens_
                .error(ErrorCode::kInvalidArgument, offset,
                       "`" + defined + "` is a word of the language")
                .with_hint("choose another name");
        out_.definitions.push_back({std::move(defined), std::move(value)});
        return {};
    }

    Error repeated(std::uint32_t offset, const std::string& what) {
        return tokens_.error(ErrorCode::kInvalidArgument, offset,
                             "`" + what + "` is already defined");
    }

    Result<void> order() {
        const auto offset = tokens_.peek().offset;
        TIDAL_ASSIGN(auto by, name("`score` or the name of a field"));
        out_.order.by_field = by != "score";
        if (out_.order.by_field) {
            out_.score = Expr{};
            out_.score.kind = ExprKind::kName;
            out_.score.name = std::move(by);
            out_.score.offset = offset;
        }
        if (tokens_.accept_word("asc")) {
            out_.order.descending = false;
        } else {
            tokens_.accept_word("desc");
        }
        return {};
    }

    TokenStream tokens_;
    Profile out_;
    std::uint32_t nodes_ = 0;
    bool has_about_ = false, has_candidates_ = false, has_score_ = false, has_order_ = false;
};

}  // namespace

Result<Profile> parse_profile(std::string_view text) {
    if (text.size() > kTextBytesMax)
        return Error(ErrorCode::kTooLarge, "the profile is too long")
            .with("bytes", text.size())
            .with_hint("at most " + std::to_string(kTextBytesMax) + " bytes")
            .with_reason("profile_too_large");
    return ProfileParser(text).parse();
}

std::string print_profile(const Profile& profile) {
    std::string out = "profile " + profile.name + " version " + std::to_string(profile.version);
    out += " {\n";
    if (!profile.about.empty()) out += "    about " + quote(profile.about, '\'') + ";\n";
    out += "    candidates scan;\n";
    for (const auto& param : profile.params)
        out += "    param " + param.name + " = " + print_number(param.default_value) + ";\n";
    for (const auto& definition : profile.definitions)
        out += "    let " + definition.name + " = " + print_expression(definition.value) + ";\n";
    if (!profile.order.by_field) out += "    score " + print_expression(profile.score) + ";\n";
    out += "    order " + (profile.order.by_field ? profile.score.name : std::string("score"));
    out += profile.order.descending ? " desc;\n}\n" : " asc;\n}\n";
    return out;
}

}  // namespace tidal::ranking
