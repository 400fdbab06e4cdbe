#include <algorithm>
#include <cmath>
#include <utility>

#include "query/cohort.h"
#include "query/internal/filter_words.h"
#include "schema/schema.h"

namespace tidal::query {
namespace {

using ranking::Token;
using ranking::TokenKind;

constexpr double kVersionMax = 1e9, kEventsMax = 1e9;

///   cohort    := cohort NAME version NUMBER { { statement ; } }
///   statement := about STRING | parent NAME | tracks NAME { , NAME } | at_least NUMBER events
///              | where filter
class CohortParser {
public:
    explicit CohortParser(std::string_view text) : tokens_(text) {}

    Result<Cohort> parse() {
        out_.text = tokens_.source();
        TIDAL_TRY(header());
        while (!tokens_.at_symbol("}")) {
            TIDAL_TRY(statement());
            TIDAL_TRY(tokens_.expect_symbol(";"));
        }
        const Token close = tokens_.take();
        if (tokens_.peek().kind != TokenKind::kEnd) return tokens_.expected("the end of the text");
        if (!given("where"))
            return missing(close, "a cohort says who is in it", "`where language = 'fr';`");
        if (!given("tracks"))
            return missing(close, "a cohort tracks signals", "`tracks view, like;`");
        return std::move(out_);
    }

private:
    bool given(std::string_view word) const {
        return std::ranges::find(given_, word) != given_.end();
    }
    Error missing(const Token& at, std::string_view what, std::string_view example) const {
        return tokens_.error(ErrorCode::kInvalidArgument, at.offset, std::string(what))
            .with_hint("for example " + std::string(example));
    }

    Result<void> header() {
        if (!tokens_.accept_word("cohort")) return tokens_.expected("`cohort`");
        TIDAL_ASSIGN(out_.name, name("the name of the cohort"));
        if (!tokens_.accept_word("version")) return tokens_.expected("`version`");
        TIDAL_ASSIGN(out_.version, whole(1, kVersionMax));
        return tokens_.expect_symbol("{");
    }

    Result<void> statement() {
        const Token keyword = tokens_.peek();
        if (given(keyword.text))
            return tokens_.error(ErrorCode::kInvalidArgument, keyword.offset,
                                 "`" + std::string(keyword.text) + "` is given twice");
        given_.push_back(keyword.text);
        if (tokens_.accept_word("about")) return about();
        if (tokens_.accept_word("parent")) {
            TIDAL_ASSIGN(out_.parent, name("the name of a cohort"));
            return {};
        }
        if (tokens_.accept_word("tracks")) return signals();
        if (tokens_.accept_word("at_least")) {
            TIDAL_ASSIGN(out_.events_min, whole(0, kEventsMax));
            return tokens_.accept_word("events") ? Result<void>() : tokens_.expected("`events`");
        }
        if (tokens_.accept_word("where")) {
            TIDAL_ASSIGN(out_.where, parse_filter_part(&tokens_));
            return {};
        }
        return tokens_.expected("`about`, `parent`, `tracks`, `at_least`, `where` or `}`");
    }

    Result<void> about() {
        if (tokens_.peek().kind != TokenKind::kString || tokens_.peek().text.size() <= 2)
            return tokens_.expected("a text in single quotes");
        out_.about = ranking::unquote(tokens_.take());
        return {};
    }

    Result<void> signals() {
        do {
            const Token token = tokens_.peek();
            TIDAL_ASSIGN(std::string signal, name("the name of a signal"));
            if (std::ranges::find(out_.signals, signal) != out_.signals.end())
                return tokens_.error(ErrorCode::kInvalidArgument, token.offset,
                                     "`" + signal + "` is given twice");
            if (out_.signals.size() == kCohortSignalsMax)
                return tokens_.error(ErrorCode::kTooLarge, token.offset,
                                     "a cohort tracks at most 8 signals");
            out_.signals.push_back(std::move(signal));
        } while (tokens_.accept_symbol(","));
        return {};
    }

    Result<std::string> name(std::string_view what) {
        if (tokens_.peek().kind != TokenKind::kName) return tokens_.expected(what);
        return std::string(tokens_.take().text);
    }

    Result<std::uint32_t> whole(double least, double most) {
        const Token token = tokens_.peek();
        if (token.kind != TokenKind::kNumber || token.number < least || token.number > most ||
            token.number != std::floor(token.number))
            return tokens_.expected("a whole number from " +
                                    std::to_string(static_cast<std::uint32_t>(least)) + " to " +
                                    std::to_string(static_cast<std::uint32_t>(most)));
        return static_cast<std::uint32_t>(tokens_.take().number);
    }

    ranking::TokenStream tokens_;
    Cohort out_;
    std::vector<std::string_view> given_;
};

}  // namespace

Result<Cohort> parse_cohort(std::string_view text) {
    if (text.size() > ranking::kTextBytesMax)
        return Error(ErrorCode::kTooLarge, "the text of a cohort is longer than 16 KiB");
    return CohortParser(text).parse();
}

std::string print_cohort(const Cohort& cohort) {
    std::string out =
        "cohort " + cohort.name + " version " + std::to_string(cohort.version) + " {\n";
    if (!cohort.about.empty()) out += "    about " + ranking::quote(cohort.about, '\'') + ";\n";
    if (!cohort.parent.empty()) out += "    parent " + cohort.parent + ";\n";
    for (std::size_t i = 0; i < cohort.signals.size(); ++i)
        out += (i == 0 ? "    tracks " : ", ") + cohort.signals[i];
    out += ";\n    at_least " + std::to_string(cohort.events_min) + " events;\n";
    return out + "    where " + print_filter(cohort.where) + ";\n}\n";
}

}  // namespace tidal::query
