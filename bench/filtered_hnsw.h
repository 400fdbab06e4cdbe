// bench/filtered_hnsw.h: the peer of searches under a filter.
#pragma once

#include <hnswlib/hnswlib.h>

#include <cstddef>
#include <cstdint>
#include <queue>
#include <utility>
#include <vector>

namespace tidal::bench {

/// hnswlib with a filter: its own loop (searchBaseLayerST), which lists what is accepted only.
class FilteredHnsw : public hnswlib::HierarchicalNSW<float> {
    using Near = std::pair<float, hnswlib::tableint>;

public:
    using hnswlib::HierarchicalNSW<float>::HierarchicalNSW;

    /// At most `most` labels, the farthest first.
    std::vector<std::uint32_t> search(const float* query, std::size_t ef,
                                      const std::vector<bool>& accepted, std::size_t most) {
        hnswlib::tableint at = enterpoint_node_;
        float nearest = distance(query, at);
        for (int layer = maxlevel_; layer > 0; --layer)
            for (bool nearer = true; nearer;) {
                nearer = false;
                const auto* const list = get_linklist(at, layer);
                const std::size_t count = getListCount(const_cast<unsigned*>(list));
                for (std::size_t i = 1; i <= count; ++i) {
                    const float d = distance(query, list[i]);
                    if (d >= nearest) continue;
                    nearest = d;
                    at = list[i];
                    nearer = true;
                }
            }
        return base_layer(query, ef, accepted, most, {nearest, at});
    }

private:
    float distance(const float* query, hnswlib::tableint node) const {
        return fstdistfunc_(query, getDataByInternalId(node), dist_func_param_);
    }

    std::vector<std::uint32_t> base_layer(const float* query, std::size_t ef,
                                          const std::vector<bool>& accepted, std::size_t most,
                                          Near entry) {
        auto* const visited = visited_list_pool_->getFreeVisitedList();
        auto* const marks = visited->mass;
        const auto mark = visited->curV;
        std::priority_queue<Near> top, candidates;
        candidates.emplace(-entry.first, entry.second);
        if (accepted[getExternalLabel(entry.second)]) top.push(entry);
        marks[entry.second] = mark;
        while (!candidates.empty()) {
            const Near next = candidates.top();
            if (top.size() == ef && -next.first > top.top().first) break;
            candidates.pop();
            const auto* const list = get_linklist0(next.second);
            const std::size_t count = getListCount(const_cast<unsigned*>(list));
            __builtin_prefetch(getDataByInternalId(list[1]));
            for (std::size_t i = 1; i <= count; ++i) {
                if (i < count) {
                    __builtin_prefetch(marks + list[i + 1]);
                    __builtin_prefetch(getDataByInternalId(list[i + 1]));
                }
                if (marks[list[i]] == mark) continue;
                marks[list[i]] = mark;
                const float d = distance(query, list[i]);
                if (top.size() == ef && d >= top.top().first) continue;
                candidates.emplace(-d, list[i]);
                if (!accepted[getExternalLabel(list[i])]) continue;
                top.emplace(d, list[i]);
                if (top.size() > ef) top.pop();
            }
        }
        visited_list_pool_->releaseVisitedList(visited);
        while (top.size() > most) top.pop();
        std::vector<std::uint32_t> out;
        for (; !top.empty(); top.pop())
            out.push_back(static_cast<std::uint32_t>(getExternalLabel(top.top().second)));
        return out;
    }
};

}  // namespace tidal::bench
