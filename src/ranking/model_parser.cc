#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "ranking/model.h"
#include "ranking/source_text.h"
#include "record/record.h"

namespace tidal::ranking {
namespace {

// Bits of decision_type: include/LightGBM/tree.h.
constexpr int kCategoricalBit = 1, kDefaultLeftBit = 2;
constexpr int kMissingShift = 2, kMissingZero = 1;

/// The text of a value and where it stands.
struct Field {
    std::string_view key, value;
    std::uint32_t offset = 0;  ///< Of the value.
};

}  // namespace

/// Sections of lines `key=value`, each ended by an empty line: a header, then one for each tree,
/// then `end of trees`. Unknown keys are of no use for scoring and skipped.
class ModelParser {
public:
    explicit ModelParser(std::string_view text) : text_(text) {}

    Result<Model> run() {
        TIDAL_TRY(header());
        while (true) {
            skip_empty_lines();
            if (line().starts_with("end of trees")) break;
            if (!line().starts_with("Tree="))
                return fail(at_, "expected `Tree=` or `end of trees`");
            TIDAL_TRY(tree());
        }
        return std::move(out_);
    }

private:
    Error fail(std::size_t offset, std::string message,
               ErrorCode code = ErrorCode::kInvalidArgument) const {
        return error_at(code, text_, static_cast<std::uint32_t>(offset), std::move(message))
            .with_hint("a text as LightGBM's save_model writes it")
            .with_reason(code == ErrorCode::kTooLarge ? "model_too_large" : "invalid_model");
    }

    std::string_view line() const {
        std::string_view out = text_.substr(at_, text_.find('\n', at_) - at_);
        if (out.ends_with('\r')) out.remove_suffix(1);
        return out;
    }
    void next_line() {
        const auto end = text_.find('\n', at_);
        at_ = end == std::string_view::npos ? text_.size() : end + 1;
    }
    void skip_empty_lines() {
        while (at_ < text_.size() && line().empty()) next_line();
    }

    /// Up to the next empty line.
    Result<void> section() {
        fields_.clear();
        section_offset_ = at_;
        for (; at_ < text_.size() && !line().empty(); next_line()) {
            const std::string_view whole = line();
            const auto equals = whole.find('=');
            if (equals == std::string_view::npos) {
                fields_.push_back({whole, {}, static_cast<std::uint32_t>(at_)});
                continue;
            }
            fields_.push_back({whole.substr(0, equals), whole.substr(equals + 1),
                               static_cast<std::uint32_t>(at_ + equals + 1)});
        }
        return {};
    }

    const Field* find(std::string_view key) const {
        const auto found = std::ranges::find(fields_, key, &Field::key);
        return found == fields_.end() ? nullptr : &*found;
    }

    Result<const Field*> need(std::string_view key) const {
        const Field* found = find(key);
        if (found == nullptr)
            return fail(section_offset_, "`" + std::string(key) + "` is missing here");
        return found;
    }

    /// Numbers separated by blanks.
    template <typename T>
    Result<std::vector<T>> numbers(std::string_view key) const {
        TIDAL_ASSIGN(const Field* field, need(key));
        std::vector<T> out;
        const char* const begin = field->value.data();
        const char* const end = begin + field->value.size();
        for (const char* at = begin; at != end;) {
            if (*at == ' ') {
                ++at;
                continue;
            }
            T value{};
            const auto read = std::from_chars(at, end, value);
            if (read.ec != std::errc() || (read.ptr != end && *read.ptr != ' ') ||
                !is_finite(value))
                return fail(field->offset + static_cast<std::size_t>(at - begin),
                            "expected a number in `" + std::string(key) + "`");
            out.push_back(value);
            at = read.ptr;
        }
        return out;
    }
    static bool is_finite(double value) { return std::isfinite(value); }
    static bool is_finite(std::int64_t) { return true; }

    Result<std::int64_t> number(std::string_view key, std::int64_t least, std::int64_t most) const {
        TIDAL_ASSIGN(const auto values, numbers<std::int64_t>(key));
        if (values.size() != 1 || values[0] < least || values[0] > most)
            return fail(find(key)->offset, "`" + std::string(key) + "` is a number from " +
                                               std::to_string(least) + " to " +
                                               std::to_string(most));
        return values[0];
    }

