#include "api/recent_queries.h"

#include <algorithm>

#include "base/detmath.h"
#include "text/analyzer.h"

namespace tidal::api {
namespace {

/// Folded, one blank between words, none before; one after it where there was one.
std::string folded(std::string_view text) {
    std::string out;
    for (const char c : text::fold(text)) {
        if (c != ' ') {
            out += c;
        } else if (!out.empty() && out.back() != ' ') {
            out += ' ';
        }
    }
    return out;
}

}  // namespace

double RecentQueries::weight_at(const Use& use, UnixMillis now_ms) {
    const auto age_ms = static_cast<double>(std::max<UnixMillis>(0, now_ms - use.at_ms));
    return use.weight * detmath::pow(0.5, age_ms / static_cast<double>(kHalfLifeMs));
}

void RecentQueries::add(std::string_view text, UnixMillis now_ms) {
    if (text.size() > kBytesMax) return;
    std::string query = folded(text);
    if (query.ends_with(' ')) query.pop_back();
    if (query.empty()) return;
    const std::lock_guard lock(mutex_);
    Use& use = uses_[query];
    use.weight = weight_at(use, now_ms) + 1;
    use.at_ms = now_ms;
    ++use.uses;
    if (uses_.size() > kQueriesMax) make_room(now_ms);
}

/// The lesser half goes, so that the next thousands of new ones cost nothing.
void RecentQueries::make_room(UnixMillis now_ms) {
    std::vector<double> weights;
    for (const auto& [text, use] : uses_) weights.push_back(weight_at(use, now_ms));
    const auto middle = weights.begin() + static_cast<std::ptrdiff_t>(weights.size() / 2);
    std::ranges::nth_element(weights, middle);
    for (auto it = uses_.begin(); it != uses_.end();)
        it = weight_at(it->second, now_ms) <= *middle ? uses_.erase(it) : std::next(it);
}

std::vector<RecentQueries::Query> RecentQueries::find(std::string_view beginning, std::size_t limit,
                                                      UnixMillis now_ms) const {
    const std::string prefix = folded(beginning);
    std::vector<Query> out;
    if (prefix.empty()) return out;
    {
        const std::lock_guard lock(mutex_);
        for (auto it = uses_.lower_bound(prefix);
             it != uses_.end() && it->first.starts_with(prefix); ++it)
            if (it->second.uses >= kUsesMin)
                out.push_back({it->first, weight_at(it->second, now_ms)});
    }
    std::ranges::sort(out, [](const Query& a, const Query& b) {
        return a.score != b.score ? a.score > b.score : a.text < b.text;
    });
    if (out.size() > limit) out.resize(limit);
    return out;
}

}  // namespace tidal::api
