// Models as LightGBM writes them, whole files of many trees, against a reader and a walk of their
// own that follow LightGBM's tree.h (Tree::NumericalDecision, Tree::CategoricalDecision).
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <map>
#include <sstream>

#include "ranking/evaluator.h"
#include "ranking/model.h"
#include "ranking/profile_registry.h"
#include "ranking/tests/sample_schema.h"

namespace tidal::ranking {
namespace lightgbm_test {

// Bits of decision_type: categorical, default left, then what is missing: none, zero or NaN.
constexpr int kCategorical = 1, kDefaultLeft = 2, kMissingZero = 4, kMissingNan = 8;
/// A float there, widened: a little more than 1e-35.
constexpr double kZeroThreshold = 1e-35f;

std::string digits(double value) {
    char out[40];
    std::snprintf(out, sizeof out, "%.17g", value);
    return out;
}

template <typename T>
std::string line_of(const char* key, const std::vector<T>& values) {
    std::string out = std::string(key) + "=";
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i > 0) out += " ";
        if constexpr (std::is_floating_point_v<T>) out += digits(values[i]);
        if constexpr (!std::is_floating_point_v<T>) out += std::to_string(values[i]);
    }
    return out + "\n";
}

/// Two of the inputs are categories: a small one and one whose sets take several words.
constexpr int kInputs = 6, kSmallCategory = 4;

/// Grows as LightGBM does: leaf after leaf is split, its left child keeps the leaf's number.
class Grower {
public:
    std::string tree(int number, int leaves) {
        for (int i = 1; i < leaves; ++i) split(*rc::gen::inRange(0, i), i);
        for (int i = 0; i < leaves; ++i) values_.push_back(*rc::gen::inRange(-1000, 1000) / 7e3);
        std::string out =
            "Tree=" + std::to_string(number) + "\n" + line_of("num_leaves", std::vector{leaves}) +
            line_of("num_cat", std::vector{sets_}) + line_of("split_feature", inputs_) +
            line_of("split_gain", thresholds_) + line_of("threshold", thresholds_) +
            line_of("decision_type", kinds_) + line_of("left_child", left_) +
            line_of("right_child", right_) + line_of("leaf_value", values_) +
            line_of("leaf_weight", values_) + line_of("leaf_count", values_) +
            line_of("internal_value", thresholds_) + line_of("internal_weight", thresholds_) +
            line_of("internal_count", inputs_);
        if (sets_ > 0)
            out += line_of("cat_boundaries", boundaries_) + line_of("cat_threshold", words_);
        return out + "is_linear=0\nshrinkage=0.1\n\n\n";
    }

private:
    void split(int leaf, int new_leaf) {
        const int node = static_cast<int>(inputs_.size());
        for (auto* children : {&left_, &right_})
            for (int& child : *children)
                if (child == ~leaf) child = node;
        left_.push_back(~leaf);
        right_.push_back(~new_leaf);
        const int input = *rc::gen::inRange(0, kInputs);
        inputs_.push_back(input);
        if (input >= kSmallCategory) return categories(input);
        kinds_.push_back(*rc::gen::element(0, kMissingZero, kMissingNan) |
                         *rc::gen::element(0, kDefaultLeft));
        thresholds_.push_back(*rc::gen::element(0.0, kZeroThreshold, -kZeroThreshold, 0.1, 1e300,
                                                -2.5, *rc::gen::inRange(-900, 900) / 70.0));
    }
    void categories(int input) {
        kinds_.push_back(kCategorical | *rc::gen::element(0, kMissingNan));
        thresholds_.push_back(sets_++);
        const int words = input == kSmallCategory ? 1 : *rc::gen::inRange(1, 8);
        for (int i = 0; i < words; ++i) words_.push_back(*rc::gen::arbitrary<std::uint32_t>());
        boundaries_.push_back(static_cast<int>(words_.size()));
    }

    std::vector<int> inputs_, kinds_, left_, right_, boundaries_{0};
    std::vector<double> thresholds_, values_;
    std::vector<std::uint32_t> words_;
    int sets_ = 0;
};

constexpr const char* kNames = "year price length age_hours small large";

