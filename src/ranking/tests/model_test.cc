#include "ranking/model.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <memory>

#include "ranking/evaluator.h"
#include "ranking/profile_registry.h"
#include "ranking/request_stages.h"
#include "ranking/tests/random_model.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/transcript.h"
#include "record/record.h"

namespace tidal::ranking {
namespace model_test {

RC_GTEST_PROP(Model, EqualsASlowWalkOfTheTrees, ()) {
    std::vector<std::string> names{"a", "b", "c"};
    names.resize(*rc::gen::inRange<std::size_t>(1, 4));
    const std::size_t inputs = names.size();
    const RandomModel trees(names, *rc::gen::inRange(1, 6), 5);
    const auto model = Model::parse(trees.text());
    if (!model) RC_FAIL(model.error().to_string());
    RC_ASSERT(model->tree_count() == trees.tree_count());

    constexpr std::size_t kRows = 100;
    std::vector<std::vector<double>> columns(inputs);
    for (auto& column : columns)
        for (std::size_t i = 0; i < kRows; ++i)
            column.push_back(*rc::gen::inRange(0, 10) == 0
                                 ? *rc::gen::element(1e300, -1e300, 1e9, 63.5)
                                 : *rc::gen::inRange(-24, 160) / 4.0);
    std::vector<const double*> pointers;
    for (const auto& column : columns) pointers.push_back(column.data());
    std::vector<double> out(kRows);
    model->score(pointers, kRows, out.data());
    for (std::size_t i = 0; i < kRows; ++i) {
        std::vector<double> row;
        for (const auto& column : columns) row.push_back(column[i]);
        RC_ASSERT(out[i] == trees.score(row));
    }
}

// Damage of every kind ends in an error with a place, or in a model that still ends each walk.
RC_GTEST_PROP(Model, DamagedTextsNeverHang, ()) {
    auto tree = random_branch(4, 2);
    std::string text = model_header("a b") + tree_text(*tree, 0) + std::string(kModelEnd);
    for (int i = *rc::gen::inRange(1, 4); i > 0; --i) {
        const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
        const auto length = *rc::gen::inRange<std::size_t>(0, 3);
        text.replace(at, length,
                     *rc::gen::element<std::string>("", "9", "-", "\n", " ", "=", "-1 "));
    }
    const auto model = Model::parse(text);
    if (!model) {
        RC_ASSERT(model.error().to_string().find("offset=") != std::string::npos);
        return;
    }
    std::vector<std::vector<double>> columns(model->inputs().size(), {0.5, -3});
    std::vector<const double*> pointers;
    for (const auto& column : columns) pointers.push_back(column.data());
    double out[2];
    model->score(pointers, 2, out);
    RC_ASSERT(std::isfinite(out[0]) && std::isfinite(out[1]));
}

/// A model text behind `model_header` and before `end of trees`, or whole.
TEST(Model, ErrorsSayWhere) {
    const auto why = [](const std::string& text) {
        const auto model = Model::parse(text);
        return model ? std::string("ok") : model.error().to_string();
    };
    const std::string hint = "; a text as LightGBM's save_model writes it";
    const auto in_tree = [&](const std::string& tree) {
        return why(model_header("a b") + "Tree=0\n" + tree + "\n" + std::string(kModelEnd));
    };
    EXPECT_EQ(why(""), "expected `tree` in the first line, line=1, column=1, offset=0" + hint);
    EXPECT_EQ(why("tree\nnum_class=3\n"),
              "a model with several outputs has no score, line=2, column=11, offset=15" + hint);
    EXPECT_EQ(why(model_header("a")),
              "expected `Tree=` or `end of trees`, line=12, column=1, offset=174" + hint);
    EXPECT_EQ(in_tree("num_leaves=2\nleaf_value=1\n"),
              "`leaf_value` has 1 numbers, not 2, line=14, column=12, offset=207" + hint);
    EXPECT_EQ(in_tree("num_leaves=1\nleaf_value=1\n"), "ok");
    EXPECT_EQ(in_tree("num_leaves=1\nleaf_value=nan\n"),
              "expected a number in `leaf_value`, line=14, column=12, offset=207" + hint);
    EXPECT_EQ(in_tree("num_leaves=1\nis_linear=1\nleaf_value=1\n"),
              "trees with linear leaves are not read, line=14, column=11, offset=206" + hint);
    const std::string split = "num_leaves=2\nleaf_value=1 2\nthreshold=0.5\ndecision_type=2\n";
    EXPECT_EQ(in_tree(split + "split_feature=1\nleft_child=-1\nright_child=-2\n"), "ok");
    EXPECT_NE(in_tree(split + "split_feature=2\nleft_child=-1\nright_child=-2\n")
                  .find("a split reads a feature without a name"),
              std::string::npos);
    for (const char* children :
         {"left_child=0\nright_child=-2\n", "left_child=-1\nright_child=-1\n",
          "left_child=-1\nright_child=-3\n", "left_child=1\nright_child=-2\n"})
        EXPECT_NE(in_tree(split + "split_feature=1\n" + children).find("makes no tree"),
                  std::string::npos)
            << children;
    EXPECT_EQ(Model::parse(std::string(record::kModelTextBytesMax + 1, ' ')).error().reason(),
              "model_too_large");
}

class PlainSource final : public FeatureSource {
public:
    Result<void> fill(const Feature& feature, std::span<const Slot> slots, const EvaluationContext&,
                      std::span<double> out) override {
        for (std::size_t i = 0; i < slots.size(); ++i)
            out[i] = slots[i].value() + (feature.kind == FeatureKind::kField ? 0 : 100);
        return {};
    }
    bool is_missing(const Feature&, Slot) const override { return false; }
};

TEST(Model, IsAFunctionOfTheLanguage) {
    const auto schema = sample_schema();
    const std::string tree =
        "Tree=0\nnum_leaves=2\nleaf_value=-1 10\nsplit_feature=1\nthreshold=2.5\ndecision_type=2\n"
        "left_child=-1\nright_child=-2\n\n";
    auto model = Model::parse(model_header("views year") + tree + std::string(kModelEnd));
    ASSERT_TRUE(model.ok()) << model.error().to_string();
    ModelSet models;
    models.put("ranker", std::make_shared<const Model>(std::move(model).value()));
    const auto compiled = [&](const std::string& text) {
        return compile_profile(*parse_profile(text), *schema, EntityKind::kItem, models);
    };
    const auto profile = compiled(
        "profile p version 1 { let views = sum(view, 24h); score 1 + model(ranker) * 2; }");
    ASSERT_TRUE(profile.ok()) << profile.error().to_string();
    EXPECT_EQ((*profile)->program.features.size(), 2u);
    PlainSource source;
    Evaluator evaluator((*profile)->program, source, {.params = {}});
    std::vector<Slot> slots;
    for (std::uint32_t s = 0; s < 6; ++s) slots.push_back(Slot(s));
    const auto scores = evaluator.run(slots);
    ASSERT_TRUE(scores.ok());
    for (std::size_t s = 0; s < 6; ++s) EXPECT_EQ((*scores)[s], s <= 2 ? -1 : 21) << s;
    Evaluator explainer((*profile)->explain, source, {.params = {}});
    EXPECT_EQ(explainer.explain(Slot(5))->terms[1].text, "model(ranker) * 2");

    const auto why = [&](const std::string& text) { return compiled(text).error().to_string(); };
    EXPECT_EQ(
        why("profile p version 1 { score model(rankr); }"),
        "unknown model `rankr`, line=1, column=35, offset=34, profile=p@1; did you mean `ranker`?");
    EXPECT_EQ(
        why("profile p version 1 { score model(ranker); }"),
        "unknown field `views`, line=1, column=35, offset=34, model=ranker, profile=p@1; numbers "
        "here: year, quality, price, featured, released, length, age_hours, bm25, "
        "co_engagement, created_at, created_s, fused, popularity");
}

/// What a profile defines by a model stays known where a request sorts.
TEST(Model, IsKnownToTheOrderOfARequest) {
    const auto schema = sample_schema();
    const std::string tree = "Tree=0\nnum_leaves=1\nleaf_value=3\n\n";
    auto model = Model::parse(model_header("year") + tree + std::string(kModelEnd));
    ASSERT_TRUE(model.ok()) << model.error().to_string();
    ModelSet models;
    models.put("ranker", std::make_shared<const Model>(std::move(model).value()));
    const std::vector<StoredProfile> stored{
        {"p", 1,
         "profile p version 1 { let m = model(ranker); require model(ranker) > 2; score m; }"}};
    const ProfileRegistry registry(*schema, stored, models);
    const auto profile = registry.find("p", EntityKind::kItem);
    ASSERT_TRUE(profile.ok()) << profile.error().to_string();
    PlainSource source;
    for (const char* text : {"year", "year + m", "year + model(ranker)"}) {
        const auto sorted =
            sorted_by(**profile, *parse_expression(text), true, text, *schema, EntityKind::kItem);
        ASSERT_TRUE(sorted.ok()) << sorted.error().to_string();
        Evaluator evaluator((*sorted)->program, source, {.params = {}});
        const Slot slot(5);
        const auto scores = evaluator.run({&slot, 1});
        ASSERT_TRUE(scores.ok());
        EXPECT_EQ((*scores)[0], std::string_view(text) == "year" ? 5 : 8) << text;
    }
}

}  // namespace model_test
}  // namespace tidal::ranking
