#include "text/text_index.h"

#include "text/internal/field_index.h"

namespace tidal::text {
namespace {

constexpr std::uint32_t kLettersForOne = 5, kLettersForTwo = 9;

void collect(const QueryNode& node, std::vector<const QueryNode*>* out) {
    if (node.kind <= QueryNode::Kind::kPrefix) out->push_back(&node);
    for (const QueryNode& child : node.children) collect(child, out);
}

void gather_typos(FieldIndex& index, FieldId field, const QueryNode& word, Statistics* out) {
    if (word.kind != QueryNode::Kind::kWord) return;
    const std::vector<Token> tokens = index.analyze(word.text);
    for (const Token& token : tokens) {
        const std::uint32_t edits = edits_allowed(token);
        if (edits == 0) continue;
        auto& found = out->words[{field, Expansion::Kind::kTypo, token.word}];
        if (!found.empty()) continue;
        const auto looked = index.expand_typo(token.word, edits, kLookAtMax, &found);
        out->typos_unseen = out->typos_unseen || !looked.all;
    }
}

}  // namespace

std::uint32_t edits_allowed(const Token& token) {
    if (!token.plain) return 0;
    std::uint32_t letters = 0;
    for (const char c : token.word) letters += (c & 0xC0) != 0x80 ? 1 : 0;
    if (letters >= kLettersForTwo) return 2;
    return letters >= kLettersForOne ? 1 : 0;
}

std::vector<const QueryNode*> words_of(const QueryNode& root) {
    std::vector<const QueryNode*> out;
    collect(root, &out);
    return out;
}

TextIndex::TextIndex() = default;
TextIndex::~TextIndex() = default;

void TextIndex::set_fields(const std::vector<Field>& fields) {
    for (const Field& field : fields) {
        const std::size_t at = field.id.value();
        if (at >= indexes_.size()) {
            indexes_.resize(at + 1);
            names_.resize(at + 1);
        }
        if (indexes_[at] != nullptr) continue;
        indexes_[at] = std::make_unique<FieldIndex>(field.analysis, field.scoring);
        if (seed_) indexes_[at]->keep_documents(*seed_);
        names_[at] = field.name;
    }
}

void TextIndex::change(Slot slot, FieldId field, std::string_view before, std::string_view after) {
    if (before != after) index_of(field)->change(slot.value(), before, after);
}

std::vector<FieldId> TextIndex::fields_of(const QueryNode& word) const {
    std::vector<FieldId> out;
    for (std::size_t i = 0; i < indexes_.size(); ++i)
        if (indexes_[i] != nullptr && (word.field.empty() || word.field == names_[i]))
            out.emplace_back(static_cast<std::uint16_t>(i));
    return out;
}

void TextIndex::gather_fields(Statistics* out) const {
    Statistics mine;
    mine.fields.resize(indexes_.size());
    for (std::size_t i = 0; i < indexes_.size(); ++i)
        if (indexes_[i] != nullptr)
            mine.fields[i] = {indexes_[i]->documents(), indexes_[i]->total_length()};
    out->add(mine);
}

void TextIndex::gather(const QueryNode& word, bool typos, Statistics* out) const {
    for (const FieldId field : fields_of(word)) {
        FieldIndex& index = *index_of(field);
        if (typos) {
            gather_typos(index, field, word, out);
            continue;
        }
        if (word.kind == QueryNode::Kind::kPrefix) {
            const std::string prefix = fold(word.text);
            auto& found = out->words[{field, Expansion::Kind::kPrefix, prefix}];
            if (!found.empty() || prefix.empty()) continue;
            const auto looked = index.expand_prefix(prefix, kLookAtMax, &found);
            out->cut = out->cut || looked.more;
            out->prefix_unseen = out->prefix_unseen || !looked.all;
            continue;
        }
        for (const Token& token : index.analyze(word.text)) {
            const auto number = index.find(token.term);
            // Not added to: a term that stands twice in the query is counted once.
            out->holders[{field, token.term}] = number ? index.postings(*number)->size() : 0;
        }
    }
}

std::uint64_t TextIndex::documents() const {
    std::uint64_t out = 0;
    for (const auto& index : indexes_)
        if (index != nullptr) out += index->documents();
    return out;
}

TextIndex::Stats TextIndex::stats() const {
    Stats out;
    for (const auto& index : indexes_) {
        if (index == nullptr) continue;
        out.documents += index->documents();
        out.words += index->word_count();
        out.bytes += index->bytes();
    }
    return out;
}

}  // namespace tidal::text
