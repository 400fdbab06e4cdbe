#include <algorithm>

#include "query/diversity.h"
#include "query/feed.h"
#include "query/internal/item_order.h"
#include "ranking/candidate_source.h"

namespace tidal::query {

namespace {

/// Rules never move a pinned item, nor bring a buried one before another.
std::vector<ScoredItem> diversified(const FeedPlan& plan, std::vector<ScoredItem> all,
                                    FeedPage* page) {
    std::vector<DiverseItem> values;
    std::size_t pinned = 0;
    double score = 0;
    for (ScoredItem& item : all) {
        if (Pins::is_buried(item.key)) break;
        values.push_back(std::move(*item.diverse));
        // What is explored keeps its place, whatever its score.
        if (!item.explored || values.size() == pinned + 1) score = item.key;
        values.back().score = score;
        if (item.is_pinned()) ++pinned;
    }
    const DiversePage chosen = diversify(plan.diversity, values, plan.limit, pinned);
    for (const std::size_t rule : chosen.given_up)
        page->warnings.push_back("diversity: `" + print_diversity_rule(plan.diversity[rule]) +
                                 "` was given up to fill the page");
    page->constraints_satisfied = chosen.given_up.empty();
    std::vector<ScoredItem> out;
    for (const std::size_t at : chosen.chosen) out.push_back(std::move(all[at]));
    for (std::size_t at = values.size(); at < all.size() && out.size() < plan.limit; ++at)
        out.push_back(std::move(all[at]));
    return out;
}

/// Leaves of each half of the pool what it would be with one shard.
void trim_pool(const FeedPlan& plan, std::vector<ScoredItem>* pool) {
    std::ranges::sort(*pool, [](const ScoredItem& a, const ScoredItem& b) {
        return ItemOrder::before(a.explored->chance, a.id, b.explored->chance, b.id);
    });
    const Viewer* const user = plan.user ? &*plan.user : nullptr;
    std::size_t room[] = {exploration_pool(user, false), exploration_pool(user, true)};
    std::erase_if(*pool, [&](const ScoredItem& item) {
        std::size_t& left = room[item.explored->outside ? 1 : 0];
        return left == 0 || left-- == 0;
    });
}

/// What still has a place in its group: pinned items have, and count.
class GroupRoom {
public:
    explicit GroupRoom(const FeedPlan& plan)
        : top_(plan.group ? plan.group->top : 0), counts_(plan.shown_groups) {}

