// ranking/model.h: gradient-boosted trees as a function of a score expression, `model(name)`.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidal::ranking {

// Of a text: record::kModelTextBytesMax.
inline constexpr std::size_t kModelTreesMax = 4096;
inline constexpr std::size_t kModelLeavesMax = 1 << 20;  ///< Of all trees together.
inline constexpr std::size_t kModelInputsMax = 256;

/// Trees of one model, in the order their leaves are added. Immutable; shared by threads.
///
/// Source    The text LightGBM writes (Booster.save_model, version v3 and v4): one output, numeric
///           and categorical splits, missing values as zero; no linear leaves.
/// Memory    About 32 bytes a leaf.
class Model {
public:
    /// @return kInvalidArgument with line, column and offset: not such a text, or parts that do not
    ///         fit each other; kUnsupported  several classes, linear leaves; kTooLarge.
    static Result<Model> parse(std::string_view text);

    /// What it reads, in the order of `inputs`: names of a profile (definitions, fields, features
    /// without arguments).
    std::span<const std::string> inputs() const { return inputs_; }
    /// Steps from root to leaf, the longest of each tree added up.
    std::uint32_t steps() const { return steps_; }
    std::size_t tree_count() const { return trees_.size(); }

    /// The raw score: the sum of one leaf of each tree (their mean for a random forest), before any
    /// link function. Within +-1e300.
    /// @param columns  One per input, each n finite numbers.
    /// @param out      n numbers; none of the columns.
    void score(std::span<const double* const> columns, std::size_t n, double* out) const;

    /// One inner node. A child >= 0 is a node of the same tree, below it leaf number ~child.
    struct Node {
        double threshold = 0;  ///< Left when the input is at most this.
        std::int32_t left = 0, right = 0;
        std::uint32_t categories = 0;  ///< First word of a set, of categorical splits.
        std::uint32_t category_words = 0;
        std::uint16_t input = 0;
        bool categorical = false;
        bool zero_is_missing = false;  ///< An input of 0 goes where `default_left` says.
        bool default_left = false;
    };
    struct Tree {
        std::uint32_t first_node = 0, node_count = 0;
        std::uint32_t first_leaf = 0;
    };
    std::span<const Tree> trees() const { return trees_; }
    const Node& node(const Tree& tree, std::int32_t index) const {
        return nodes_[tree.first_node + static_cast<std::uint32_t>(index)];
    }
    double leaf(const Tree& tree, std::int32_t child) const {
        return leaves_[tree.first_leaf + static_cast<std::uint32_t>(~child)];
    }
    /// Whether `input` goes left at `node`.
    bool goes_left(const Node& node, double input) const;
    bool is_mean() const { return is_mean_; }

private:
    friend class ModelParser;

    std::vector<std::string> inputs_;
    std::vector<Tree> trees_;
    std::vector<Node> nodes_;
    std::vector<double> leaves_;
    std::vector<std::uint32_t> category_words_;
    std::uint32_t steps_ = 0;
    bool is_mean_ = false;
};

/// Models by the name that `model(name)` says. Copies share them; a change of one leaves the
/// others.
class ModelSet {
public:
    /// Replaces the one of that name.
    void put(std::string name, std::shared_ptr<const Model> model) {
        auto changed = std::make_shared<Models>(*models_);
        changed->insert_or_assign(std::move(name), std::move(model));
        models_ = std::move(changed);
    }
    /// nullptr when there is none.
    std::shared_ptr<const Model> find(std::string_view name) const {
        const auto found = models_->find(name);
        return found == models_->end() ? nullptr : found->second;
    }
    std::vector<std::string_view> names() const {
        std::vector<std::string_view> out;
        for (const auto& [name, model] : *models_) out.push_back(name);
        return out;
    }

private:
    using Models = std::map<std::string, std::shared_ptr<const Model>, std::less<>>;
    std::shared_ptr<const Models> models_ = std::make_shared<const Models>();
};

}  // namespace tidal::ranking
