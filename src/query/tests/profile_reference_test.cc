// Whole profiles against the reference: sources with limits, filters, requirements, scores,
// penalties, orders and diversity, over items of one shard or several.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "query/tests/reference_feed.h"
#include "ranking/tests/random_expression.h"
#include "ranking/tests/sample_schema.h"

namespace tidal::query {
namespace {

using ranking::DiversityKind;
using ranking::Profile;
using ranking::SourceKind;

/// What both sides compute to the last bit. Decayed sums are rounded differently; `random` is
/// nothing to compute a second time.
ranking::Expr random_exact(int depth, const std::vector<ranking::Source>& sources) {
    std::vector<std::string> ranked;
    for (const auto& source : sources)
        if (source.kind != SourceKind::kScan) ranked.push_back(print_source(source));
    for (;;) {
        ranking::Expr out = ranking::RandomExpression::make(depth, ranked);
        const std::string text = ranking::print_expression(out);
        if (text.find("decay(") == text.npos && text.find("random(") == text.npos) return out;
    }
}
ranking::Expr parsed(const std::string& text) {
    return *ranking::parse_expression(text);
}

std::vector<ranking::Source> random_sources() {
    std::vector<ranking::Source> out;
    for (std::size_t i = die(4); i > 0; --i) {
        ranking::Source source;
        source.kind = *rc::gen::element(SourceKind::kScan, SourceKind::kRecent,
                                        SourceKind::kOrdered, SourceKind::kWindowTop);
        if (source.kind == SourceKind::kOrdered || source.kind == SourceKind::kWindowTop)
            source.name = *rc::gen::element<std::string>("view", "like", "share");
        if (source.kind == SourceKind::kWindowTop)
            source.window = static_cast<schema::Window>(die(6));
        source.weight = *rc::gen::element(1.0, 1.0, 0.3, 7.0);
        if (source.kind != SourceKind::kScan) source.limit = 1 + static_cast<std::uint32_t>(die(9));
        if (std::ranges::none_of(out, [&](const auto& s) { return s.same_list(source); }))
            out.push_back(source);
    }
    if (out.empty()) out.emplace_back();
    if (out.size() == 1) out[0].weight = 1;  // The language has weights in unions.
    return out;
}

Profile random_profile(std::size_t number) {
    Profile out;
    out.name = "p" + std::to_string(number);
    out.sources = random_sources();
    out.params = {{"x", 2.5}, {"y", -3}};
    for (std::size_t i = die(3); i > 0; --i)
        out.gates.push_back(die(2) == 0 ? random_exact(2, out.sources)
                                        : parsed("year > -1 - count(view, all)"));
    out.score = die(3) == 0 ? parsed("sum(view, 24h) - price") : random_exact(3, out.sources);
    const bool ranked =
        std::ranges::any_of(out.sources, [](const auto& s) { return s.kind != SourceKind::kScan; });
    if (ranked && die(2) == 0) out.score = parsed("count(view, all) / 1000 + fused");
    for (std::size_t i = die(3); i > 0; --i)
        out.penalties.push_back({*rc::gen::element(1e-6, 0.5, 1.0), random_exact(1, out.sources)});
    out.order.descending = die(3) != 0;
    const ranking::DiversityRule rules[] = {
        {.count = 1 + static_cast<std::uint32_t>(die(3))},
        {.kind = DiversityKind::kMaxShare, .name = "genres", .percent = 10.0 + double(die(90))},
        {.kind = DiversityKind::kMaxShare, .name = "category", .value = "jazz", .percent = 25},
        {.kind = DiversityKind::kMinDistinct,
         .name = "category",
         .count = 1 + static_cast<std::uint32_t>(die(5))}};
    for (const auto& rule : rules)
        if (die(3) == 0) out.diversity.push_back(rule);
    return out;
}

class World {
public:
    World(std::shared_ptr<const schema::Schema> schema, std::size_t shards, std::size_t items) {
        for (std::size_t i = 0; i < shards; ++i)
            shards_.push_back(std::make_unique<ranking::SampleShard>(schema, 1));
        for (std::uint64_t id = 0; id < items; ++id) {
            auto& shard = *shards_[die(shards)];
            reference.items.push_back(random_item(id));
            shard.put(reference.items.back());
            reference.homes[EntityId(id)] = &shard;
            // No more than two of a kind, so that no sum depends on the order of its terms.
            for (const char* name : {"view", "like", "share", "dislike"})
                for (std::size_t i = die(3); i > 0; --i)
                    shard.signal(EntityId(id), name, 1 + double(die(4)) / 4,
                                 kFilterNow - static_cast<std::int64_t>(die(60)) * kHourMs);
            if (die(2) == 0) shard.seen_by(EntityId(id), "view", 1 + die(3));
        }
    }