std::string random_model(int trees, bool mean) {
    std::string out =
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
        "max_feature_idx=5\nobjective=binary sigmoid:1\n";
    if (mean) out += "average_output\n";
    out += std::string("feature_names=") + kNames +
           "\nfeature_infos=[1900:2030] [-1:1] none [0:9] 0:1:2 0:1:255\ntree_sizes=1718 1726\n\n";
    // A tree that found no split is a single leaf with empty lists.
    for (int i = 0; i < trees; ++i)
        out += Grower().tree(i, i % 17 == 3 ? 1 : *rc::gen::inRange(2, 32));
    return out +
           "end of trees\n\nfeature_importances:\nyear=60\n\nparameters:\n[boosting: gbdt]\n"
           "[num_leaves: 31]\n\nend of parameters\n\npandas_categorical:null\n";
}

/// Reads line by line into lists of numbers, and walks one row at a time.
class SlowModel {
public:
    explicit SlowModel(const std::string& text) {
        std::istringstream in(text);
        for (std::string line; std::getline(in, line) && line != "end of trees";) {
            if (line == "average_output") mean_ = true;
            if (line.starts_with("Tree=")) trees_.emplace_back();
            const auto equals = line.find('=');
            if (equals == line.npos || trees_.empty()) continue;
            std::istringstream numbers(line.substr(equals + 1));
            for (std::string one; numbers >> one;)
                trees_.back()[line.substr(0, equals)].push_back(std::stod(one));
        }
    }
    double operator()(const std::vector<double>& row) const {
        double out = 0;
        for (const auto& tree : trees_) out += leaf(tree, row);
        return mean_ ? out / static_cast<double>(trees_.size()) : out;
    }
    std::size_t trees() const { return trees_.size(); }

private:
    using Tree = std::map<std::string, std::vector<double>>;

    static double leaf(const Tree& tree, const std::vector<double>& row) {
        int at = tree.at("num_leaves")[0] > 1 ? 0 : ~0;
        while (at >= 0) {
            const auto n = static_cast<std::size_t>(at);
            const double x = row[static_cast<std::size_t>(tree.at("split_feature")[n])];
            const int kind = static_cast<int>(tree.at("decision_type")[n]);
            const bool left =
                (kind & kCategorical) != 0 ? in_set(tree, n, x) : below(tree, n, kind, x);
            at = static_cast<int>(tree.at(left ? "left_child" : "right_child")[n]);
        }
        return tree.at("leaf_value")[static_cast<std::size_t>(~at)];
    }
    static bool below(const Tree& tree, std::size_t node, int kind, double x) {
        if ((kind & 12) != kMissingNan && std::isnan(x)) x = 0;
        const bool zero = x >= -kZeroThreshold && x <= kZeroThreshold;
        if (((kind & 12) == kMissingZero && zero) || ((kind & 12) == kMissingNan && std::isnan(x)))
            return (kind & kDefaultLeft) != 0;
        return x <= tree.at("threshold")[node];
    }
    static bool in_set(const Tree& tree, std::size_t node, double x) {
        if (std::isnan(x) || x >= 2147483648.0) return false;
        const int category = static_cast<int>(x);
        if (category < 0) return false;
        const auto set = static_cast<std::size_t>(tree.at("threshold")[node]);
        const auto from = static_cast<std::size_t>(tree.at("cat_boundaries")[set]),
                   end = static_cast<std::size_t>(tree.at("cat_boundaries")[set + 1]);
        const std::size_t word = from + static_cast<std::size_t>(category) / 32;
        if (word >= end) return false;
        return (static_cast<std::uint32_t>(tree.at("cat_threshold")[word]) >> (category % 32) &
                1) != 0;
    }

    std::vector<Tree> trees_;
    bool mean_ = false;
};

std::vector<double> random_row() {
    const auto number = [] {
        return *rc::gen::element(0.0, -0.0, 1e-35, kZeroThreshold, -kZeroThreshold, 1.1e-35, -1e-36,
                                 0.1, -2.5, 1e300, -1e300, *rc::gen::inRange(-900, 900) / 70.0);
    };
    const auto category = [] {
        return *rc::gen::element(-1.0, -0.5, 0.0, 31.0, 32.0, 63.5, 255.0, 1e9, 1e300,
                                 static_cast<double>(*rc::gen::inRange(0, 260)));
    };
    return {number(), number(), number(), number(), category(), category()};
}

