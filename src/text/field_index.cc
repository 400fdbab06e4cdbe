#include "text/internal/field_index.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/hash.h"
#include "text/internal/edit_walk.h"
#include "text/internal/shrink.h"

namespace tidal::text {

/// The words that are not gone in order, those of the segment and new ones.
class FieldIndex::WordWalk {
public:
    explicit WordWalk(const FieldIndex& index) : index_(index), new_(index.in_order_.end()) {}
    /// To the first that is not before `from`.
    void seek(std::string_view from) {
        base_ = index_.base_from(from);
        skip_gone();
        new_ = index_.in_order_.lower_bound(from);
        choose();
    }
    bool at_end() const { return at_end_; }
    std::string_view word() const { return word_; }
    WordNumber number() const { return number_; }
    void step() {
        if (in_base_) {
            ++base_;
            skip_gone();
        } else {
            ++new_;
        }
        choose();
    }

private:
    void skip_gone() {
        while (base_ < index_.base_words() && index_.word_documents_[base_] == 0) ++base_;
    }
    void choose() {
        const bool base = base_ < index_.base_words(), fresh = new_ != index_.in_order_.end();
        at_end_ = !base && !fresh;
        if (at_end_) return;
        in_base_ = base && (!fresh || index_.base_.words[base_] < new_->first);
        number_ = in_base_ ? base_ : new_->second;
        word_ = in_base_ ? index_.base_.words[base_] : new_->first;
    }