    Result<FeedPage> ask(const FeedPlan& wanted, const CursorCodec& codec) {
        FeedPlan plan = wanted;
        if (plan.has_lists()) {
            std::vector<std::vector<SourceList>> lists;
            for (const auto& shard : shards_) {
                TIDAL_ASSIGN(auto of_shard, run_sources(shard->view(), plan));
                lists.push_back(std::move(of_shard));
            }
            merge_sources(lists, &plan);
        }
        std::vector<ShardPage> pages;
        for (const auto& shard : shards_) {
            TIDAL_ASSIGN(ShardPage page, run_feed(shard->view(), plan));
            pages.push_back(std::move(page));
        }
        return merge_pages(plan, pages, codec);
    }

    ReferenceWorld reference;

private:
    std::vector<std::unique_ptr<ranking::SampleShard>> shards_;
};

/// 100 worlds of 25 profiles, each asked four times: 10,000 pages.
RC_GTEST_PROP(ProfileReference, PagesEqualTheReference, ()) {
    static const auto schema = ranking::sample_schema();
    static const CursorCodec codec(std::string(32, 'k'));
    World world(schema, 1 + die(3), 1 + die(30));
    std::vector<Profile> profiles;
    std::vector<ranking::StoredProfile> stored;
    for (std::size_t i = 0; i < 25; ++i) {
        profiles.push_back(random_profile(i));
        stored.push_back({profiles[i].name, 1, ranking::print_profile(profiles[i])});
    }
    const ranking::ProfileRegistry registry(*schema, stored);
    for (std::size_t i = 0; i < profiles.size(); ++i) {
        ReferenceFeed reference(*schema, world.reference, profiles[i]);
        for (int request_number = 0; request_number < 4; ++request_number) {
            FeedRequest request;
            request.profile = profiles[i].name;
            request.now_ms = kFilterNow;
            request.limit = static_cast<std::uint32_t>(*rc::gen::element(1, 3, 10, 1000));
            std::optional<FilterNode> filter;
            if (die(2) == 0) filter = RandomFilter::make(static_cast<int>(die(4)));
            if (filter) request.filter = print_filter(*filter);
            for (std::size_t n = die(3); n > 0; --n) request.exclude.push_back(EntityId(die(30)));

            const auto plan = plan_feed(request, *schema, registry, codec);
            if (!plan.ok()) RC_LOG() << stored[i].text << "\n" << plan.error().to_string();
            RC_ASSERT(plan.ok());
            const auto page = world.ask(*plan, codec);
            RC_ASSERT(page.ok());
            const auto expected = reference.page(
                filter, {request.exclude.begin(), request.exclude.end()}, request.limit);
            bool same = page->items.size() == expected.items.size();
            for (std::size_t at = 0; same && at < expected.items.size(); ++at)
                same = page->items[at].id == expected.items[at].item->id &&
                       page->items[at].score == expected.items[at].score;
            if (!same || page->counts.matched != expected.matched ||
                page->counts.candidates != expected.candidates)
                RC_LOG() << stored[i].text << "\nfilter " << request.filter << " limit "
                         << request.limit << "\n";
            RC_ASSERT(page->counts.candidates == expected.candidates);
            RC_ASSERT(page->counts.matched == expected.matched);
            RC_ASSERT(same);
            RC_ASSERT(page->constraints_satisfied == expected.satisfied);
        }
    }
}

}  // namespace
}  // namespace tidal::query
