#include "text/internal/query_binder.h"

#include "base/detmath.h"
#include "text/search.h"

namespace tidal::text {
namespace {

using Kind = QueryNode::Kind;

CursorPtr joined(std::vector<CursorPtr> parts) {
    if (parts.empty()) return nullptr;
    if (parts.size() == 1) return std::move(parts.front());
    return std::make_unique<AnyCursor>(std::move(parts));
}

CursorPtr without(CursorPtr wanted, std::vector<CursorPtr> unwanted) {
    if (wanted == nullptr || unwanted.empty()) return wanted;
    return std::make_unique<ExceptCursor>(std::move(wanted), joined(std::move(unwanted)));
}

}  // namespace

Bm25 QueryBinder::scoring(FieldId field, std::uint64_t holders) const {
    const Statistics::Field sizes = field.value() < statistics_.fields.size()
                                        ? statistics_.fields[field.value()]
                                        : Statistics::Field();
    return {index_.index_of(field)->scoring(), sizes.documents, sizes.length, holders};
}

std::uint64_t QueryBinder::holders(FieldId field, const std::string& term) const {
    const auto known = statistics_.holders.find({field, term});
    return known == statistics_.holders.end() ? 0 : known->second;
}

void QueryBinder::append_term(FieldId field, const std::string& term, const Bm25& scoring,
                              Terms* out) {
    const FieldIndex& index = *index_.index_of(field);
    if (const auto number = index.find(term)) out->push_back({&index, *number, scoring});
}

/// They are scored as if they were one word, so that a rare one does not win by being rare.
void QueryBinder::append_words(FieldId field, Expansion::Kind kind, const std::string& text,
                               Terms* out) {
    const auto found = statistics_.words.find({field, kind, text});
    if (found == statistics_.words.end()) return;
    std::uint64_t holders = 0;
    for (const auto& [word, each] : found->second) holders += each.documents;
    const Bm25 whole = scoring(field, holders);
    std::map<std::string, std::uint32_t> terms;  // Several words may have one stem.
    for (const auto& [word, each] : found->second) {
        const auto [at, added] = terms.emplace(each.term, each.edits);
        if (!added) at->second = std::min(at->second, each.edits);
    }
    for (const auto& [term, edits] : terms) {
        Bm25 scoring = whole;
        scoring.weight *= detmath::pow(kTypoDiscount, edits);
        append_term(field, term, scoring, out);
    }
}

void QueryBinder::append_terms(const QueryNode& node, Terms* out) {
    for (const FieldId field : index_.fields_of(node)) {
        FieldIndex& index = *index_.index_of(field);
        if (node.kind == Kind::kPrefix) {
            append_words(field, Expansion::Kind::kPrefix, fold(node.text), out);
            continue;
        }
        for (const Token& token : index.analyze(node.text)) {
            append_term(field, token.term, scoring(field, holders(field, token.term)), out);
            if (typos_) append_words(field, Expansion::Kind::kTypo, token.word, out);
        }
    }
}

bool QueryBinder::flatten(const QueryNode& node, Terms* out) {
    for (const QueryNode& child : node.children) {
        if (child.kind == Kind::kAny) {
            for (const QueryNode& inner : child.children)
                if (inner.kind == Kind::kNot) return false;
            if (!flatten(child, out)) return false;
        } else if (child.kind == Kind::kWord || child.kind == Kind::kPrefix) {
            append_terms(child, out);
        } else if (child.kind != Kind::kNot) {
            return false;
        }
    }
    return true;
}

/// Of every field: not several in a row.
bool QueryBinder::is_one_term(const QueryNode& word) {
    if (word.kind == Kind::kPrefix) return true;
    if (word.kind != Kind::kWord) return false;
    for (const FieldId field : index_.fields_of(word))
        if (index_.index_of(field)->analyze(word.text).size() > 1) return false;
    return true;
}

bool QueryBinder::flatten_all(const QueryNode& root, BoundQuery* out) {
    const QueryNode* all = nullptr;
    for (const QueryNode& child : root.children) {
        if (child.kind == Kind::kNot) continue;
        if (child.kind != Kind::kAll || all != nullptr) return false;
        all = &child;
    }
    if (all == nullptr) return false;
    std::uint32_t groups = 0;
    for (const QueryNode& child : all->children) {
        if (child.kind == Kind::kNot) continue;
        if (!is_one_term(child)) return false;
        const std::size_t before = out->terms.size();
        append_terms(child, &out->terms);
        if (out->terms.size() == before) {
            out->terms.clear();
            return true;
        }
        for (std::size_t i = before; i < out->terms.size(); ++i) out->terms[i].group = groups;
        ++groups;
    }
    if (groups == 0) return false;
    std::vector<CursorPtr> unwanted;
    append_unwanted(*all, &unwanted);
    append_unwanted(root, &unwanted);
    out->unwanted = joined(std::move(unwanted));
    return true;
}

void QueryBinder::append_unwanted(const QueryNode& node, std::vector<CursorPtr>* out) {
    for (const QueryNode& child : node.children)
        if (child.kind == Kind::kNot)
            if (auto part = cursor(child.children.front(), true)) out->push_back(std::move(part));
}

CursorPtr QueryBinder::phrase_cursor(FieldId field, const std::vector<Token>& tokens) {
    const FieldIndex& index = *index_.index_of(field);
    std::vector<PhraseCursor::Part> parts;
    Bm25 whole = scoring(field, 0);
    whole.weight = 0;
    for (const Token& token : tokens) {
        const Bm25 each = scoring(field, holders(field, token.term));
        const auto number = index.find(token.term);
        if (!number) return nullptr;
        whole.weight += each.weight;
        parts.push_back({std::make_unique<TermCursor>(WeightedTerm{&index, *number, each}),
                         token.position - tokens.front().position});
    }
    if (parts.empty()) return nullptr;
    if (parts.size() == 1) return std::move(parts.front().term);
    return std::make_unique<PhraseCursor>(index, std::move(parts), whole);
}

/// @param needed  The words must be there: one that the analysis makes several of stands for them
///                in a row.
CursorPtr QueryBinder::word_cursor(const QueryNode& node, bool needed) {
    std::vector<CursorPtr> out;
    const bool in_a_row = node.kind == Kind::kPhrase || (node.kind == Kind::kWord && needed);
    for (const FieldId field : index_.fields_of(node)) {
        const std::vector<Token> tokens = index_.index_of(field)->analyze(node.text);
        if (in_a_row && tokens.size() > 1) {
            if (auto phrase = phrase_cursor(field, tokens)) out.push_back(std::move(phrase));
            continue;
        }
        Terms terms;
        const bool quoted = node.kind == Kind::kPhrase;
        for (const Token& token : tokens) {
            if (node.kind == Kind::kPrefix) break;
            append_term(field, token.term, scoring(field, holders(field, token.term)), &terms);
            if (typos_ && !quoted) append_words(field, Expansion::Kind::kTypo, token.word, &terms);
        }
        if (node.kind == Kind::kPrefix)
            append_words(field, Expansion::Kind::kPrefix, fold(node.text), &terms);
        for (const WeightedTerm& term : terms) out.push_back(std::make_unique<TermCursor>(term));
    }
    return joined(std::move(out));
}

CursorPtr QueryBinder::all_cursor(const QueryNode& node) {
    std::vector<CursorPtr> wanted, unwanted;
    for (const QueryNode& child : node.children) {
        const bool inverted = child.kind == Kind::kNot;
        auto part = cursor(inverted ? child.children.front() : child, true);
        if (inverted) {
            if (part != nullptr) unwanted.push_back(std::move(part));
        } else if (part == nullptr) {
            return nullptr;
        } else {
            wanted.push_back(std::move(part));
        }
    }
    if (wanted.empty()) return nullptr;
    CursorPtr all = wanted.size() == 1 ? std::move(wanted.front())
                                       : std::make_unique<AllCursor>(std::move(wanted));
    return without(std::move(all), std::move(unwanted));
}

CursorPtr QueryBinder::any_cursor(const QueryNode& node, bool needed) {
    std::vector<CursorPtr> wanted, unwanted;
    for (const QueryNode& child : node.children) {
        const bool inverted = child.kind == Kind::kNot;
        auto part = cursor(inverted ? child.children.front() : child,
                           inverted || (needed && node.children.size() == 1));
        if (part != nullptr) (inverted ? unwanted : wanted).push_back(std::move(part));
    }
    return without(joined(std::move(wanted)), std::move(unwanted));
}

CursorPtr QueryBinder::cursor(const QueryNode& node, bool needed) {
    switch (node.kind) {
        case Kind::kAll:
            return all_cursor(node);
        case Kind::kAny:
            return any_cursor(node, needed);
        case Kind::kNot:
            return nullptr;  // Alone it names nothing that could be found.
        default:
            return word_cursor(node, needed);
    }
}

BoundQuery QueryBinder::bind(const QueryNode& root) {
    BoundQuery out;
    if (flatten_all(root, &out)) return out;
    out.terms.clear();
    if (flatten(root, &out.terms)) {
        std::vector<CursorPtr> unwanted;
        append_unwanted(root, &unwanted);
        out.unwanted = joined(std::move(unwanted));
        return out;
    }
    out.terms.clear();
    out.wanted = cursor(root, false);
    return out;
}

}  // namespace tidal::text
