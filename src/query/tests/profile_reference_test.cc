// Whole profiles against the reference: sources with limits and weights, searches, filters,
// definitions, models, requirements, scores, penalties, orders, places, groups, diversity,
// exploration and caps, over items of one shard or several.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <sstream>
#include <utility>

#include "query/tests/random_ranking.h"
#include "query/tests/reference_feed.h"
#include "query/text_run.h"
#include "ranking/tests/sample_schema.h"
#include "text/search.h"

namespace tidal::query {
namespace profile_reference_test {

using ranking::Profile;
using ranking::SourceKind;

std::shared_ptr<const schema::Schema> schema_of_all() {
    std::string yaml(ranking::kSampleSchema);
    const std::string cover = "    cover: {dimensions: 4}\n";
    yaml.insert(yaml.find(cover) + cover.size(), "    flat: {dimensions: 4, metric: l2}\n");
    yaml.insert(yaml.find("    category:"),
                "    body: {type: text, language: none, k1: 0.9, b: 0.4, boost: 2}\n");
    yaml +=
        "  watch: {polarity: positive, half_life: 1d, sets: [seen]}\n"
        "  finish: {polarity: neutral, half_life: 1d, sets: [finished]}\n"
        "  impression: {half_life: 7d}\n";
    return ranking::sample_schema(yaml);
}

class World {
public:
    World(std::shared_ptr<const schema::Schema> schema, std::size_t shards, std::size_t items)
        : schema_(std::move(schema)) {
        for (std::size_t i = 0; i < shards; ++i)
            shards_.push_back(std::make_unique<PersonalShard>(schema_));
        for (std::uint64_t id = 0; id < items; ++id) {
            auto& shard = *shards_[die(shards)];
            reference.homes[EntityId(id)] = &shard;
            add(random_item(id), shard);
        }
        for (std::size_t i = die(3 * items); i > 0; --i) like_both();
    }

    /// As the database does.
    Result<FeedPage> ask(const FeedPlan& wanted, const FeedRequest& request,
                         const CursorCodec& codec) {
        FeedPlan plan = wanted;
        TIDAL_TRY(start(request, &plan));
        if (plan.text) gather(&plan);
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
        // The words are too short to be mistyped.
        return merge_pages(plan, pages, codec);
    }

    /// How well items answer a query, as the index rounds it, which is held against the formula
    /// here; 0 where they do not.
    std::map<EntityId, double> answers(const FeedPlan& wanted, const ReferenceSearch& search) {
        FeedPlan plan = wanted;
        gather(&plan);
        std::map<EntityId, double> out;
        for (const auto& item : reference.items) {
            PersonalShard& shard = home(item.id);
            const Slot slot = shard.slot(item.id);
            double& score = out[item.id];
            text::Search(*shard.view().texts, plan.text->query.root, plan.text->statistics, false)
                .scores({&slot, 1}, {&score, 1});
            const double exact = reference.texts.score(search, item.id).value_or(0);
            if (exact == 0 ? score == 0 : std::abs(score / exact - 1) <= 1e-12) continue;
            RC_LOG() << search.text() << ": item " << item.id.to_string() << " " << score
                     << ", should be " << exact << "\n";
            RC_FAIL("an answer has another score than its texts give");
        }
        return out;
    }