    template <typename T>
    Result<std::vector<T>> numbers(std::string_view key, std::size_t count) const {
        TIDAL_ASSIGN(auto values, numbers<T>(key));
        if (values.size() != count)
            return fail(find(key)->offset, "`" + std::string(key) + "` has " +
                                               std::to_string(values.size()) + " numbers, not " +
                                               std::to_string(count));
        return values;
    }

    Result<void> header() {
        if (line() != "tree") return fail(0, "expected `tree` in the first line");
        TIDAL_TRY(section());
        for (const std::string_view one : {"num_class", "num_tree_per_iteration"}) {
            TIDAL_ASSIGN(const auto count, number(one, 1, 1'000'000));
            if (count != 1)
                return fail(find(one)->offset, "a model with several outputs has no score",
                            ErrorCode::kUnsupported);
        }
        out_.is_mean_ = find("average_output") != nullptr;
        TIDAL_ASSIGN(const Field* names, need("feature_names"));
        for (std::size_t at = 0; at < names->value.size();) {
            const std::size_t end = std::min(names->value.find(' ', at), names->value.size());
            if (end > at) out_.inputs_.emplace_back(names->value.substr(at, end - at));
            at = end + 1;
        }
        if (out_.inputs_.empty() || out_.inputs_.size() > kModelInputsMax)
            return fail(names->offset, "`feature_names` has 1 to 256 names");
        return {};
    }

    Result<void> tree() {
        if (out_.trees_.size() == kModelTreesMax)
            return fail(at_, "more than 4096 trees", ErrorCode::kTooLarge);
        TIDAL_TRY(section());
        TIDAL_ASSIGN(const auto leaves, number("num_leaves", 1, kModelLeavesMax));
        const auto leaf_count = static_cast<std::size_t>(leaves);
        if (out_.leaves_.size() + leaf_count > kModelLeavesMax)
            return fail(section_offset_, "more than 1048576 leaves", ErrorCode::kTooLarge);
        if (const Field* linear = find("is_linear"); linear != nullptr && linear->value != "0")
            return fail(linear->offset, "trees with linear leaves are not read",
                        ErrorCode::kUnsupported);
        TIDAL_ASSIGN(const auto values, numbers<double>("leaf_value", leaf_count));
        Model::Tree tree{static_cast<std::uint32_t>(out_.nodes_.size()),
                         static_cast<std::uint32_t>(leaf_count - 1),
                         static_cast<std::uint32_t>(out_.leaves_.size())};
        out_.leaves_.insert(out_.leaves_.end(), values.begin(), values.end());
        if (leaf_count > 1) {
            TIDAL_TRY(nodes(leaf_count - 1));
        }
        out_.trees_.push_back(tree);
        return {};
    }

    Result<void> nodes(std::size_t count) {
        TIDAL_ASSIGN(const auto inputs, numbers<std::int64_t>("split_feature", count));
        TIDAL_ASSIGN(const auto thresholds, numbers<double>("threshold", count));
        TIDAL_ASSIGN(const auto kinds, numbers<std::int64_t>("decision_type", count));
        TIDAL_ASSIGN(const auto left, numbers<std::int64_t>("left_child", count));
        TIDAL_ASSIGN(const auto right, numbers<std::int64_t>("right_child", count));
        TIDAL_TRY(read_categories());
        const std::size_t first = out_.nodes_.size();
        for (std::size_t i = 0; i < count; ++i) {
            if (inputs[i] < 0 || inputs[i] >= static_cast<std::int64_t>(out_.inputs_.size()))
                return fail(find("split_feature")->offset,
                            "a split reads a feature without a name");
            Model::Node node;
            node.threshold = thresholds[i];
            node.input = static_cast<std::uint16_t>(inputs[i]);
            node.categorical = (kinds[i] & kCategoricalBit) != 0;
            node.default_left = (kinds[i] & kDefaultLeftBit) != 0;
            node.zero_is_missing =
                !node.categorical && ((kinds[i] >> kMissingShift) & 3) == kMissingZero;
            if (node.categorical) {
                TIDAL_TRY(set_categories(&node));
            }
            out_.nodes_.push_back(node);
        }
        return connect(first, left, right);
    }

