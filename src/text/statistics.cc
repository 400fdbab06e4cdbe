#include "text/statistics.h"

#include <algorithm>

namespace tidal::text {

void Statistics::add(const Statistics& other) {
    if (fields.size() < other.fields.size()) fields.resize(other.fields.size());
    for (std::size_t i = 0; i < other.fields.size(); ++i) {
        fields[i].documents += other.fields[i].documents;
        fields[i].length += other.fields[i].length;
    }
    for (const auto& [term, documents] : other.holders) holders[term] += documents;
    for (const auto& [expansion, found] : other.words) {
        auto& here = words[expansion];
        for (const auto& [word, each] : found) {
            const auto [at, added] = here.emplace(word, each);
            if (!added) at->second.documents += each.documents;
        }
    }
    cut = cut || other.cut;
    prefix_unseen = prefix_unseen || other.prefix_unseen;
    typos_unseen = typos_unseen || other.typos_unseen;
}

void Statistics::choose_words() {
    for (auto& [expansion, found] : words) {
        const bool prefix = expansion.kind == Expansion::Kind::kPrefix;
        const std::size_t most = prefix ? kPrefixWordsMax : kTypoWordsMax;
        if (found.size() <= most) continue;
        cut = cut || prefix;
        std::vector<decltype(found.begin())> order;
        for (auto at = found.begin(); at != found.end(); ++at) order.push_back(at);
        std::ranges::stable_sort(order, [](const auto& a, const auto& b) {
            if (a->second.edits != b->second.edits) return a->second.edits < b->second.edits;
            return a->second.documents > b->second.documents;
        });
        for (std::size_t i = most; i < order.size(); ++i) found.erase(order[i]);
    }
}

}  // namespace tidal::text
