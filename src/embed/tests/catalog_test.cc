// What a program declares through the library: profiles, experiments, models, the schema.
#include <gtest/gtest.h>

#include <set>

#include "embed/tests/shop.h"

namespace tidal {
namespace catalog_test {

std::vector<std::uint64_t> ids_of(const api::FeedReply& feed) {
    std::vector<std::uint64_t> ids;
    for (const auto& item : feed.items) ids.push_back(item.entity.id.number());
    return ids;
}

using Ids = std::vector<std::uint64_t>;

TEST(LibraryCatalog, AProfileIsPutUsedComparedAndRetired) {
    auto library = shop();
    const auto checked = must(library.put_profile("profile own version 1 { score year; }", true));
    EXPECT_FALSE(checked.created);
    EXPECT_EQ(library.feed({.profile = "own"}).error().code(), ErrorCode::kUnknownName);
    EXPECT_TRUE(must(library.put_profile("profile own version 1 { score year; }")).created);
    EXPECT_FALSE(must(library.put_profile("profile own version 1 { score year; }")).created);
    EXPECT_TRUE(must(library.put_profile("profile own version 2 { score -year; }")).created);
    EXPECT_EQ(library.put_profile("profile own version 2 { score 1; }").error().code(),
              ErrorCode::kConflict);
    EXPECT_EQ(library.put_profile("profile own version 3 { score yaer; }").error().code(),
              ErrorCode::kUnknownName);
    EXPECT_EQ(ids_of(must(library.feed({.profile = "own@1"}))), (Ids{3, 2, 1}));
    EXPECT_EQ(ids_of(must(library.feed({.profile = "own"}))), (Ids{1, 2, 3}));

    const auto comparison = must(library.compare({.profile = "own@1", .limit = 2}, "own@2"));
    EXPECT_EQ(ids_of(comparison.left), (Ids{3, 2}));
    EXPECT_EQ(ids_of(comparison.right), (Ids{1, 2}));
    EXPECT_EQ(comparison.common, 1u);

    std::set<std::string> listed;
    for (const auto& each : library.profiles())
        listed.insert(each.name + "@" + std::to_string(each.version));
    EXPECT_TRUE(listed.contains("own@1") && listed.contains("own@2") &&
                listed.contains("trending@1"));
    EXPECT_NE(must(library.profile("own@1")).text.find("score year"), std::string::npos);
    EXPECT_EQ(library.profile("owm").error().code(), ErrorCode::kUnknownName);
    must(library.retire_profile("own"));
    EXPECT_EQ(library.profile("own").error().code(), ErrorCode::kUnknownName);
    EXPECT_EQ(library.retire_profile("own").error().code(), ErrorCode::kNotFound);
    EXPECT_FALSE(library.retire_profile("trending").ok()) << "built in";
}

TEST(LibraryCatalog, AnExperimentSplitsUsersAndKeepsItsProfiles) {
    auto library = shop();
    must(library.put_profile("profile up version 1 { score year; }"));
    must(library.put_profile("profile down version 1 { score -year; }"));
    const std::string text = "experiment spring version 1 { arm up@1; arm down@1; }";
    EXPECT_FALSE(must(library.put_experiment(text, true)).created);
    EXPECT_TRUE(library.experiments().empty());
    EXPECT_TRUE(must(library.put_experiment(text)).created);
    ASSERT_EQ(library.experiments().size(), 1u);
    EXPECT_EQ(must(library.experiment("spring")).arms.size(), 2u);
    EXPECT_EQ(library.experiment("sprung").error().code(), ErrorCode::kNotFound);
    std::set<std::string> seen;
    for (std::uint64_t user = 1; user <= 40; ++user) {
        api::FeedCall call;
        call.experiment = "spring";
        call.user_id = api::IdInput(user);
        seen.insert(must(library.feed(call)).profile);
    }
    EXPECT_EQ(seen, (std::set<std::string>{"down@1", "up@1"}));
    api::FeedCall both;
    both.profile = "up";
    both.experiment = "spring";
    both.user_id = api::IdInput(std::uint64_t{1});
    EXPECT_EQ(library.feed(both).error().reason(), "profile_and_experiment");
    both.profile.clear();
    const auto arm = must(library.feed(both)).profile;
    const auto compared = must(library.compare(both, "new"));
    EXPECT_EQ(compared.left.profile, arm);
    EXPECT_EQ(compared.right.profile, "new@1");
    EXPECT_EQ(library.retire_profile("up").error().code(), ErrorCode::kConflict);
    EXPECT_EQ(library.experiment_results({.name = "spring"}).error().code(),
              ErrorCode::kUnsupported)
        << "nothing on disk";
    must(library.retire_experiment("spring"));
    EXPECT_EQ(library.retire_experiment("spring").error().code(), ErrorCode::kNotFound);
    must(library.retire_profile("up"));
}

TEST(LibraryCatalog, AModelIsPutCalledAndRetired) {
    auto library = shop();
    const std::string text =
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nfeature_names=year\n"
        "feature_infos=none\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\n"
        "threshold=1991.5\ndecision_type=2\nleft_child=-1\nright_child=-2\nleaf_value=1 10\n"
        "is_linear=0\nshrinkage=1\n\n\nend of trees\n";
    EXPECT_FALSE(must(library.put_model("hits", text, true)).created);
    EXPECT_TRUE(library.models().empty());
    EXPECT_TRUE(must(library.put_model("hits", text)).created);
    ASSERT_EQ(library.models().size(), 1u);
    EXPECT_EQ(library.models()[0].name, "hits");
    EXPECT_EQ(must(library.model_text("hits")), text);
    EXPECT_EQ(library.model_text("hots").error().code(), ErrorCode::kNotFound);
    EXPECT_FALSE(library.put_model("bad", "tree").ok());
    EXPECT_FALSE(must(library.put_synonyms("people", "tv, television", true)).created);
    EXPECT_TRUE(must(library.put_synonyms("people", "tv, television")).created);
    EXPECT_FALSE(library.put_synonyms("people", "tv").ok());
    ASSERT_EQ(library.synonyms().size(), 1u);
    EXPECT_EQ(library.synonyms()[0].text, "tv, television");
    must(library.retire_synonyms("people"));
    EXPECT_TRUE(library.synonyms().empty());
    must(library.put_profile("profile trees version 1 { score model(hits); }"));
    const auto feed = must(library.feed({.profile = "trees"}));
    ASSERT_EQ(feed.items.size(), 3u);
    EXPECT_EQ(feed.items[0].score, 10);
    EXPECT_EQ(feed.items[2].score, 1);
    EXPECT_EQ(library.retire_model("hits").error().code(), ErrorCode::kConflict);
    must(library.retire_profile("trees"));
    must(library.retire_model("hits"));
    EXPECT_EQ(library.retire_model("hits").error().code(), ErrorCode::kNotFound);
}

TEST(LibraryCatalog, TheSchemaTakesAdditionsOnly) {
    auto library = shop();
    std::string yaml = library.schema_yaml();
    EXPECT_EQ(library.put_schema("items: {fields: {title: int}}").error().code(),
              ErrorCode::kIncompatible);
    const auto at = yaml.find("fields:\n");
    ASSERT_NE(at, std::string::npos);
    const auto line = yaml.find_first_not_of(' ', at + 8);
    yaml.insert(at + 8, std::string(line - at - 8, ' ') + "mood: keyword\n");
    must(library.put_schema(yaml));
    EXPECT_NE(library.schema_yaml().find("mood"), std::string::npos);
    api::EntityWrite item;
    item.id = 1u;
    item.metadata = {{"mood", std::string("calm")}};
    must(library.write(item));
    EXPECT_EQ(ids_of(must(library.feed({.profile = "new", .filter = "mood = 'calm'"}))), (Ids{1}));
}

}  // namespace catalog_test
}  // namespace tidal
