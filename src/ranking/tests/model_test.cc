#include "ranking/model.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <functional>
#include <memory>

#include "ranking/evaluator.h"
#include "ranking/profile_registry.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/transcript.h"
#include "record/record.h"

namespace tidal::ranking {
namespace {

/// A tree as a person would draw it.
struct Branch {
    double leaf = 0;
    std::unique_ptr<Branch> left, right;
    int input = 0;
    double threshold = 0;
    int kind = 0;                           ///< decision_type of the format.
    std::vector<std::uint32_t> categories;  ///< Words of the set of a categorical split.
};

std::unique_ptr<Branch> random_branch(int depth, int inputs) {
    auto out = std::make_unique<Branch>();
    out->leaf = *rc::gen::inRange(-1000, 1000) / 64.0;
    if (depth == 0 || *rc::gen::inRange(0, 5) == 0) return out;
    out->left = random_branch(depth - 1, inputs);
    out->right = random_branch(depth - 1, inputs);
    out->input = *rc::gen::inRange(0, inputs);
    out->threshold = *rc::gen::inRange(-20, 20) / 4.0;
    out->kind = *rc::gen::element(0, 2, 2, 4, 6, 8, 10, 1);
    if (out->kind == 1) out->categories = {*rc::gen::arbitrary<std::uint32_t>(), 5};
    return out;
}

/// docs/reference/profiles.md, one entity and one tree at a time.
double walk(const Branch& branch, const std::vector<double>& row) {
    if (!branch.left) return branch.leaf;
    const double x = row[static_cast<std::size_t>(branch.input)];
    bool left = x <= branch.threshold;
    if (branch.kind == 1) {
        const double whole = std::trunc(x);
        left = false;
        if (whole >= 0 && whole < 64) {
            const auto category = static_cast<std::size_t>(whole);
            left = (branch.categories[category / 32] >> (category % 32) & 1) != 0;
        }
    } else if ((branch.kind == 4 || branch.kind == 6) && x == 0) {
        left = branch.kind == 6;
    }
    return walk(left ? *branch.left : *branch.right, row);
}

/// The tree in the order of LightGBM's arrays.
std::string text_of(const Branch& root, int number) {
    std::string features, thresholds, kinds, lefts, rights, leaves, boundaries = "0", words;
    int leaf_count = 0, sets = 0;
    std::vector<const Branch*> nodes;
    std::vector<int> left_child, right_child;
    const std::function<int(const Branch&)> place = [&](const Branch& branch) {
        if (!branch.left) {
            leaves += (leaf_count == 0 ? "" : " ") + std::to_string(branch.leaf);
            return ~leaf_count++;
        }
        const int at = static_cast<int>(nodes.size());
        nodes.push_back(&branch);
        left_child.push_back(0);
        right_child.push_back(0);
        left_child[static_cast<std::size_t>(at)] = place(*branch.left);
        right_child[static_cast<std::size_t>(at)] = place(*branch.right);
        return at;
    };
    place(root);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const std::string blank = i == 0 ? "" : " ";
        features += blank + std::to_string(nodes[i]->input);
        const bool categorical = nodes[i]->kind == 1;
        thresholds +=
            blank + (categorical ? std::to_string(sets) : std::to_string(nodes[i]->threshold));
        kinds += blank + std::to_string(nodes[i]->kind);
        lefts += blank + std::to_string(left_child[i]);
        rights += blank + std::to_string(right_child[i]);
        if (!categorical) continue;
        for (const auto word : nodes[i]->categories)
            words += (words.empty() ? "" : " ") + std::to_string(word);
        boundaries += " " + std::to_string(2 * ++sets);
    }
    std::string out = "Tree=" + std::to_string(number) +
                      "\nnum_leaves=" + std::to_string(leaf_count) +
                      "\nnum_cat=" + std::to_string(sets) + "\n";
    if (leaf_count > 1)
        out += "split_feature=" + features + "\nsplit_gain=1\nthreshold=" + thresholds +
               "\ndecision_type=" + kinds + "\nleft_child=" + lefts + "\nright_child=" + rights +
               "\n";
    out += "leaf_value=" + leaves + "\n";
    if (sets > 0) out += "cat_boundaries=" + boundaries + "\ncat_threshold=" + words + "\n";
    return out + "is_linear=0\nshrinkage=0.1\n\n\n";
}

std::string header(const std::string& names, const std::string& more = "") {
    return "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
           "max_feature_idx=2\nobjective=binary sigmoid:1\n" +
           more + "feature_names=" + names + "\nfeature_infos=[0:1] [0:1] [0:1]\ntree_sizes=1\n\n";
}
constexpr std::string_view kEnd =
    "end of trees\n\nfeature_importances:\na=1\n\npandas_categorical:null\n";

RC_GTEST_PROP(Model, EqualsASlowWalkOfTheTrees, ()) {
    const int inputs = *rc::gen::inRange(1, 4);
    std::vector<std::unique_ptr<Branch>> trees;
    const bool mean = *rc::gen::inRange(0, 2) == 0;
    std::string names, text;
    for (int i = 0; i < inputs; ++i)
        names += (i == 0 ? "" : " ") + std::string(1, static_cast<char>('a' + i));
    text = header(names, mean ? "average_output\n" : "");
    for (int t = *rc::gen::inRange(1, 6); t > 0; --t) {
        trees.push_back(random_branch(*rc::gen::inRange(0, 6), inputs));
        text += text_of(*trees.back(), static_cast<int>(trees.size()) - 1);
    }
    const auto model = Model::parse(text + std::string(kEnd));
    if (!model) RC_FAIL(model.error().to_string());
    RC_ASSERT(model->tree_count() == trees.size());

    constexpr std::size_t kRows = 100;
    std::vector<std::vector<double>> columns(static_cast<std::size_t>(inputs));
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
        double want = 0;
        for (const auto& tree : trees) want += walk(*tree, row);
        if (mean) want /= static_cast<double>(trees.size());
        RC_ASSERT(out[i] == want);
    }
}

// Damage of every kind ends in an error with a place, or in a model that still ends each walk.
RC_GTEST_PROP(Model, DamagedTextsNeverHang, ()) {
    auto tree = random_branch(4, 2);
    std::string text = header("a b") + text_of(*tree, 0) + std::string(kEnd);
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

/// A model text behind `header` and before `end of trees`, or whole.
TEST(Model, ErrorsSayWhere) {
    const auto why = [](const std::string& text) {
        const auto model = Model::parse(text);
        return model ? std::string("ok") : model.error().to_string();
    };
    const std::string hint = "; a text as LightGBM's save_model writes it";
    const auto in_tree = [&](const std::string& tree) {
        return why(header("a b") + "Tree=0\n" + tree + "\n" + std::string(kEnd));
    };
    EXPECT_EQ(why(""), "expected `tree` in the first line, line=1, column=1, offset=0" + hint);
    EXPECT_EQ(why("tree\nnum_class=3\n"),
              "a model with several outputs has no score, line=2, column=11, offset=15" + hint);
    EXPECT_EQ(why(header("a")),
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
    auto model = Model::parse(header("views year") + tree + std::string(kEnd));
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

}  // namespace
}  // namespace tidal::ranking
