#include "text/synonyms.h"

#include <algorithm>
#include <utility>

#include "text/analyzer.h"

namespace tidal::text {
namespace {

using Kind = QueryNode::Kind;

/// The words as searches compare them but for stems, one blank between them.
std::string normalized(std::string_view text, std::size_t* words) {
    std::vector<Token> tokens;
    Analyzer({.language = "none", .stop_words = {}}).analyze(text, &tokens);
    std::string out;
    for (const Token& token : tokens) out += (out.empty() ? "" : " ") + token.word;
    *words = tokens.size();
    return out;
}

Result<std::vector<std::string>> phrases_of(std::string_view list) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at <= list.size();) {
        const std::size_t comma = std::min(list.find(',', at), list.size());
        std::size_t words = 0;
        std::string phrase = normalized(list.substr(at, comma - at), &words);
        if (words == 0)
            return Error(ErrorCode::kInvalidArgument, "a word is missing between commas");
        if (words > kSynonymWordsMax)
            return Error(ErrorCode::kInvalidArgument,
                         "a phrase has at most " + std::to_string(kSynonymWordsMax) + " words");
        if (std::ranges::find(out, phrase) == out.end()) out.push_back(std::move(phrase));
        at = comma + 1;
    }
    if (out.size() > kSynonymPhrasesMax)
        return Error(ErrorCode::kTooLarge,
                     "a rule has at most " + std::to_string(kSynonymPhrasesMax) + " phrases");
    return out;
}

QueryNode phrase_node(const std::string& phrase, const std::string& field) {
    const bool one = phrase.find(' ') == std::string::npos;
    return {
        .kind = one ? Kind::kWord : Kind::kPhrase, .text = phrase, .field = field, .children = {}};
}

}  // namespace

Result<Synonyms> Synonyms::parse(std::string_view text) {
    Synonyms out;
    std::size_t line = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        ++line;
        if (auto added = out.add_rule(text.substr(at, end - at)); !added)
            return added.take_error()
                .with("line", line)
                .with_field("text")
                .with_hint("`tv, television` or `notebook => laptop`, one rule a line");
        at = end + 1;
    }
    return out;
}

Result<void> Synonyms::add_rule(std::string_view line) {
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return {};
    if (++rules_ > kSynonymRulesMax)
        return Error(ErrorCode::kTooLarge,
                     "at most " + std::to_string(kSynonymRulesMax) + " rules");
    const std::size_t arrow = line.find("=>");
    TIDAL_ASSIGN(const auto left, phrases_of(line.substr(0, arrow)));
    if (arrow != std::string_view::npos) {
        TIDAL_ASSIGN(const auto right, phrases_of(line.substr(arrow + 2)));
        for (const std::string& phrase : left)
            for (const std::string& by : right) mean(phrase, by);
        return {};
    }
    if (left.size() < 2)
        return Error(ErrorCode::kInvalidArgument, "one word alone stands for no other");
    for (const std::string& phrase : left)
        for (const std::string& by : left) mean(phrase, by);
    return {};
}

void Synonyms::mean(const std::string& phrase, const std::string& by) {
    if (phrase == by) return;
    Phrases& known = meanings_[phrase];
    if (std::ranges::find(known, by) == known.end()) known.push_back(by);
}

void Synonyms::add(const Synonyms& others) {
    for (const auto& [phrase, meanings] : others.meanings_)
        for (const std::string& by : meanings) mean(phrase, by);
    // Whatever order they came in.
    for (auto& [phrase, meanings] : meanings_) std::ranges::sort(meanings);
}

void Synonyms::expand(QueryNode* root) const {
    if (meanings_.empty()) return;
    std::size_t left = kSynonymsAddedMax;
    expand(root, &left);
}

/// The phrase with the most words that begins at `at`; nullptr = none stands for others.
const Synonyms::Phrases* Synonyms::longest(const std::vector<QueryNode>& nodes, std::size_t at,
                                           std::size_t* count) const {
    const Phrases* found = nullptr;
    std::string phrase;
    std::size_t words = 0;
    for (std::size_t i = at; i < nodes.size() && words < kSynonymWordsMax; ++i) {
        if (nodes[i].kind != Kind::kWord || nodes[i].field != nodes[at].field) break;
        std::size_t more = 0;
        const std::string next = normalized(nodes[i].text, &more);
        words += more;
        phrase += (phrase.empty() ? "" : " ") + next;
        if (const auto known = meanings_.find(phrase); known != meanings_.end()) {
            found = &known->second;
            *count = i + 1 - at;
        }
    }
    return found;
}

void Synonyms::expand(QueryNode* node, std::size_t* left) const {
    if (node->kind == Kind::kNot) return;
    std::vector<QueryNode> out;
    std::vector<QueryNode>& children = node->children;
    for (std::size_t i = 0; i < children.size();) {
        std::size_t count = 1;
        const Phrases* const meanings = longest(children, i, &count);
        if (meanings == nullptr) {
            expand(&children[i], left);
            out.push_back(std::move(children[i++]));
            continue;
        }
        std::vector<QueryNode> others;
        for (const std::string& by : *meanings)
            if (*left > 0) {
                --*left;
                others.push_back(phrase_node(by, children[i].field));
            }
        const auto first =
            std::make_move_iterator(children.begin() + static_cast<std::ptrdiff_t>(i));
        std::vector<QueryNode> said(first, first + static_cast<std::ptrdiff_t>(count));
        i += count;
        if (node->kind == Kind::kAny) {
            std::ranges::move(said, std::back_inserter(out));
            std::ranges::move(others, std::back_inserter(out));
            continue;
        }
        QueryNode either{.kind = Kind::kAny, .text = {}, .field = {}, .children = {}};
        if (said.size() == 1)
            either.children.push_back(std::move(said.front()));
        else
            either.children.push_back(
                {.kind = Kind::kAll, .text = {}, .field = {}, .children = std::move(said)});
        std::ranges::move(others, std::back_inserter(either.children));
        out.push_back(std::move(either));
    }
    children = std::move(out);
}

}  // namespace tidal::text
