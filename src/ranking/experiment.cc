#include "ranking/experiment.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "base/hash.h"
#include "ranking/source_text.h"
#include "ranking/token_stream.h"

namespace tidal::ranking {
namespace {

constexpr double kArmVersionMax = 1e9;

///   experiment := experiment NAME version NUMBER { { statement ; } }
///   statement  := about STRING | salt STRING | arm NAME @ NUMBER [weight NUMBER]
class ExperimentParser {
public:
    explicit ExperimentParser(std::string_view text) : tokens_(text) {}

    Result<Experiment> parse() {
        out_.text = tokens_.source();
        TIDAL_TRY(header());
        while (!tokens_.at_symbol("}")) {
            TIDAL_TRY(statement());
            TIDAL_TRY(tokens_.expect_symbol(";"));
        }
        const Token close = tokens_.take();
        if (tokens_.peek().kind != TokenKind::kEnd) return tokens_.expected("the end of the text");
        if (out_.arms.size() < 2)
            return tokens_
                .error(ErrorCode::kInvalidArgument, close.offset, "an experiment has 2 to 16 arms")
                .with_hint("for example `arm trending@1 weight 9;`");
        if (out_.salt.empty()) out_.salt = out_.name;
        return std::move(out_);
    }

private:
    Result<void> header() {
        if (!tokens_.accept_word("experiment")) return tokens_.expected("`experiment`");
        TIDAL_ASSIGN(out_.name, name("the name of the experiment"));
        if (!tokens_.accept_word("version")) return tokens_.expected("`version`");
        TIDAL_ASSIGN(out_.version, whole("a version", kArmVersionMax));
        return tokens_.expect_symbol("{");
    }

    Result<void> statement() {
        const Token keyword = tokens_.peek();
        if (tokens_.accept_word("about")) return text(keyword, &out_.about);
        if (tokens_.accept_word("salt")) return text(keyword, &out_.salt);
        if (tokens_.accept_word("arm")) return arm(keyword);
        return tokens_.expected("`about`, `salt`, `arm` or `}`");
    }

    Result<void> text(const Token& keyword, std::string* out) {
        if (!out->empty())
            return tokens_.error(ErrorCode::kInvalidArgument, keyword.offset,
                                 "`" + std::string(keyword.text) + "` is given twice");
        if (tokens_.peek().kind != TokenKind::kString || tokens_.peek().text.size() <= 2)
            return tokens_.expected("a text in single quotes");
        *out = unquote(tokens_.take());
        return {};
    }

    Result<void> arm(const Token& keyword) {
        ExperimentArm arm;
        TIDAL_ASSIGN(arm.profile, name("the name of a profile"));
        TIDAL_TRY(tokens_.expect_symbol("@"));
        TIDAL_ASSIGN(const std::uint32_t version, whole("a version", kArmVersionMax));
        arm.profile += "@" + std::to_string(version);
        if (tokens_.accept_word("weight")) {
            TIDAL_ASSIGN(arm.weight, whole("a weight", kArmWeightMax));
        }
        if (out_.arms.size() == kArmsMax)
            return tokens_.error(ErrorCode::kInvalidArgument, keyword.offset,
                                 "an experiment has 2 to 16 arms");
        for (const ExperimentArm& other : out_.arms)
            if (other.profile == arm.profile)
                return tokens_.error(ErrorCode::kInvalidArgument, keyword.offset,
                                     "arm `" + arm.profile + "` is given twice");
        out_.arms.push_back(std::move(arm));
        return {};
    }

    Result<std::string> name(std::string_view what) {
        if (tokens_.peek().kind != TokenKind::kName) return tokens_.expected(what);
        return std::string(tokens_.take().text);
    }

    Result<std::uint32_t> whole(std::string_view what, double most) {
        const Token token = tokens_.peek();
        if (token.kind != TokenKind::kNumber || token.number < 1 || token.number > most ||
            token.number != std::floor(token.number))
            return tokens_.expected(std::string(what) + ", a whole number from 1 to " +
                                    std::to_string(static_cast<std::uint32_t>(most)));
        return static_cast<std::uint32_t>(tokens_.take().number);
    }

    TokenStream tokens_;
    Experiment out_;
};

}  // namespace

std::size_t Experiment::arm_of(const EntityId& user) const {
    // Kind of id and length stand between salt and id: no two users hash the same bytes.
    std::string bytes = salt + '\0' + (user.is_text() ? 't' : 'n') +
                        (user.is_text() ? user.text() : std::to_string(user.number()));
    const auto total = std::accumulate(
        arms.begin(), arms.end(), std::uint64_t{0},
        [](std::uint64_t sum, const ExperimentArm& arm) { return sum + arm.weight; });
    std::uint64_t point = hash64(bytes) % total;
    std::size_t arm = 0;
    while (point >= arms[arm].weight) point -= arms[arm++].weight;
    return arm;
}

Result<Experiment> parse_experiment(std::string_view text) {
    if (text.size() > kTextBytesMax)
        return Error(ErrorCode::kTooLarge, "the text of an experiment is longer than 16 KiB");
    return ExperimentParser(text).parse();
}

std::string print_experiment(const Experiment& experiment) {
    std::string out =
        "experiment " + experiment.name + " version " + std::to_string(experiment.version) + " {\n";
    if (!experiment.about.empty()) out += "    about " + quote(experiment.about, '\'') + ";\n";
    out += "    salt " + quote(experiment.salt, '\'') + ";\n";
    for (const ExperimentArm& arm : experiment.arms)
        out += "    arm " + arm.profile + " weight " + std::to_string(arm.weight) + ";\n";
    return out + "}\n";
}

}  // namespace tidal::ranking
