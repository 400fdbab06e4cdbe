// bench/hybrid/exact_lists.h: what a hybrid query finds by looking at everything, and the fusion of
// two lists by reciprocal ranks (Cormack, Clarke & Büttcher, SIGIR 2009).
#pragma once

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "text/bm25.h"
#include "vector_sets.h"

namespace tidal::bench {

using Ids = std::vector<std::uint32_t>;  ///< Best first, or of one word, rising.

/// The best `top` of (score, id), of equal ones the lesser id first.
inline Ids best_of(std::vector<std::pair<double, std::uint32_t>> all, std::size_t top) {
    const auto before = [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    };
    top = std::min(top, all.size());
    std::ranges::partial_sort(all, all.begin() + static_cast<std::ptrdiff_t>(top), before);
    Ids out;
    for (std::size_t i = 0; i < top; ++i) out.push_back(all[i].second);
    return out;
}

inline Ids fuse(const Ids& words, const Ids& near, std::size_t top) {
    constexpr double kRankBase = 60;
    absl::flat_hash_map<std::uint32_t, double> scores;
    scores.reserve(words.size() + near.size());
    for (const Ids* list : {&words, &near})
        for (std::size_t i = 0; i < list->size(); ++i)
            scores[(*list)[i]] += 1 / (kRankBase + static_cast<double>(i + 1));
    std::vector<std::pair<double, std::uint32_t>> all;
    all.reserve(scores.size());
    for (const auto& [id, score] : scores) all.emplace_back(score, id);
    return best_of(std::move(all), top);
}

/// BM25 with exact lengths, of texts that are words between spaces.
class ExactWords {
public:
    explicit ExactWords(const std::vector<std::string>& documents) {
        for (std::uint32_t id = 0; id < documents.size(); ++id) {
            std::istringstream in(documents[id]);
            std::uint32_t length = 0;
            for (std::string word; in >> word; ++length) {
                auto& list = postings_[word];
                if (list.empty() || list.back().id != id) list.push_back({id, 0});
                ++list.back().frequency;
            }
            lengths_.push_back(length);
            total_ += length;
        }
    }

    Ids best(const std::string& query, std::size_t top) const {
        absl::flat_hash_map<std::uint32_t, double> scores;
        std::istringstream in(query);
        for (std::string word; in >> word;) {
            const auto found = postings_.find(word);
            if (found == postings_.end()) continue;
            const text::Bm25 bm25({}, lengths_.size(), total_, found->second.size());
            for (const auto& [id, frequency] : found->second)
                scores[id] += bm25.score(frequency, lengths_[id]);
        }
        std::vector<std::pair<double, std::uint32_t>> all;
        for (const auto& [id, score] : scores) all.emplace_back(score, id);
        return best_of(std::move(all), top);
    }

private:
    struct Posting {
        std::uint32_t id, frequency;
    };
    absl::flat_hash_map<std::string, std::vector<Posting>> postings_;
    std::vector<std::uint32_t> lengths_;
    std::uint64_t total_ = 0;
};

/// The nearest by l2.
inline Ids nearest(const VectorSet& set, std::size_t query, std::size_t top) {
    const auto to = set.query(query);
    std::vector<std::pair<double, std::uint32_t>> all;
    for (std::size_t i = 0; i < set.size(); ++i) {
        const float* const row = set.row(i);
        float sum = 0;
        for (std::size_t d = 0; d < set.dimensions; ++d) {
            const float difference = row[d] - to[d];
            sum += difference * difference;
        }
        all.emplace_back(-static_cast<double>(sum), static_cast<std::uint32_t>(i));
    }
    return best_of(std::move(all), top);
}

/// The share of `wanted` that was found.
inline double share_found(const Ids& found, const Ids& wanted) {
    const std::set<std::uint32_t> all(found.begin(), found.end());
    const auto hits = std::ranges::count_if(wanted, [&](auto id) { return all.contains(id); });
    return wanted.empty() ? 1 : static_cast<double>(hits) / static_cast<double>(wanted.size());
}

}  // namespace tidal::bench