    const FieldIndex& index_;
    std::uint32_t base_ = 0;
    absl::btree_map<std::string_view, WordNumber>::const_iterator new_;
    bool at_end_ = true, in_base_ = false;
    WordNumber number_ = 0;
    std::string_view word_;
};

void FieldIndex::open(const FieldBase& base) {
    assert(documents_ == 0 && word_terms_.empty());
    base_ = base;
    seed_ = base.seed;
    word_terms_ = base.word_terms.copy();
    word_documents_ = base.word_documents.copy();
    word_count_ = static_cast<std::size_t>(
        std::ranges::count_if(word_documents_, [](std::uint32_t each) { return each != 0; }));
    frequent_.open(word_documents_);
    lists_.resize(base.terms.size());
    lengths_ = base.lengths.copy();
    documents_ = base.documents;
    total_length_ = base.total_length;
    to_meet_.resize(lengths_.size());
    for (std::size_t slot = 0; slot < lengths_.size(); ++slot) to_meet_[slot] = lengths_[slot] != 0;
}

bool FieldIndex::meet(std::uint32_t slot, std::string_view text) {
    if (slot < to_meet_.size() && to_meet_[slot]) {
        to_meet_[slot] = false;
        if (base_.text_hashes[slot] == hash64(text, seed_)) return true;
        remove_met(slot);
    }
    change(slot, {}, text);
    return false;
}

void FieldIndex::finish_open() {
    for (std::uint32_t slot = 0; slot < to_meet_.size(); ++slot)
        if (to_meet_[slot]) remove_met(slot);
    forget_empty_terms();
    to_meet_ = {};
    if (keeping_) return;
    base_.text_hashes = {};
    base_.words_of_slots = {};
}

void FieldIndex::remove_met(std::uint32_t slot) {
    if (!base_.words_of(slot, &seen_)) return;
    for (const WordNumber word : seen_) {
        remove_posting(word_terms_[word], slot);
        discount_word(word);
    }
    forget_length(slot);
}

void FieldIndex::forget_length(std::uint32_t slot) {
    --documents_;
    total_length_ -= lengths_[slot];
    lengths_[slot] = 0;
    if (!keeping_) return;
    new_documents_.erase(slot);
    shrink(&new_documents_);
}

const std::shared_ptr<PostingList>& FieldIndex::list(TermNumber term) const {
    std::shared_ptr<PostingList>& list = lists_[term];
    if (list == nullptr)
        list = std::make_shared<PostingList>(PostingList::decode(base_.lists[term], lengths_));
    return list;
}

PostingList& FieldIndex::own_list(TermNumber term) {
    if (list(term) == empty_list_) lists_[term] = std::make_shared<PostingList>();
    return *lists_[term];
}

void FieldIndex::remove_posting(TermNumber term, std::uint32_t slot) {
    PostingList& of_term = *list(term);
    of_term.remove(slot, length_of());
    if (of_term.size() == 0) emptied_.push_back(term);
}

/// Searches under way keep a list that goes. One that a changed text comes back to has to stay, or
/// they would miss that text.
void FieldIndex::forget_empty_terms() {
    for (const TermNumber term : emptied_) {
        if (lists_[term] == nullptr || lists_[term]->size() > 0) continue;  // Named twice, or used.
        if (term < base_terms()) {
            lists_[term] = empty_list_;
        } else {
            new_terms_.drop(term - base_terms());
            lists_[term].reset();
        }
    }
    emptied_.clear();
}

void FieldIndex::change(std::uint32_t slot, std::string_view before, std::string_view after) {
    if (!before.empty()) remove(slot, before);
    if (!after.empty()) add(slot, after);
    forget_empty_terms();
}

std::optional<TermNumber> FieldIndex::find(std::string_view term) const {
    if (base_terms() > 0)
        if (const auto found = base_.find_term(term)) return found;
    const auto found = new_terms_.find(term);
    return found ? std::optional(base_terms() + *found) : std::nullopt;
}

TermNumber FieldIndex::number_of(std::string_view term) {
    if (const auto found = find(term)) return *found;
    const TermNumber number = base_terms() + new_terms_.add(term);
    if (number == lists_.size()) lists_.emplace_back();
    lists_[number] = std::make_shared<PostingList>();
    return number;
}

std::optional<WordNumber> FieldIndex::find_word(std::string_view word) const {
    if (base_words() > 0)
        if (const auto found = base_.find_word(word)) return found;
    const auto found = new_words_.find(word);
    return found ? std::optional(base_words() + *found) : std::nullopt;
}

WordNumber FieldIndex::word_of(const Token& token) {
    if (const auto found = find_word(token.word)) return *found;
    const WordNumber number = base_words() + new_words_.add(token.word);
    if (number == word_terms_.size()) {
        word_terms_.emplace_back();
        word_documents_.emplace_back();
    }
    word_terms_[number] = number_of(token.term);
    return number;
}

void FieldIndex::count_word(WordNumber number) {
    const std::uint32_t documents = ++word_documents_[number];
    frequent_.change(number, word(number), documents - 1, documents);
    if (documents > 1) return;
    ++word_count_;
    if (number >= base_words()) in_order_.emplace(word(number), number);
}

void FieldIndex::discount_word(WordNumber number) {
    if (word_documents_[number] == 0) return;
    const std::uint32_t documents = --word_documents_[number];
    frequent_.change(number, word(number), documents + 1, documents);
    if (documents > 0) return;
    --word_count_;
    if (number < base_words()) return;
    in_order_.erase(word(number));
    new_words_.drop(number - base_words());
}

void FieldIndex::add(std::uint32_t slot, std::string_view text) {
    analyzer_.analyze(text, &tokens_);
    if (tokens_.empty()) return;
    assert(length(slot) == 0);
    if (slot >= lengths_.size())
        lengths_.resize(std::max<std::size_t>(slot + std::size_t{1}, lengths_.size() * 3 / 2));
    const auto size = static_cast<std::uint32_t>(tokens_.size());
    lengths_[slot] = size;
    ++documents_;
    total_length_ += size;

    occurrences_.clear();
    seen_.clear();
    for (const Token& token : tokens_) {
        const WordNumber word = word_of(token);
        seen_.push_back(word);
        occurrences_.push_back({word_terms_[word], token.position});
    }
    std::ranges::sort(seen_);
    seen_.erase(std::unique(seen_.begin(), seen_.end()), seen_.end());
    for (const WordNumber word : seen_) count_word(word);
    if (keeping_) new_documents_[slot] = {hash64(text, seed_), seen_};
    std::ranges::sort(occurrences_, [](const Occurrence& a, const Occurrence& b) {
        return a.term != b.term ? a.term < b.term : a.position < b.position;
    });
    for (std::size_t at = 0; at < occurrences_.size();) {
        const TermNumber term = occurrences_[at].term;
        positions_.clear();
        for (; at < occurrences_.size() && occurrences_[at].term == term; ++at)
            positions_.push_back(occurrences_[at].position);
        own_list(term).add({slot, positions_, size}, length_of());
    }
}

void FieldIndex::remove(std::uint32_t slot, std::string_view text) {
    if (length(slot) == 0) return;
    analyzer_.analyze(text, &tokens_);
    std::ranges::sort(tokens_, {}, &Token::word);
    // What is not there is of a segment whose parts say different things, or was met before:
    // another word may have had the same stem.
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
        if (i > 0 && tokens_[i].word == tokens_[i - 1].word) continue;
        if (const auto term = find(tokens_[i].term)) remove_posting(*term, slot);
        if (const auto word = find_word(tokens_[i].word)) discount_word(*word);
    }
    forget_length(slot);
}

