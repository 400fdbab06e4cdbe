// schema/internal/yaml_reader.h: typed reads from a YAML tree, with path and position in each
// error.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "schema/internal/names.h"
#include "schema/yaml.h"

namespace tidal::schema {

/// An error at `mark`, its field set to the path of the key at fault.
Error error_at(YamlMark mark, std::string_view path, std::string_view message);
/// The same error with position and path added.
Error locate(Error error, YamlMark mark, std::string_view path);

/// Calls `read(key, value)` for each entry; an unknown key is an error naming the nearest known
/// one. A null node reads as an empty map.
Result<void> read_map(const YamlNode& node, std::string_view path,
                      std::span<const std::string_view> known,
                      const std::function<Result<void>(std::string_view, const YamlEntry&)>& read);

/// "unknown <what> "name"", with the nearest known name as the hint.
Error unknown_name(YamlMark mark, std::string_view path, std::string_view what,
                   std::string_view name, std::span<const std::string_view> known);

Result<std::string> read_text(const YamlNode& node, std::string_view path);
Result<bool> read_bool(const YamlNode& node, std::string_view path);
Result<std::uint64_t> read_count(const YamlNode& node, std::string_view path);
Result<double> read_number(const YamlNode& node, std::string_view path);
Result<std::int64_t> read_duration(const YamlNode& node, std::string_view path);
/// A list, or one scalar standing for a list of one.
Result<std::vector<const YamlNode*>> read_list(const YamlNode& node, std::string_view path);

template <typename E>
Result<E> read_enum(const YamlNode& node, std::string_view path, std::string_view what) {
    TIDAL_ASSIGN(const std::string text, read_text(node, path));
    if (const auto value = from_name<E>(text)) return *value;
    return unknown_name(node.mark, path, what, text, Names<E>::value);
}

}  // namespace tidal::schema
