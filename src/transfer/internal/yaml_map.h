// transfer/internal/yaml_map.h: typed reads from the map nodes of a mapping.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "schema/yaml.h"

namespace tidal::transfer {

using ReadEntry = std::function<Result<void>(std::string_view key, const schema::YamlNode& value)>;

/// Calls `read` for each entry. An unknown key is an error with the nearest known one.
Result<void> read_map(const schema::YamlNode& node, std::string_view what,
                      std::span<const std::string_view> known, const ReadEntry& read);

Result<std::string> read_text(const schema::YamlNode& node, std::string_view what);
Result<bool> read_bool(const schema::YamlNode& node, std::string_view what);
Result<double> read_number(const schema::YamlNode& node, std::string_view what);
/// A list of texts, or one text standing for a list of one.
Result<std::vector<std::string>> read_texts(const schema::YamlNode& node, std::string_view what);
/// The position of the text in `names`; an error with the nearest otherwise.
Result<std::size_t> read_choice(const schema::YamlNode& node, std::string_view what,
                                std::span<const std::string_view> names);

/// "unknown <what> 'name'" at a place, with a hint.
Error unknown_name(schema::YamlMark mark, std::string_view what, std::string_view name,
                   std::span<const std::string_view> known);

}  // namespace tidal::transfer
