#include "ranking/model.h"

#include <cmath>

#include "ranking/internal/score_math.h"

namespace tidal::ranking {
namespace {

/// What LightGBM takes for zero: include/LightGBM/meta.h, kZeroThreshold, of type float.
constexpr double kZero = 1e-35F;

}  // namespace

bool Model::goes_left(const Node& node, double input) const {
    if (node.zero_is_missing && std::fabs(input) <= kZero) return node.default_left;
    if (!node.categorical) return input <= node.threshold;
    const double most = 32.0 * node.category_words;
    if (!(input > -1.0) || !(input < most)) return false;
    const auto category = static_cast<std::uint32_t>(input);  // Towards 0, as LightGBM.
    return ((category_words_[node.categories + category / 32] >> (category % 32)) & 1) != 0;
}

/// Tree by tree, so that a tree stays in the cache for a whole block.
void Model::score(std::span<const double* const> columns, std::size_t n, double* out) const {
    for (std::size_t i = 0; i < n; ++i) out[i] = 0;
    for (const Tree& tree : trees_) {
        for (std::size_t i = 0; i < n; ++i) {
            std::int32_t at = tree.node_count == 0 ? ~0 : 0;
            while (at >= 0) {
                const Node& here = node(tree, at);
                at = goes_left(here, columns[here.input][i]) ? here.left : here.right;
            }
            out[i] += leaf(tree, at);
        }
    }
    const double count = is_mean_ ? static_cast<double>(trees_.size()) : 1;
    for (std::size_t i = 0; i < n; ++i) out[i] = score_math::sanitize(out[i] / count);
}

}  // namespace tidal::ranking
