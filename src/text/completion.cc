#include "text/completion.h"

#include <utility>
#include <vector>

#include "text/analyzer.h"

namespace tidal::text {

ParsedQuery parse_completion(std::string_view text, const std::string& field) {
    using Kind = QueryNode::Kind;
    ParsedQuery out;
    std::vector<Token> tokens;
    Analyzer({.language = "none", .stop_words = {}})
        .analyze(text.substr(0, kQueryBytesMax), &tokens);
    if (tokens.size() > kCompletionWordsMax) {
        tokens.resize(kCompletionWordsMax);
        out.warnings.push_back("only the first " + std::to_string(kCompletionWordsMax) +
                               " words are read");
    }
    if (tokens.empty()) return out;
    const bool open = text.back() != ' ';
    QueryNode all{.kind = Kind::kAll, .text = {}, .field = {}, .children = {}};
    for (Token& token : tokens)
        all.children.push_back(
            {.kind = Kind::kWord, .text = std::move(token.word), .field = field, .children = {}});
    if (open) {
        QueryNode& last = all.children.back();
        QueryNode either{.kind = Kind::kAny, .text = {}, .field = {}, .children = {last, last}};
        either.children.front().kind = Kind::kPrefix;
        last = std::move(either);
    }
    out.root.children.push_back(std::move(all));
    return out;
}

}  // namespace tidal::text
