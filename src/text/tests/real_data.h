// How well the index of this module ranks a collection.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "text/search.h"
#include "text/tests/collections.h"

namespace tidal::text {

struct Quality {
    double map = 0, ndcg_10 = 0, mrr = 0;
};

class Ranking {
public:
    Ranking(const std::map<std::uint32_t, std::string>& documents, Analyzer::Options analysis,
            Bm25Options scoring) {
        index_.set_fields({{FieldId(0), "text", std::move(analysis), scoring}});
        for (const auto& [number, text] : documents)
            index_.change(Slot(number), FieldId(0), "", text);
    }

    /// Documents, the best first.
    std::vector<std::uint32_t> answer(const std::string& text, std::size_t keep = 1'000) {
        return answer(text, keep, false);
    }
    std::vector<std::uint32_t> answer_with_typos(const std::string& text, std::size_t keep) {
        return answer(text, keep, true);
    }

    /// Means over the queries that have an answer; gains are 0 and 1.
    Quality measure(const Collection& collection) {
        Quality out;
        for (const auto& [query, relevant] : collection.relevant) {
            double found = 0, precisions = 0, gain = 0, ideal = 0, first = 0;
            double rank = 0;
            for (const std::uint32_t document : answer(collection.queries.at(query))) {
                ++rank;
                if (!relevant.contains(document)) continue;
                ++found;
                precisions += found / rank;
                if (rank <= 10) gain += 1 / std::log2(rank + 1);
                if (first == 0) first = rank;
            }
            for (std::size_t i = 1; i <= std::min<std::size_t>(relevant.size(), 10); ++i)
                ideal += 1 / std::log2(static_cast<double>(i) + 1);
            out.map += precisions / static_cast<double>(relevant.size());
            out.ndcg_10 += gain / ideal;
            out.mrr += first == 0 ? 0 : 1 / first;
        }
        const auto queries = static_cast<double>(collection.relevant.size());
        return {out.map / queries, out.ndcg_10 / queries, out.mrr / queries};
    }

private:
    struct Best final : Collector {
        explicit Best(std::size_t most) : keep(most) {}
        double least() const override { return found.size() < keep ? -1 : -found.rbegin()->first; }
        void offer(double score, std::uint32_t slot) override {
            found.emplace(-score, slot);
            if (found.size() > keep) found.erase(std::prev(found.end()));
        }
        const std::size_t keep;
        std::set<std::pair<double, std::uint32_t>> found;
    };

    std::vector<std::uint32_t> answer(const std::string& text, std::size_t keep, bool typos) {
        const QueryNode root{
            .kind = QueryNode::Kind::kAny,
            .text = {},
            .field = {},
            .children = {
                {.kind = QueryNode::Kind::kWord, .text = text, .field = {}, .children = {}}}};
        Statistics statistics;
        index_.gather_fields(&statistics);
        index_.gather(root.children[0], false, &statistics);
        if (typos) index_.gather(root.children[0], true, &statistics);
        statistics.choose_words();
        Best best(keep);
        Search search(index_, root, statistics, typos);
        search.run(best, nullptr, [](double) { return true; });
        std::vector<std::uint32_t> out;
        for (const auto& [score, slot] : best.found) out.push_back(slot);
        return out;
    }

    TextIndex index_;
};

}  // namespace tidal::text