    bool has(const ScoredItem& item) const {
        if (!item.group || item.is_pinned()) return true;
        const auto found = counts_.find(group_hash(*item.group));
        return found == counts_.end() || found->second < top_;
    }
    /// Whether there was room.
    bool take(const ScoredItem& item) {
        if (!has(item)) return false;
        if (item.group) ++counts_[group_hash(*item.group)];
        return true;
    }

private:
    const std::uint32_t top_;
    absl::flat_hash_map<ShortHash, std::uint32_t> counts_;
};

/// Leaves of each group what still has a place. @param all  In the order of the page.
void limit_groups(const FeedPlan& plan, std::vector<ScoredItem>* all) {
    GroupRoom room(plan);
    std::erase_if(*all, [&](const ScoredItem& item) { return !room.take(item); });
}

/// Gives the places of exploration to the greatest draws of the pool that their groups have room
/// for, every second one to what is outside; what is on the page by its score needs none.
/// @param all  In the order of the page, of each group what has a place in it.
void explore(const FeedPlan& plan, std::span<ShardPage> pages, std::vector<ScoredItem>* all) {
    std::vector<ScoredItem> pool;
    for (std::size_t shard = 0; shard < pages.size(); ++shard)
        for (ScoredItem& item : pages[shard].pool) {
            item.shard = shard;
            pool.push_back(std::move(item));
        }
    if (pages.size() > 1) trim_pool(plan, &pool);
    absl::flat_hash_set<EntityId> known;
    for (std::size_t i = 0; i < all->size() && i < plan.limit; ++i) known.insert((*all)[i].id);
    std::vector<ScoredItem*> drawn;
    for (ScoredItem& item : pool)
        if (!known.contains(item.id)) drawn.push_back(&item);
    std::ranges::sort(drawn, [](const ScoredItem* a, const ScoredItem* b) {
        return ItemOrder::before(a->explored->draw, a->id, b->explored->draw, b->id);
    });
    std::vector<ScoredItem> out;
    absl::flat_hash_set<EntityId> chosen;
    GroupRoom room(plan);
    const auto place_explored = [&] {
        const std::uint64_t rank = plan.shown + out.size() + 1;
        // Behind what is buried comes nothing else.
        if (drawn.empty() || out.size() >= plan.limit ||
            (!out.empty() && Pins::is_buried(out.back().key)) ||
            !is_exploration_place(rank, plan.explore_percent))
            return false;
        const auto first = [&](bool outside) {
            return std::ranges::find_if(drawn, [&](const ScoredItem* item) {
                return (item->explored->outside || !outside) && room.has(*item);
            });
        };
        auto next = first(is_outside_place(rank, plan.explore_percent));
        if (next == drawn.end()) next = first(false);
        if (next == drawn.end()) return false;
        room.take(**next);
        chosen.insert((*next)->id);
        out.push_back(std::move(**next));
        drawn.erase(next);
        return true;
    };
    for (ScoredItem& item : *all) {
        if (!item.is_pinned())
            while (place_explored()) {
            }
        if (!chosen.contains(item.id) && room.take(item)) out.push_back(std::move(item));
    }
    while (place_explored()) {
    }
    *all = std::move(out);
}

/// What the shards found, one behind the other.
std::vector<ScoredItem> all_items(std::span<ShardPage> pages) {
    if (pages.size() == 1) return std::move(pages.front().items);
    std::size_t items = 0;
    for (const ShardPage& page : pages) items += page.items.size();
    std::vector<ScoredItem> all;
    all.reserve(items);
    for (std::size_t shard = 0; shard < pages.size(); ++shard)
        for (ScoredItem& item : pages[shard].items) {
            item.shard = shard;
            all.push_back(std::move(item));
        }
    return all;
}

ShownGroups groups_after(const FeedPlan& plan, const FeedPage& page) {
    auto counts = plan.shown_groups;
    for (const ScoredItem& item : page.items)
        if (item.group) ++counts[group_hash(*item.group)];
    ShownGroups out(counts.begin(), counts.end());
    std::ranges::sort(out);
    if (out.size() > kShownMax) out.resize(kShownMax);  // Then the sequence ends.
    return out;
}

Cursor cursor_after(const FeedPlan& plan, const FeedPage& page) {
    Cursor cursor{.query = plan.query,
                  .now_ms = plan.now_ms,
                  .seed = plan.seed,
                  .shown = plan.shown + page.items.size(),
                  .after = std::nullopt,
                  .shown_hashes = {}};
    if (plan.positions_stay()) {
        const ScoredItem& last = page.items.back();
        cursor.after = PagePosition{ItemOrder(plan.descending()).key(last.key), last.id,
                                    std::string(last.order_text())};
        return cursor;
    }
    auto& shown = cursor.shown_hashes;
    shown.reserve(plan.shown_hashes.size() + page.items.size());
    shown.assign(plan.shown_hashes.begin(), plan.shown_hashes.end());
    for (const ScoredItem& item : page.items)
        if (shown.size() < kShownMax) shown.push_back(short_hash(item.id));
    std::ranges::sort(shown);
    shown.erase(std::unique(shown.begin(), shown.end()), shown.end());
    if (plan.group) cursor.shown_groups = groups_after(plan, page);
    return cursor;
}

/// What the words of the request were searched for as, in the order of the fields and terms.
std::vector<TermExplanation> explain_terms(const text::Statistics& statistics, bool typos) {
    std::vector<TermExplanation> out;
    const auto add = [&](FieldId field, const std::string& term, std::uint64_t documents,
                         std::string of, std::uint32_t edits) {
        if (documents > 0 && out.size() < kTermsExplainedMax)
            out.push_back({field, term, documents, std::move(of), edits});
    };
    for (const auto& [term, documents] : statistics.holders)
        if (!typos) add(term.first, term.second, documents, {}, 0);
    for (const auto& [expansion, words] : statistics.words) {
        const bool prefix = expansion.kind == text::Expansion::Kind::kPrefix;
        if (prefix == typos) continue;
        for (const auto& [word, each] : words)
            add(expansion.field, each.term, each.documents, expansion.text + (prefix ? "*" : ""),
                each.edits);
    }
    return out;
}

/// Which way the search of texts took, and why: by the words as they are, or what only typos find.
SourceExplanation explain_texts(const FeedPlan& plan, std::size_t source, bool typos) {
    const text::SearchTrace& trace = typos ? plan.text->typo_trace : plan.text->trace;
    SourceExplanation out{.source = ranking::print_source(plan.sources[source]),
                          .path = {},
                          .why = {},
                          .trace = {},
                          .texts = SourceExplanation::Texts{}};
    out.texts->terms = explain_terms(plan.text->statistics, typos);
    out.texts->trace = trace;
    out.texts->listed = source < plan.ranks.size() ? plan.ranks[source].size() : 0;
    if (!plan.reads(plan.sources[source])) {
        out.texts->trace = {};
        out.path = "none";
        out.why = "asked only for who has liked nothing yet";
        return out;
    }
    const auto add = [&out](bool taken, std::string_view path, std::string_view why) {
        if (!taken) return;
        out.path += (out.path.empty() ? "" : "+") + std::string(path);
        out.why += (out.why.empty() ? "" : "; ") + std::string(why);
    };
    add(typos, "typos", "the words as they stand find fewer than there is room for");
    add(trace.unions > 0, "union",
        "any of the terms will do: what cannot be among the best by its bound is passed over");
    add(trace.intersections > 0, "intersection",
        "every word is needed: those of the shortest lists are looked up in the others");
    add(trace.phrases > 0, "phrase",
        "words in a row: where all of them are, their places are read");
    add(trace.cursors > 0, "cursors", "words in groups: the lists leap to each other");
    const bool found = trace.unions + trace.intersections + trace.phrases + trace.cursors > 0;
    add(!found, "none", "no text has the words");
    return out;
}

/// Which way a source of what is near took, and why.
SourceExplanation explain_near(const FeedPlan& plan, std::size_t source) {
    SourceExplanation out{.source = ranking::print_source(plan.sources[source]),
                          .path = {},
                          .why = {},
                          .trace = plan.ann_traces[source],
                          .texts = {}};
    const auto add = [](std::string_view part, std::string_view by, std::string* to) {
        if (!to->empty()) *to += by;
        *to += part;
    };
    const vector::SearchTrace& trace = out.trace;
    if (trace.graphs > 0) {
        add("graph", "+", &out.path);
        add("many of a graph's nodes are candidates", "; ", &out.why);
    }
    if (trace.listed > 0 || (trace.given_up > 0 && trace.coded > 0)) add("codes", "+", &out.path);
    if (trace.given_up > 0 && trace.coded == 0) add("scan", "+", &out.path);
    if (trace.listed > 0)
        add("comparing the candidates by their codes is cheaper than a way through a graph", "; ",
            &out.why);
    if (trace.given_up > 0)
        add("a way through a graph took too long or found too few, the candidates were compared",
            "; ", &out.why);
    if (!out.path.empty()) return out;
    out.path = "scan";
    out.why = plan.effort == vector::Effort::kExact ? "effort=exact compares every candidate"
              : trace.candidates == 0
                  ? "no candidate has a vector"
                  : "comparing them exactly is cheapest, or there is no graph of them";
    return out;
}

}  // namespace

FeedPage merge_pages(const FeedPlan& plan, std::span<ShardPage> pages, const CursorCodec& cursors) {
    FeedPage out;
    out.warnings = plan.warnings;
    if (plan.explain && plan.filter) out.filter = describe_nodes(*plan.filter);
    for (std::size_t source = 0; plan.explain && source < plan.ann_traces.size(); ++source) {
        if (plan.sources[source].kind == ranking::SourceKind::kAnn)
            out.sources.push_back(explain_near(plan, source));
        if (plan.sources[source].kind != ranking::SourceKind::kText) continue;
        out.sources.push_back(explain_texts(plan, source, false));
        if (plan.text->typos) out.sources.push_back(explain_texts(plan, source, true));
    }
    std::vector<std::vector<FacetCounts>> counts;
    for (ShardPage& page : pages) counts.push_back(std::move(page.facets));
    out.facets = merge_facets(plan.facets, counts);
    std::vector<ScoredItem> all = all_items(pages);
    for (std::size_t shard = 0; shard < pages.size(); ++shard) {
        out.counts.candidates += pages[shard].counts.candidates;
        out.counts.matched += pages[shard].counts.matched;
        out.counts.scored += pages[shard].counts.scored;
        for (std::size_t node = 0; node < pages[shard].filter_trace.size(); ++node)
            out.filter[node].trace += pages[shard].filter_trace[node];
    }
    const ItemOrder order(plan.descending());
    // The ids of different shards differ, so no two items are equal and any sort gives one result.
    if (pages.size() > 1)
        std::ranges::sort(all, [&](const ScoredItem& a, const ScoredItem& b) {
            return order.before({a.key, a.order_text(), a.id}, {b.key, b.order_text(), b.id});
        });
    if (plan.group) limit_groups(plan, &all);
    if (plan.explore_percent != 0) explore(plan, pages, &all);
    bool more = all.size() > plan.limit;
    for (const ShardPage& page : pages) more = more || page.more;
    if (!plan.diversity.empty()) {
        all = diversified(plan, std::move(all), &out);
    } else if (all.size() > plan.limit) {
        all.resize(plan.limit);
    }
    out.items = std::move(all);
    std::uint64_t rank = plan.shown;
    for (ScoredItem& item : out.items) item.rank = ++rank;
    if (more && !out.items.empty()) out.next_cursor = cursors.encode(cursor_after(plan, out));
    return out;
}

}  // namespace tidal::query
