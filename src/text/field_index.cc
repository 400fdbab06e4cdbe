#include "text/internal/field_index.h"

#include <algorithm>
#include <cassert>

#include "text/internal/edit_walk.h"

namespace tidal::text {

std::optional<TermNumber> FieldIndex::find(std::string_view term) const {
    const auto found = terms_.find(term);
    if (found == terms_.end()) return std::nullopt;
    return found->second;
}

TermNumber FieldIndex::number_of(std::string_view term) {
    const auto next = static_cast<TermNumber>(lists_.size());
    const auto [at, added] = terms_.try_emplace(term, next);
    if (added) {
        lists_.emplace_back();
        names_.emplace_back(term);
    }
    return at->second;
}

FieldIndex::Word* FieldIndex::word_of(const Token& token) {
    const auto [at, added] = words_.try_emplace(token.word);
    if (added) {
        at->second.term = number_of(token.term);
        in_order_.insert(at->first);
    }
    return &at->second;
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
        Word* const word = word_of(token);
        seen_.push_back(word);
        occurrences_.push_back({word->term, token.position});
    }
    std::ranges::sort(seen_);
    const auto repeated = std::ranges::unique(seen_);
    for (auto at = seen_.begin(); at != repeated.begin(); ++at) ++(*at)->documents;
    std::ranges::sort(occurrences_, [](const Occurrence& a, const Occurrence& b) {
        return a.term != b.term ? a.term < b.term : a.position < b.position;
    });
    for (std::size_t at = 0; at < occurrences_.size();) {
        const TermNumber term = occurrences_[at].term;
        positions_.clear();
        for (; at < occurrences_.size() && occurrences_[at].term == term; ++at)
            positions_.push_back(occurrences_[at].position);
        lists_[term].add({slot, positions_, size}, length_of());
    }
}

void FieldIndex::remove(std::uint32_t slot, std::string_view text) {
    if (length(slot) == 0) return;
    analyzer_.analyze(text, &tokens_);
    assert(tokens_.size() == length(slot));
    std::ranges::sort(tokens_, {}, &Token::word);
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
        if (i > 0 && tokens_[i].word == tokens_[i - 1].word) continue;
        const auto word = words_.find(tokens_[i].word);
        assert(word != words_.end());
        lists_[word->second.term].remove(slot, length_of());  // Another word may have had its stem.
        if (--word->second.documents > 0) continue;
        in_order_.erase(word->first);
        words_.erase(word);
    }
    --documents_;
    total_length_ -= lengths_[slot];
    lengths_[slot] = 0;
}

ExpandedWord FieldIndex::expanded(std::string_view word, std::uint32_t edits) const {
    const auto found = words_.find(word);
    assert(found != words_.end());
    return {names_[found->second.term], edits, found->second.documents};
}

std::size_t FieldIndex::expand_prefix(const std::string& prefix, std::size_t look_at_most,
                                      std::map<std::string, ExpandedWord>* out, bool* cut) const {
    std::vector<std::pair<std::uint32_t, std::string_view>> found;
    std::size_t looked_at = 0;
    for (auto at = in_order_.lower_bound(prefix); at != in_order_.end(); ++at) {
        if (!at->starts_with(prefix)) break;
        if (looked_at == look_at_most) {
            *cut = true;
            break;
        }
        ++looked_at;
        found.emplace_back(words_.find(*at)->second.documents, *at);
    }
    if (found.size() > kPrefixWordsMax) {
        *cut = true;
        std::ranges::stable_sort(found,
                                 [](const auto& a, const auto& b) { return a.first > b.first; });
        found.resize(kPrefixWordsMax);
    }
    for (const auto& [documents, word] : found) out->emplace(word, expanded(word, 0));
    return looked_at;
}

std::size_t FieldIndex::expand_typo(const std::string& word, std::uint32_t edits,
                                    std::size_t look_at_most,
                                    std::map<std::string, ExpandedWord>* out) const {
    EditWalk walk(word, edits);
    std::size_t looked_at = 0;
    std::string next(walk.first_character());
    const std::string first = next;
    for (auto at = in_order_.lower_bound(next); at != in_order_.end() && at->starts_with(first);) {
        if (looked_at++ == look_at_most) break;
        if (const auto distance = walk.distance(*at)) {
            if (*at != word) out->emplace(*at, expanded(*at, *distance));
            ++at;
        } else if (walk.skip_from(*at, &next)) {
            at = in_order_.lower_bound(next);
        } else {
            ++at;
        }
    }
    return looked_at;
}

std::size_t FieldIndex::bytes() const {
    constexpr std::size_t kNode = 64;  // About, of a map's entry.
    std::size_t out = lengths_.capacity() * sizeof(std::uint32_t);
    for (const PostingList& list : lists_) out += list.bytes();
    out += words_.size() * (kNode + sizeof(Word) + sizeof(std::string_view));
    return out + terms_.size() * (kNode + sizeof(std::string));
}

}  // namespace tidal::text