    ReferenceWorld reference;

private:
    void add(ranking::SampleItem item, PersonalShard& shard) {
        if (die(3) != 0) item.fields.insert_or_assign("title", random_title());
        if (die(3) != 0) item.fields.emplace("body", random_body());
        reference.items.push_back(item);
        shard.items.put(item);
        for (const char* field : {"title", "body"})
            if (const auto found = item.fields.find(field); found != item.fields.end()) {
                const auto& text = std::get<std::string>(found->second);
                shard.index(item.id, field, text);
                reference.texts.add(item.id, field, text);
            }
        // No more than two of a kind, so that no sum depends on the order of its terms.
        for (const char* name : {"view", "like", "share", "dislike"})
            for (std::size_t i = die(3); i > 0; --i)
                shard.items.signal(item.id, name, 1 + static_cast<double>(die(4)) / 4,
                                   random_time());
        if (die(2) == 0) shard.items.seen_by(item.id, "view", 1 + die(3));
        if (die(3) == 0)
            for (std::size_t i = *rc::gen::element(1, 3, 99, 100, 101); i > 0; --i)
                shard.items.signal(item.id, "impression", 1, kFilterNow);
        for (const char* slot : {"cover", "flat"}) {
            if (die(3) == 0) continue;
            const auto values = random_vector(slot);
            shard.items.embed(item.id, slot, values);
            reference.vectors[{item.id, slot}] = values;
        }
        add_personal(item.id, shard);
    }
    void add_personal(const EntityId& id, PersonalShard& shard) {
        if (die(8) == 0 && reference.hidden.insert(id).second)
            shard.set_state(kReader, audience::kHidden, id);
        if (die(4) == 0 && reference.seen.insert(id).second)
            shard.set_state(kReader, shard.state("seen"), id);
        for (const auto& [signal, state] :
             {std::pair("watch", "seen"), std::pair("finish", "finished")})
            for (std::uint64_t one = 0; one < 4; ++one) {
                if (die(4) != 0) continue;
                reference.engaged[{id, signal}].insert(friend_of_reader(one));
                shard.set_state(friend_of_reader(one), shard.state(state), id);
            }
        if (die(3) == 0) {
            const double position = static_cast<double>(die(7)) - 3;
            reference.collected[id] = position;
            shard.collect(kPicks, id, position);
        }
        for (const char* name : {"view", "like", "dislike"})
            for (std::size_t i = die(3); i > 0; --i) {
                const signal::LedgerEvent event{.slot = shard.slot(id),
                                                .signal = schema_->find_signal(name)->id,
                                                .weight = *record::fixed_weight(1),
                                                .at_ms = random_time()};
                shard.count(kFans, id, event);
                reference.of_fans[{id, name}].push_back(event);
            }
    }
    /// Two, one after the other, of one user.
    void like_both() {
        const EntityId one = reference.items[die(reference.items.size())].id;
        const EntityId other = reference.items[die(reference.items.size())].id;
        if (one == other) return;
        for (const auto& [item, with] : {std::pair(one, other), std::pair(other, one)}) {
            reference.likes[item] += 1;
            reference.liked_both[{item, with}] += 1;
            reference.homes.at(item)->like(item);
            reference.homes.at(item)->like_both(item, with);
        }
    }
    static UnixMillis random_time() {
        return kFilterNow - static_cast<std::int64_t>(die(die(4) == 0 ? 400 : 60)) * kHourMs;
    }

    /// What every shard knows of the words of a search.
    void gather(FeedPlan* plan) {
        std::vector<text::Statistics> of_shards;
        for (const auto& shard : shards_) {
            TextRun run(*plan, false);
            while (!run.step(shard->view())) {
            }
            of_shards.push_back(run.take());
        }
        merge_texts(of_shards, false, plan);
    }
    /// What a page starts from.
    Result<void> start(const FeedRequest& request, FeedPlan* plan) {
        using ranking::Anchor;
        if (!plan->item_slots.empty())
            TIDAL_TRY(read_anchor_item(home(*plan->similar_to).view(), plan));
        if (const auto of = plan->co_engaged.find(Anchor::kItem); of != plan->co_engaged.end())
            add_co_engaged(home(*plan->similar_to).view(), *plan->similar_to, 1, plan->now_ms,
                           &of->second);
        if (!request.user) return {};
        for (const EntityId& item : request.user->disliked)
            TIDAL_TRY(add_disliked(
                read_liked(home(item).view(), item, false, plan->disliked_slots, plan->now_ms),
                *schema_, plan));
        const auto of = plan->co_engaged.find(Anchor::kUser);
        std::vector<Preference> preferences(plan->user_slots.size());
        double weight = 1;
        for (const EntityId& item : request.user->liked) {
            const LikedItem liked =
                read_liked(home(item).view(), item, true, plan->user_slots, plan->now_ms);
            if (of != plan->co_engaged.end()) add_co_engaged(liked, weight, &of->second);
            for (std::size_t i = 0; i < preferences.size(); ++i)
                preferences[i].add(spec(plan->user_slots[i]), liked.vectors[i], weight);
            weight *= kLikedDecay;
        }
        if (of != plan->co_engaged.end())
            for (const EntityId& item : request.user->liked) of->second.erase(item);
        for (std::size_t i = 0; i < preferences.size(); ++i)
            TIDAL_TRY(preferences[i].finish(spec(plan->user_slots[i]), plan));
        return {};
    }
    const schema::EmbeddingSpec& spec(EmbeddingSlotId slot) const {
        return schema_->kind(EntityKind::kItem).embeddings[slot.value()];
    }
    PersonalShard& home(const EntityId& item) const { return *reference.homes.at(item); }

