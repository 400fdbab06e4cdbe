#include "text/query_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace tidal::text {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

using Kind = QueryNode::Kind;

/// Gives up at the first thing that does not fit; then the whole text is plain words.
class Parser {
public:
    Parser(std::string_view text, const std::vector<std::string>& fields)
        : rest_(text), fields_(fields) {}

    /// nullopt = malformed, and `problem()` says how.
    std::optional<QueryNode> parse() {
        auto root = any(0);
        if (root && !rest_.empty()) return fail("a parenthesis is closed that is not open");
        return root;
    }
    const std::string& problem() const { return problem_; }
    std::vector<std::string> take_warnings() { return std::move(warnings_); }

private:
    std::nullopt_t fail(std::string problem) {
        if (problem_.empty()) problem_ = std::move(problem);
        return std::nullopt;
    }

    void skip_blanks() {
        while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
    }
    std::string_view peek_word() const {
        std::size_t end = 0;
        while (end < rest_.size() && !is_blank(rest_[end]) && rest_[end] != '(' &&
               rest_[end] != ')' && rest_[end] != '"')
            ++end;
        return rest_.substr(0, end);
    }
    bool accept(std::string_view op) {
        skip_blanks();
        if (peek_word() != op) return false;
        rest_.remove_prefix(op.size());
        return true;
    }
    bool at_end() {
        skip_blanks();
        return rest_.empty() || rest_.front() == ')';
    }

    std::optional<QueryNode> any(std::size_t depth) {
        QueryNode out{.kind = Kind::kAny, .text = {}, .field = {}, .children = {}};
        bool after_or = false;
        while (!at_end()) {
            auto part = all(depth);
            if (!part) return std::nullopt;
            out.children.push_back(std::move(*part));
            after_or = accept("OR");
        }
        if (after_or) return fail("OR has nothing after it");
        return out;
    }

    std::optional<QueryNode> all(std::size_t depth) {
        auto first = unit(depth, {});
        if (!first || !accept("AND")) return first;
        QueryNode out{.kind = Kind::kAll, .text = {}, .field = {}, .children = {}};
        out.children.push_back(std::move(*first));
        do {
            auto next = unit(depth, {});
            if (!next) return std::nullopt;
            out.children.push_back(std::move(*next));
        } while (accept("AND"));
        return out;
    }

    std::optional<QueryNode> unit(std::size_t depth, const std::string& field) {
        skip_blanks();
        if (at_end()) return fail("an operator has nothing after it");
        if (const auto word = peek_word(); word == "AND" || word == "OR")
            return fail(std::string(word) + " has nothing before it");
        const bool minus = rest_.front() == '-' && rest_.size() > 1 && !is_blank(rest_[1]) &&
                           rest_[1] != '-' && rest_[1] != ')';
        if (minus || accept("NOT")) {
            if (minus) rest_.remove_prefix(1);
            if (!field.empty()) return fail("a field's name is followed by what it is to hold");
            if (depth >= kQueryDepthMax) return fail("it is nested too deep");
            auto inner = unit(depth + 1, {});
            if (!inner) return std::nullopt;
            if (inner->kind == Kind::kNot) return std::move(inner->children.front());
            QueryNode out{.kind = Kind::kNot, .text = {}, .field = {}, .children = {}};
            out.children.push_back(std::move(*inner));
            return out;
        }
        if (rest_.front() == '(') return group(depth, field);
        if (rest_.front() == '"') return phrase(field);
        return word(depth, field);
    }

    std::optional<QueryNode> group(std::size_t depth, const std::string& field) {
        if (!field.empty()) return fail("a field's name is followed by one word or phrase");
        if (depth >= kQueryDepthMax) return fail("it is nested too deep");
        rest_.remove_prefix(1);
        auto out = any(depth + 1);
        if (!out) return std::nullopt;
        if (rest_.empty()) return fail("a parenthesis is not closed");
        rest_.remove_prefix(1);
        return out;
    }

