#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "ranking/internal/expression_parser.h"
#include "ranking/internal/functions.h"
#include "ranking/internal/profile_stage_parser.h"
#include "ranking/profile.h"

namespace tidal::ranking {
namespace {

constexpr double kVersionMax = 1e9;

///   profile   := profile NAME version NUMBER { { statement ; } }
///   statement := about STRING | candidates sources [rank_base N] | param NAME = [-] NUMBER
///              | let NAME = expression | require expression | score expression
///              | penalty NUMBER when expression | order (score | NAME) [asc | desc]
///              | diversity rules | explore P% | cap (NUMBER | param ( NAME )) per day
/// `sources` and `rules`: profile_stage_parser.h.
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
        if (out_.order.by_field && !out_.penalties.empty())
            return tokens_
                .error(ErrorCode::kInvalidArgument, penalty_offset_,
                       "a penalty changes a score, and this profile is ordered by a field")
                .with_hint("`require` leaves entities out of any order");
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
        for (const Statement& statement : kStatements) {
            if (!tokens_.accept_word(statement.word)) continue;
            const std::size_t index = static_cast<std::size_t>(&statement - kStatements);
            if (statement.only_once && std::exchange(seen_[index], true))
                return tokens_.error(ErrorCode::kInvalidArgument, keyword.offset,
                                     "`" + std::string(keyword.text) + "` is given twice");
            return (this->*statement.read)();
        }
        std::string words;
        for (const Statement& statement : kStatements)
            words += "`" + std::string(statement.word) + "`, ";
        words.resize(words.size() - 2);
        return tokens_.expected(words + " or `}`");
    }

    Result<void> about() {
        if (tokens_.peek().kind != TokenKind::kString)
            return tokens_.expected("a text in single quotes");
        out_.about = unquote(tokens_.take());
        return {};
    }

    Result<void> candidates() {
        TIDAL_ASSIGN(out_.sources, parse_sources(tokens_));
        TIDAL_ASSIGN(out_.rank_base, parse_rank_base(tokens_));
        return {};
    }

    Result<void> require() {
        const auto offset = tokens_.peek().offset;
        TIDAL_ASSIGN(Expr gate, ExpressionParser(tokens_, nodes_).parse());
        if (out_.gates.size() == kGatesMax) return too_many("`require`", offset, kGatesMax);
        out_.gates.push_back(std::move(gate));
        return {};
    }

    Result<void> score() {
        has_score_ = true;
        TIDAL_ASSIGN(out_.score, ExpressionParser(tokens_, nodes_).parse());
        return {};
    }

    Result<void> penalty() {
        const Token factor = tokens_.peek();
        if (factor.kind != TokenKind::kNumber || factor.number < kPenaltyMin || factor.number > 1)
            return tokens_.expected("a factor from 1e-6 to 1");
        tokens_.take();
        TIDAL_TRY(word("when"));
        TIDAL_ASSIGN(Expr when, ExpressionParser(tokens_, nodes_).parse());
        if (out_.penalties.size() == kPenaltiesMax)
            return too_many("`penalty`", factor.offset, kPenaltiesMax);
        if (out_.penalties.empty()) penalty_offset_ = factor.offset;
        out_.penalties.push_back({factor.number, std::move(when)});
        return {};
    }

    Result<void> diversity() {
        TIDAL_ASSIGN(out_.diversity, parse_diversity(tokens_));
        return {};
    }

    Result<void> explore() {
        TIDAL_ASSIGN(out_.explore_percent, parse_percent(tokens_));
        return {};
    }

    Error too_many(const std::string& what, std::uint32_t offset, std::size_t most) {
        return tokens_.error(ErrorCode::kTooLarge, offset, "too many statements " + what)
            .with_hint("at most " + std::to_string(most))
            .with_reason("profile_too_large");
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

    Result<void> cap() {
        DailyCap& cap = out_.cap.emplace();
        cap.offset = tokens_.peek().offset;
        if (tokens_.accept_word("param")) {
            TIDAL_TRY(tokens_.expect_symbol("("));
            TIDAL_ASSIGN(cap.param, name("the name of a parameter"));
            TIDAL_TRY(tokens_.expect_symbol(")"));
        } else {
            const Token token = tokens_.peek();
            if (token.kind != TokenKind::kNumber || token.number != std::floor(token.number) ||
                token.number < 1 || token.number > kDailyCapMax)
                return tokens_.expected("a whole number from 1 to " + std::to_string(kDailyCapMax) +
                                        " or `param(name)`");
            cap.items = tokens_.take().number;
        }
        TIDAL_TRY(word("per"));
        return word("day");
    }

    struct Statement {
        std::string_view word;
        Result<void> (ProfileParser::*read)();
        bool only_once;
    };
    static const Statement kStatements[11];

    TokenStream tokens_;
    Profile out_;
    std::uint32_t nodes_ = 0;
    std::uint32_t penalty_offset_ = 0;
    bool seen_[11] = {};
    bool has_score_ = false;
};

constexpr ProfileParser::Statement ProfileParser::kStatements[11] = {
    {"about", &ProfileParser::about, true},
    {"candidates", &ProfileParser::candidates, true},
    {"param", &ProfileParser::param, false},
    {"let", &ProfileParser::definition, false},
    {"require", &ProfileParser::require, false},
    {"score", &ProfileParser::score, true},
    {"penalty", &ProfileParser::penalty, false},
    {"order", &ProfileParser::order, true},
    {"diversity", &ProfileParser::diversity, true},
    {"explore", &ProfileParser::explore, true},
    {"cap", &ProfileParser::cap, true},
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

}  // namespace tidal::ranking
