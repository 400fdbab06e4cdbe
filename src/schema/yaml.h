// schema/yaml.h: YAML text as a plain tree with positions; hides yaml-cpp from everything else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidal::schema {

/// Both count from 1.
struct YamlMark {
    std::uint32_t line = 1;
    std::uint32_t column = 1;
};

struct YamlEntry;

/// The subset of YAML that configuration needs: scalars, sequences and maps with scalar keys, one
/// document, no anchors, aliases or tags. JSON is a subset of it.
struct YamlNode {
    enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMap };
    Kind kind = Kind::kNull;
    YamlMark mark;
    std::string scalar;
    bool quoted = false;             ///< "7" is text, 7 is not.
    std::vector<YamlNode> items;     ///< Of a sequence.
    std::vector<YamlEntry> entries;  ///< Of a map, in the order written; keys are unique.

    bool is_map() const { return kind == Kind::kMap; }
    bool is_scalar() const { return kind == Kind::kScalar; }
    bool is_sequence() const { return kind == Kind::kSequence; }
};

struct YamlEntry {
    std::string key;
    YamlMark mark;
    YamlNode value;
};

struct YamlLimits {
    std::size_t bytes_max = 1024 * 1024;
    std::size_t depth_max = 16;
};

/// kInvalidArgument with `line` and `column` in the context; kTooLarge above the limits. An empty
/// text is a null node.
Result<YamlNode> parse_yaml(std::string_view text, const YamlLimits& limits = {});

/// "line 3, column 5: " + message, with both as context pairs.
Error yaml_error(YamlMark mark, std::string_view message);

}  // namespace tidal::schema