    std::optional<QueryNode> phrase(const std::string& field) {
        const std::size_t end = rest_.find('"', 1);
        if (end == std::string_view::npos) return fail("a quotation mark is not closed");
        QueryNode out{.kind = Kind::kPhrase,
                      .text = std::string(rest_.substr(1, end - 1)),
                      .field = field,
                      .children = {}};
        rest_.remove_prefix(end + 1);
        return out;
    }

    std::optional<QueryNode> word(std::size_t depth, const std::string& field) {
        std::string_view word = peek_word();
        const std::size_t colon = word.find(':');
        if (field.empty() && colon != std::string_view::npos && colon > 0) {
            const std::string name(word.substr(0, colon));
            const bool more = colon + 1 < word.size() ||
                              (word.size() < rest_.size() && !is_blank(rest_[word.size()]) &&
                               rest_[word.size()] != ')');
            if (more && std::ranges::find(fields_, name) != fields_.end()) {
                rest_.remove_prefix(colon + 1);
                return unit(depth, name);
            }
            if (more && colon + 1 < word.size())
                warnings_.push_back("`" + name + ":` names no text field: searched as a word");
        }
        rest_.remove_prefix(word.size());
        const bool prefix = word.size() > 1 && word.back() == '*';
        if (prefix) word.remove_suffix(1);
        return QueryNode{.kind = prefix ? Kind::kPrefix : Kind::kWord,
                         .text = std::string(word),
                         .field = field,
                         .children = {}};
    }

    std::string_view rest_;
    const std::vector<std::string>& fields_;
    std::string problem_;
    std::vector<std::string> warnings_;
};

/// Leaves out what comes after the first words. False = nothing was left out.
bool cut_words(QueryNode* node, std::size_t* left) {
    if (node->children.empty()) return false;
    bool cut = false;
    std::erase_if(node->children, [&](QueryNode& child) {
        cut = cut_words(&child, left) || cut;
        if (child.kind > Kind::kPrefix) return child.children.empty();
        if (*left == 0) return cut = true;
        --*left;
        return false;
    });
    return cut;
}

QueryNode plain_words(std::string_view text) {
    QueryNode out{.kind = Kind::kAny, .text = {}, .field = {}, .children = {}};
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = at;
        while (end < text.size() && !is_blank(text[end])) ++end;
        if (end > at)
            out.children.push_back({.kind = Kind::kWord,
                                    .text = std::string(text.substr(at, end - at)),
                                    .field = {},
                                    .children = {}});
        at = end + 1;
    }
    return out;
}

}  // namespace

ParsedQuery parse_query(std::string_view text, const std::vector<std::string>& fields) {
    ParsedQuery out;
    if (text.size() > kQueryBytesMax) {
        text = text.substr(0, kQueryBytesMax);
        out.warnings.push_back("the query is too long: only its first " +
                               std::to_string(kQueryBytesMax) + " bytes are read");
    }
    Parser parser(text, fields);
    if (auto root = parser.parse()) {
        out.root = std::move(*root);
        for (std::string& warning : parser.take_warnings()) out.warnings.push_back(warning);
    } else {
        out.root = plain_words(text);
        out.warnings.push_back("the query is searched for as plain words: " + parser.problem());
    }
    std::size_t left = kQueryWordsMax;
    if (cut_words(&out.root, &left))
        out.warnings.push_back("only the first " + std::to_string(kQueryWordsMax) +
                               " words of the query are searched for");
    return out;
}

std::string print_node(const QueryNode& node) {
    constexpr std::string_view kNames[] = {"word", "phrase", "prefix", "all", "any", "not"};
    std::string out = "(" + std::string(kNames[static_cast<std::size_t>(node.kind)]);
    if (!node.field.empty()) out += " in " + node.field;
    if (node.kind <= Kind::kPrefix) out += " '" + node.text + "'";
    for (const QueryNode& child : node.children) out += " " + print_node(child);
    return out + ")";
}

}  // namespace tidal::text
