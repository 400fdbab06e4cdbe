// ranking/tests/random_model.h: random trees as LightGBM writes them, and what they mean, written a
// second time.
#pragma once

#include <rapidcheck.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidal::ranking {

/// A tree as a person would draw it.
struct Branch {
    double leaf = 0;
    std::unique_ptr<Branch> left, right;
    int input = 0;
    double threshold = 0;
    int kind = 0;                           ///< decision_type of the format.
    std::vector<std::uint32_t> categories;  ///< Words of the set of a categorical split.
};

inline std::unique_ptr<Branch> random_branch(int depth, int inputs) {
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

/// docs/reference/expressions.md, one entity and one tree at a time.
inline double walk(const Branch& branch, const std::vector<double>& row) {
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
inline std::string tree_text(const Branch& root, int number) {
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

inline std::string model_header(const std::string& names, const std::string& more = "") {
    return "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
           "max_feature_idx=2\nobjective=binary sigmoid:1\n" +
           more + "feature_names=" + names + "\nfeature_infos=[0:1] [0:1] [0:1]\ntree_sizes=1\n\n";
}
inline constexpr std::string_view kModelEnd =
    "end of trees\n\nfeature_importances:\na=1\n\npandas_categorical:null\n";

class RandomModel {
public:
    /// @param names  Of its inputs. @param depth  Of a tree, at most.
    RandomModel(std::vector<std::string> names, int trees, int depth)
        : inputs(std::move(names)), is_mean_(*rc::gen::inRange(0, 2) == 0) {
        for (; trees > 0; --trees)
            trees_.push_back(
                random_branch(*rc::gen::inRange(0, depth + 1), static_cast<int>(inputs.size())));
    }
    std::string text() const {
        std::string names;
        for (const std::string& input : inputs) names += (names.empty() ? "" : " ") + input;
        std::string out = model_header(names, is_mean_ ? "average_output\n" : "");
        for (std::size_t i = 0; i < trees_.size(); ++i)
            out += tree_text(*trees_[i], static_cast<int>(i));
        return out + std::string(kModelEnd);
    }
    double score(const std::vector<double>& row) const {
        double out = 0;
        for (const auto& tree : trees_) out += walk(*tree, row);
        return is_mean_ ? out / static_cast<double>(trees_.size()) : out;
    }
    std::size_t tree_count() const { return trees_.size(); }

    const std::vector<std::string> inputs;

private:
    std::vector<std::unique_ptr<Branch>> trees_;
    bool is_mean_ = false;
};

}  // namespace tidal::ranking