RC_GTEST_PROP(LightGbm, WholeModelsEqualASlowWalk, ()) {
    const bool mean = *rc::gen::inRange(0, 4) == 0;
    const std::string text = random_model(40, mean);
    const SlowModel slow(text);
    const auto model = Model::parse(text);
    if (!model.ok()) RC_FAIL(model.error().to_string());
    RC_ASSERT(model->tree_count() == 40u && slow.trees() == 40u);
    constexpr std::size_t kRows = 60;
    std::vector<std::vector<double>> rows, columns(kInputs);
    for (std::size_t i = 0; i < kRows; ++i) {
        rows.push_back(random_row());
        for (std::size_t input = 0; input < kInputs; ++input)
            columns[input].push_back(rows.back()[input]);
    }
    std::vector<const double*> pointers;
    for (const auto& column : columns) pointers.push_back(column.data());
    std::vector<double> out(kRows);
    model->score(pointers, kRows, out.data());
    for (std::size_t i = 0; i < kRows; ++i) RC_ASSERT(out[i] == slow(rows[i]));
}

/// Every input is a field or a number of the profile; a row is a slot.
class Rows final : public FeatureSource {
public:
    Result<void> fill(const Feature& feature, std::span<const Slot> slots, const EvaluationContext&,
                      std::span<double> out) override {
        for (std::size_t i = 0; i < slots.size(); ++i)
            out[i] = rows[slots[i].value()][input_of(feature)];
        return {};
    }
    bool is_missing(const Feature&, Slot) const override { return false; }
    std::vector<std::vector<double>> rows;

private:
    std::size_t input_of(const Feature& feature) const {
        const std::map<std::string, std::size_t> fields{
            {"year", 0}, {"price", 1}, {"length", 2}, {"released", 4}};
        if (feature.kind == FeatureKind::kAgeHours) return 3;
        if (feature.kind == FeatureKind::kCount) return 5;
        return fields.at(schema_->kind(EntityKind::kItem).fields[feature.field.value()].name);
    }
    std::shared_ptr<const schema::Schema> schema_ = sample_schema();
};

RC_GTEST_PROP(LightGbm, ExplainedTermsAddUpToTheScoreExactly, ()) {
    static const auto schema = sample_schema();
    const std::string text = random_model(20, false);
    const SlowModel slow(text);
    ModelSet models;
    models.put("ranker", std::make_shared<const Model>(*Model::parse(text)));
    const auto profile = compile_profile(
        *parse_profile("profile p version 1 { let small = released; let large = count(view, 7d);"
                       "  require year < 1e200;"
                       "  score 3 * model(ranker) - 0.1 * price + log1p(model(ranker)) + 1 / 3;"
                       "  penalty 0.7 when model(ranker) < 0; }"),
        *schema, EntityKind::kItem, models);
    if (!profile.ok()) RC_FAIL(profile.error().to_string());
    Rows rows;
    std::vector<Slot> slots;
    for (std::uint32_t i = 0; i < 30; ++i) {
        rows.rows.push_back(random_row());
        slots.push_back(Slot(i));
    }
    Evaluator scorer((*profile)->program, rows, {.params = {}});
    Evaluator explainer((*profile)->explain, rows, {.params = {}});
    const auto scores = scorer.run(slots);
    RC_ASSERT(scores.ok());
    for (const Slot slot : slots) {
        const auto explanation = explainer.explain(slot);
        RC_ASSERT(explanation.ok());
        RC_ASSERT(explanation->terms.size() == 5u);
        RC_ASSERT(explanation->terms[0].value == 3 * slow(rows.rows[slot.value()]));
        double total = explanation->terms[0].value;
        for (std::size_t t = 1; t < explanation->terms.size(); ++t)
            total = std::clamp(total + explanation->terms[t].value, -1e300, 1e300);
        RC_ASSERT(total == (*scores)[slot.value()]);
    }
}

}  // namespace lightgbm_test
}  // namespace tidal::ranking
