#include "query/internal/query_conditions.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tidal::query {
namespace {

constexpr std::string_view kCreator = "creator:";
/// More are searched for as words: each is a condition on all candidates.
constexpr std::size_t kConditionsMax = 16;

/// A run without blanks, but within quotation marks.
struct Piece {
    std::string_view text;
    bool nested = false;  ///< Within parentheses, or it has some.
};

std::vector<Piece> pieces_of(std::string_view text) {
    std::vector<Piece> out;
    int depth = 0;
    bool quoted = false, nested = false;
    std::size_t begin = 0;
    const auto end_piece = [&](std::size_t end) {
        if (end > begin) out.push_back({text.substr(begin, end - begin), nested});
        nested = depth > 0;
        begin = end + 1;
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        if (c == '(') ++depth;
        if (c == ')') depth = std::max(0, depth - 1);
        if (c == '(' || c == ')') nested = true;
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') end_piece(i);
    }
    // A quotation mark that is not closed is the parser's to tell of.
    if (quoted) nested = true;
    end_piece(text.size());
    return out;
}

bool is_operator(std::string_view piece) {
    return piece == "OR" || piece == "AND" || piece == "NOT";
}

std::string_view unquoted(std::string_view value) {
    if (value.size() < 2 || value.front() != '"' || value.back() != '"') return value;
    return value.substr(1, value.size() - 2);
}

FilterNode joined(FilterNode::Kind kind, std::vector<FilterNode> nodes) {
    if (nodes.size() == 1) return std::move(nodes.front());
    FilterNode out;
    out.kind = kind;
    out.children = std::move(nodes);
    return out;
}

FilterNode leaf(Test test, std::string field, std::string_view value) {
    FilterNode out;
    out.test = test;
    out.field = std::move(field);
    out.values.push_back({.kind = Literal::Kind::kString, .text = std::string(value)});
    return out;
}

class Conditions {
public:
    Conditions(const schema::Schema& schema, EntityKind kind) : schema_(schema), kind_(kind) {}

    /// nullopt = these are words.
    std::optional<FilterNode> read(std::string_view piece) const {
        const bool negated = piece.starts_with('-');
        if (negated) piece.remove_prefix(1);
        auto found = piece.starts_with('#') ? tag(unquoted(piece.substr(1)))
                     : piece.starts_with(kCreator)
                         ? creator(unquoted(piece.substr(kCreator.size())))
                         : std::vector<FilterNode>();
        if (found.empty()) return std::nullopt;
        if (!negated) return joined(FilterNode::Kind::kOr, std::move(found));
        std::vector<FilterNode> none;
        for (FilterNode& each : found) none.push_back(lacking(std::move(each)));
        return joined(FilterNode::Kind::kAnd, std::move(none));
    }

private:
    /// What has no value lacks this one, too: a filter alone would not know.
    static FilterNode lacking(FilterNode leaf) {
        FilterNode missing, other;
        missing.test = Test::kIsNull;
        missing.field = leaf.field;
        other.kind = FilterNode::Kind::kNot;
        other.children.push_back(std::move(leaf));
        return joined(FilterNode::Kind::kOr, {std::move(missing), std::move(other)});
    }

    /// Any of them; none = these are words.
    std::vector<FilterNode> tag(std::string_view value) const {
        std::vector<FilterNode> fields;
        if (value.empty()) return fields;
        for (const schema::FieldSpec& field : schema_.kind(kind_).fields) {
            if (field.type == schema::FieldType::kKeyword)
                fields.push_back(leaf(Test::kEqual, field.name, value));
            if (field.type == schema::FieldType::kKeywords)
                fields.push_back(leaf(Test::kHas, field.name, value));
        }
        return fields;
    }

    std::vector<FilterNode> creator(std::string_view id) const {
        if (id.empty() || kind_ != EntityKind::kItem) return {};
        const bool digits = id.find_first_not_of("0123456789") == std::string_view::npos;
        if (!digits && !schema_.kind(EntityKind::kCreator).string_ids) return {};
        return {leaf(Test::kEqual, "creator_id", id)};
    }

    const schema::Schema& schema_;
    const EntityKind kind_;
};

}  // namespace

QueryConditions take_conditions(std::string_view text, const schema::Schema& schema,
                                EntityKind kind) {
    QueryConditions out;
    out.words = text;
    if (text.find('#') == std::string_view::npos && text.find(kCreator) == std::string_view::npos)
        return out;
    const std::vector<Piece> pieces = pieces_of(text);
    const Conditions conditions(schema, kind);
    std::vector<FilterNode> found;
    std::string words;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const bool operand = (i > 0 && is_operator(pieces[i - 1].text)) ||
                             (i + 1 < pieces.size() && is_operator(pieces[i + 1].text));
        std::optional<FilterNode> one;
        if (!operand && !pieces[i].nested && found.size() < kConditionsMax)
            one = conditions.read(pieces[i].text);
        if (one) {
            found.push_back(*std::move(one));
        } else {
            words += (words.empty() ? "" : " ") + std::string(pieces[i].text);
        }
    }
    if (found.empty()) return out;
    out.words = std::move(words);
    out.filter = joined(FilterNode::Kind::kAnd, std::move(found));
    return out;
}

}  // namespace tidal::query
