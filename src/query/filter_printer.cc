#include <algorithm>
#include <array>

#include "query/filter.h"
#include "query/internal/filter_words.h"

namespace tidal::query {
namespace {

/// Words of the language, in any case; a field of such a name is written in double quotes.
constexpr std::array<std::string_view, 12> kWords{"and",     "or",   "not",   "in",
                                                  "between", "like", "is",    "null",
                                                  "has",     "true", "false", "created_within"};

std::string print_call(const FilterNode& node) {
    if (node.test == Test::kInCollection)
        return "in_collection(" + print_literal(node.values[0]) + ")";
    if (node.test == Test::kFriendsEngaged)
        return node.values.empty() ? std::string(kFriendsEngaged)
                                   : std::string(kFriendsEngaged) + "(" +
                                         print_filter_name(node.values[0].text) + ")";
    if (node.test == Test::kAnn)
        return "ann(" + print_filter_name(node.field) + ", " + node.values[0].text + ")";
    if (node.test == Test::kMmr)
        return "mmr(" + print_literal(node.values[0]) +
               (node.field.empty() ? "" : ", " + print_filter_name(node.field)) + ")";
    std::string out = "near(";
    if (!node.field.empty()) out += print_filter_name(node.field) + ", ";
    for (std::size_t i = 0; i < node.values.size(); ++i)
        out += (i > 0 ? ", " : "") + print_literal(node.values[i]);
    return out + ")";
}

std::string print_test(const FilterNode& node, bool negated) {
    constexpr std::string_view kComparisons[] = {"=", "!=", "<", "<=", ">", ">="};
    if (node.test == Test::kCreatedWithin) return "created_within " + print_literal(node.values[0]);
    if (node.test == Test::kNear || node.test == Test::kFriendsEngaged ||
        node.test == Test::kInCollection || node.test == Test::kAnn || node.test == Test::kMmr)
        return print_call(node);
    std::string out = print_filter_name(node.field);
    if (node.similarity) out = "similarity(" + out + ")";
    const std::string maybe_not = negated ? " NOT" : "";
    switch (node.test) {
        case Test::kState:
            return out;
        case Test::kIsNull:
            return out + " IS" + maybe_not + " NULL";
        case Test::kHas:
            return out + " HAS " + print_literal(node.values[0]);
        case Test::kLike:
            return out + maybe_not + " LIKE " + print_literal(node.values[0]);
        case Test::kBetween:
            return out + maybe_not + " BETWEEN " + print_literal(node.values[0]) + " AND " +
                   print_literal(node.values[1]);
        case Test::kIn:
            out += maybe_not + " IN (";
            for (std::size_t i = 0; i < node.values.size(); ++i)
                out += (i > 0 ? ", " : "") + print_literal(node.values[i]);
            return out + ")";
        default:
            return out + " " + std::string(kComparisons[static_cast<std::size_t>(node.test)]) +
                   " " + print_literal(node.values[0]);
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

std::string print_literal(const Literal& value) {
    if (value.kind == Literal::Kind::kString) return ranking::quote(value.text, '\'');
    if (value.kind == Literal::Kind::kBool) return value.number != 0 ? "TRUE" : "FALSE";
    return value.text;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

bool is_filter_word(std::string_view text) {
    return std::ranges::find(kWords, lower(text)) != kWords.end();
}

std::string print_filter_name(std::string_view name) {
    ranking::TokenStream tokens(name);
    const ranking::Token token = tokens.take();
    const bool plain = token.kind == ranking::TokenKind::kName && token.text == name &&
                       !is_filter_word(name) && name != kFriendsEngaged;
    return plain ? std::string(name) : ranking::quote(name, '"');
}

std::string print_filter(const FilterNode& filter) {
    return print_node(filter);
}

}  // namespace tidal::query