    const std::shared_ptr<const schema::Schema> schema_;
    std::vector<std::unique_ptr<PersonalShard>> shards_;
};

/// What the pages of all worlds reached, so that none of it is left out unseen.
struct Reached {
    std::map<SourceKind, std::size_t> listed;
    bool told = false;  ///< The first difference, before a smaller one is looked for.
    std::size_t explored = 0, capped = 0, by_field = 0, by_relevance = 0, given_up = 0;
    std::size_t found = 0, pinned = 0, buried = 0, held_back = 0, explored_beside = 0, sorted = 0;
    /// Pages of more than one item of profiles that read it.
    std::map<std::string, std::size_t> read;
};

void note(const Profile& profile, const ReferenceFeed& reference, const ReferencePage& page,
          Reached* out) {
    const auto listed = reference.listed();
    for (std::size_t i = 0; i < listed.size(); ++i)
        out->listed[reference.sources()[i].kind] += listed[i];
    bool explored = false;
    for (const ReferenceItem& item : page.items) {
        out->explored += item.explored;
        out->pinned += item.pinned;
        out->buried += item.buried;
        explored = explored || item.explored;
    }
    out->held_back += page.held_back;
    out->explored_beside += explored && page.held_back > 0;
    const std::string text = ranking::print_profile(profile);
    if (page.items.size() > 1)
        for (const char* part : {"friends(", "nearest_disliked(", "bm25", "model(m0)", "model(m1)",
                                 "model(m2)", "model(m3)", "let d1", "let year"})
            out->read[part] += text.find(part) != text.npos;
    out->capped += reference.cap() && page.items.size() == *reference.cap();
    out->by_field += profile.order.by_field && page.items.size() > 1;
    out->by_relevance += reads_vectors(profile.diversity) && page.items.size() > 2;
    out->given_up += !page.satisfied;
}

std::string difference(const Profile& profile, const FeedRequest& request, const FeedPage& page,
                       const ReferencePage& expected) {
    std::ostringstream out;
    out.precision(17);
    out << ranking::print_profile(profile) << "filter " << request.filter << " limit "
        << request.limit << " query " << request.text.value_or("(none)") << " sort " << request.sort
        << " group by " << request.group_by << " pin";
    for (const EntityId& id : request.pin) out << " " << id.to_string();
    out << " bury";
    for (const EntityId& id : request.bury) out << " " << id.to_string();
    out << "\ncandidates, matched, all rules kept: " << page.counts.candidates << " "
        << page.counts.matched << " " << page.constraints_satisfied << ", should be "
        << expected.candidates << " " << expected.matched << " " << expected.satisfied << "\n";
    for (const auto& item : page.items)
        out << item.id.to_string() << (item.explored ? "x " : " ") << item.score
            << (item.group ? " in " + *item.group : "") << "  ";
    out << "\nshould be\n";
    for (const auto& item : expected.items)
        out << item.item->id.to_string() << (item.explored ? "x " : " ") << item.score
            << (item.group ? " in " + *item.group : "") << "  ";
    return out.str();
}

bool is_same(const ScoredItem& item, const ReferenceItem& expected, const ReferenceFeed& reference,
             bool searched) {
    const ranking::SampleItem& sample = *expected.item;
    const bool found = !searched || (item.text_score == reference.text_score(sample) &&
                                     item.fused_score == reference.fused_score(sample) &&
                                     item.vector_score == reference.vector_score(sample));
    const auto group = item.group ? std::optional(*item.group) : std::nullopt;
    return found && item.id == sample.id && item.score == expected.score &&
           item.is_pinned() == expected.pinned && group == expected.group &&
           (item.explored != nullptr) == expected.explored;
}

/// What all pages of a world are asked of.
struct Setting {
    World& world;
    const schema::Schema& schema;
    const ReferenceModels& models;
    const ranking::ProfileRegistry& registry;
};

/// One profile, asked once.
void check_page(const Setting& in, const Profile& profile, Reached* reached) {
    static const CursorCodec codec(std::string(32, 'k'));
    RandomRequest random(profile, in.models, in.world.reference);
    const std::optional<ReferenceSearch> search = random.search();
    FeedRequest request = random.take();
    request.collections = std::make_shared<Collections>(
        std::vector<Collection>{{.name = "picks", .version = 1, .id = kPicks, .description = {}}});
    std::optional<FilterNode> filter;
    if (die(2) == 0) filter = RandomFilter::make(static_cast<int>(die(4)));
    if (filter) request.filter = print_filter(*filter);

    auto plan = plan_feed(request, in.schema, in.registry, codec);
    if (!plan.ok())
        RC_LOG() << ranking::print_profile(profile) << " sort " << request.sort << "\n"
                 << plan.error().to_string();
    RC_ASSERT(plan.ok());
    std::map<EntityId, double> answers;
    if (search) answers = in.world.answers(*plan, *search);
    ReferenceFeed reference(in.schema, in.world.reference, profile, in.models, request, search,
                            std::move(answers));
    RC_ASSERT(plan->daily_cap == reference.cap());
    // As where nothing of the day was shown yet.
    if (plan->daily_cap) plan->limit = std::min(plan->limit, *plan->daily_cap);
    const auto page = in.world.ask(*plan, request, codec);
    RC_ASSERT(page.ok());
    const ReferencePage expected = reference.page(filter);
    note(profile, reference, expected, reached);
    reached->found += search && !search->parts.empty() ? expected.items.size() : 0;
    reached->sorted += !request.sort.empty() && expected.items.size() > 1;

    bool same = page->items.size() == expected.items.size() &&
                page->counts.matched == expected.matched &&
                page->counts.candidates == expected.candidates &&
                page->constraints_satisfied == expected.satisfied;
    for (std::size_t at = 0; same && at < expected.items.size(); ++at)
        same = is_same(page->items[at], expected.items[at], reference, search.has_value());
    if (!same && !std::exchange(reached->told, true))
        ADD_FAILURE() << difference(profile, request, *page, expected);
    RC_ASSERT(same);
}

/// 100 worlds of 16 profiles, each asked four times: 6,400 pages; with TIDAL_TEST_FULL ten times
/// as many.
TEST(ProfileReference, PagesEqualTheReference) {
    const auto schema = schema_of_all();
    const std::size_t profiles_of_world = std::getenv("TIDAL_TEST_FULL") != nullptr ? 160 : 16;
    Reached reached;
    EXPECT_TRUE(rc::check([&] {
        World world(schema, 1 + die(3), 1 + die(30));
        const ReferenceModels models = random_models();
        ranking::ModelSet parsed;
        for (const auto& [name, model] : models) {
            auto read = ranking::Model::parse(model.text());
            RC_ASSERT(read.ok());
            parsed.put(name, std::make_shared<const ranking::Model>(*std::move(read)));
        }
        std::vector<Profile> profiles;
        std::vector<ranking::StoredProfile> stored;
        for (std::size_t i = 0; i < profiles_of_world; ++i) {
            profiles.push_back(RandomRanking(i, models).take());
            stored.push_back({profiles[i].name, 1, ranking::print_profile(profiles[i])});
        }
        const ranking::ProfileRegistry registry(*schema, stored, parsed);
        for (const Profile& profile : profiles)
            for (int requests = 0; requests < 4; ++requests)
                check_page({world, *schema, models, registry}, profile, &reached);
    }));
    for (const SourceKind kind :
         {SourceKind::kRecent, SourceKind::kOrdered, SourceKind::kWindowTop, SourceKind::kPopular,
          SourceKind::kAnn, SourceKind::kFollows, SourceKind::kCoEngaged, SourceKind::kCohortTop,
          SourceKind::kCollection, SourceKind::kText})
        EXPECT_GT(reached.listed[kind], 30u) << ranking::source_kind_name(kind);
    for (const auto& [part, pages] : reached.read) EXPECT_GT(pages, 0u) << part;
    EXPECT_GT(reached.explored, 30u);
    EXPECT_GT(reached.explored_beside, 0u);
    EXPECT_GT(reached.capped, 3u);
    EXPECT_GT(reached.by_field, 30u);
    EXPECT_GT(reached.by_relevance, 30u);
    EXPECT_GT(reached.given_up, 30u);
    EXPECT_GT(reached.found, 30u);
    EXPECT_GT(reached.sorted, 30u);
    EXPECT_GT(reached.pinned, 30u);
    EXPECT_GT(reached.buried, 10u);
    EXPECT_GT(reached.held_back, 30u);
}

}  // namespace profile_reference_test
}  // namespace tidal::query