    /// Children come after their parents, and every node and leaf has one parent: then every walk
    /// from the root ends in a leaf.
    Result<void> connect(std::size_t first, const std::vector<std::int64_t>& left,
                         const std::vector<std::int64_t>& right) {
        const auto count = static_cast<std::int64_t>(left.size());
        std::vector<bool> seen(static_cast<std::size_t>(2 * count + 1));
        std::vector<std::uint32_t> depth(left.size(), 1);
        std::uint32_t deepest = 1;
        for (std::int64_t i = 0; i < count; ++i) {
            const auto at = static_cast<std::size_t>(i);
            deepest = std::max(deepest, depth[at]);
            const struct {
                const char* key;
                std::int64_t child;
            } sides[] = {{"left_child", left[at]}, {"right_child", right[at]}};
            for (const auto& [key, child] : sides) {
                const bool node = child > i && child < count;
                const bool leaf = child < 0 && ~child <= count;
                const auto place = static_cast<std::size_t>(leaf ? count + ~child : child);
                if ((!node && !leaf) || seen[place])
                    return fail(find(key)->offset, "`" + std::string(key) + "` makes no tree");
                seen[place] = true;
                if (node) depth[place] = depth[at] + 1;
            }
            out_.nodes_[first + at].left = static_cast<std::int32_t>(left[at]);
            out_.nodes_[first + at].right = static_cast<std::int32_t>(right[at]);
        }
        out_.steps_ += deepest;
        return {};
    }

    Result<void> read_categories() {
        boundaries_.clear();
        words_.clear();
        const Field* count = find("num_cat");
        if (count == nullptr || count->value == "0") return {};
        TIDAL_ASSIGN(boundaries_, numbers<std::int64_t>("cat_boundaries"));
        TIDAL_ASSIGN(words_, numbers<std::int64_t>("cat_threshold"));
        for (const std::int64_t word : words_)
            if (word < 0 || word > std::int64_t{std::numeric_limits<std::uint32_t>::max()})
                return fail(find("cat_threshold")->offset, "`cat_threshold` has words of 32 bits");
        return {};
    }

    Result<void> set_categories(Model::Node* node) {
        const double index = node->threshold;
        const bool whole = index >= 0 && index == std::floor(index) &&
                           index + 1 < static_cast<double>(boundaries_.size());
        const auto at = static_cast<std::size_t>(whole ? index : 0);
        if (!whole || boundaries_[at] < 0 || boundaries_[at + 1] < boundaries_[at] ||
            boundaries_[at + 1] > static_cast<std::int64_t>(words_.size()))
            return fail(find("threshold")->offset,
                        "a categorical split names no set of categories");
        node->categories = static_cast<std::uint32_t>(out_.category_words_.size());
        node->category_words = static_cast<std::uint32_t>(boundaries_[at + 1] - boundaries_[at]);
        if (out_.category_words_.size() + node->category_words > kModelLeavesMax)
            return fail(section_offset_, "too many categories", ErrorCode::kTooLarge);
        for (std::int64_t word = boundaries_[at]; word < boundaries_[at + 1]; ++word)
            out_.category_words_.push_back(
                static_cast<std::uint32_t>(words_[static_cast<std::size_t>(word)]));
        return {};
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t section_offset_ = 0;
    std::vector<Field> fields_;
    std::vector<std::int64_t> boundaries_, words_;
    Model out_;
};

Result<Model> Model::parse(std::string_view text) {
    constexpr std::size_t kMost = record::kModelTextBytesMax;
    static_assert(kMost % (1 << 20) == 0);
    if (text.size() > kMost)
        return Error(ErrorCode::kTooLarge,
                     "a model has at most " + std::to_string(kMost >> 20) + " MiB")
            .with("bytes", text.size())
            .with("bytes_max", kMost)
            .with_hint("train fewer or smaller trees")
            .with_reason("model_too_large");
    return ModelParser(text).run();
}

}  // namespace tidal::ranking