ExpandedWord FieldIndex::expanded(WordNumber word, std::uint32_t edits) const {
    return {std::string(term(word_terms_[word])), edits, word_documents_[word]};
}

std::uint32_t FieldIndex::base_from(std::string_view from) const {
    std::uint32_t low = 0, high = base_words();
    while (low < high) {
        const std::uint32_t middle = low + (high - low) / 2;
        if (base_.words[middle] < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

std::uint32_t FieldIndex::base_behind(std::string_view prefix) const {
    std::uint32_t low = base_from(prefix), high = base_words();
    while (low < high) {
        const std::uint32_t middle = low + (high - low) / 2;
        if (base_.words[middle].starts_with(prefix))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/// From the most frequent class of words on, as long as fewer are found than are wanted; words of
/// one document are all alike, so that the first will do.
FieldIndex::Looked FieldIndex::expand_prefix(const std::string& prefix, std::size_t look_at_most,
                                             std::map<std::string, ExpandedWord>* out) const {
    Looked looked;
    std::vector<WordNumber> found;
    const auto take = [&](WordNumber number) {
        if (looked.at == look_at_most) return looked.all = false;
        ++looked.at;
        found.push_back(number);
        return true;
    };
    const std::uint32_t first = base_from(prefix), end = base_behind(prefix);
    for (std::size_t i = frequent_.classes(); i-- > 0 && found.size() <= kPrefixWordsMax;)
        if (!frequent_.visit(i, prefix, first, end, take)) break;
    WordWalk walk(*this);
    for (walk.seek(prefix); looked.all && found.size() <= kPrefixWordsMax && !walk.at_end() &&
                            walk.word().starts_with(prefix);
         walk.step())
        if (word_documents_[walk.number()] == 1) take(walk.number());
    std::ranges::sort(found, [this](WordNumber a, WordNumber b) {
        if (word_documents_[a] != word_documents_[b])
            return word_documents_[a] > word_documents_[b];
        return word(a) < word(b);
    });
    looked.more = !looked.all || found.size() > kPrefixWordsMax;
    if (found.size() > kPrefixWordsMax) found.resize(kPrefixWordsMax);
    for (const WordNumber number : found)
        out->emplace(std::string(word(number)), expanded(number, 0));
    return looked;
}

FieldIndex::Looked FieldIndex::expand_typo(const std::string& word, std::uint32_t edits,
                                           std::size_t look_at_most,
                                           std::map<std::string, ExpandedWord>* out) const {
    EditWalk edit(word, edits);
    Looked looked;
    std::string next(edit.first_character());
    const std::string first = next;
    WordWalk walk(*this);
    walk.seek(next);
    while (!walk.at_end() && walk.word().starts_with(first)) {
        if (looked.at == look_at_most) {
            looked.all = false;
            break;
        }
        ++looked.at;
        const std::string_view other = walk.word();
        if (const auto distance = edit.distance(other)) {
            if (other != word) out->emplace(std::string(other), expanded(walk.number(), *distance));
            walk.step();
        } else if (edit.skip_from(other, &next)) {
            walk.seek(next);
        } else {
            walk.step();
        }
    }
    return looked;
}

void FieldIndex::visit_words(VisitWord visit) const {
    WordWalk walk(*this);
    for (walk.seek({}); !walk.at_end(); walk.step()) visit(walk.word(), walk.number());
}

std::size_t FieldIndex::bytes() const {
    constexpr std::size_t kControl = 16;  // Of what is shared.
    std::size_t out = lengths_.capacity() * sizeof(std::uint32_t);
    out += lists_.capacity() * sizeof(lists_[0]);
    for (const auto& list : lists_)
        if (list != nullptr && list != empty_list_) out += list->bytes() + kControl;
    out += word_terms_.capacity() * (sizeof(TermNumber) + sizeof(std::uint32_t));
    out += frequent_.bytes() + new_words_.bytes() + new_terms_.bytes();
    out += in_order_.size() * sizeof(*in_order_.begin());
    out += new_documents_.capacity() * (sizeof(*new_documents_.begin()) + 1);
    for (const auto& [slot, document] : new_documents_)
        out += document.words.capacity() * sizeof(WordNumber);
    return out;
}

}  // namespace tidal::text
