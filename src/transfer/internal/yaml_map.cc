#include "transfer/internal/yaml_map.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/edit_distance.h"

namespace tidal::transfer {

using schema::yaml_error;
using schema::YamlNode;

Error unknown_name(schema::YamlMark mark, std::string_view what, std::string_view name,
                   std::span<const std::string_view> known) {
    return yaml_error(mark, "unknown " + std::string(what) + " '" + std::string(name) + "'")
        .with_field(name)
        .with_hint(name_hint(name, known));
}

Result<void> read_map(const YamlNode& node, std::string_view what,
                      std::span<const std::string_view> known, const ReadEntry& read) {
    if (!node.is_map())
        return yaml_error(node.mark, std::string(what) + " must be a map of keys and values");
    for (const schema::YamlEntry& entry : node.entries) {
        if (std::find(known.begin(), known.end(), entry.key) == known.end())
            return unknown_name(entry.mark, "key of " + std::string(what), entry.key, known);
        TIDAL_TRY(read(entry.key, entry.value));
    }
    return {};
}

Result<std::string> read_text(const YamlNode& node, std::string_view what) {
    if (!node.is_scalar()) return yaml_error(node.mark, std::string(what) + " must be a text");
    if (node.scalar.empty()) return yaml_error(node.mark, std::string(what) + " is empty");
    return node.scalar;
}

Result<bool> read_bool(const YamlNode& node, std::string_view what) {
    if (node.is_scalar() && node.scalar == "true") return true;
    if (node.is_scalar() && node.scalar == "false") return false;
    return yaml_error(node.mark, std::string(what) + " must be true or false");
}

Result<double> read_number(const YamlNode& node, std::string_view what) {
    double number = 0;
    const char* const end = node.scalar.data() + node.scalar.size();
    const auto [stop, error] = std::from_chars(node.scalar.data(), end, number);
    if (!node.is_scalar() || error != std::errc() || stop != end || !std::isfinite(number))
        return yaml_error(node.mark, std::string(what) + " must be a number");
    return number;
}

Result<std::vector<std::string>> read_texts(const YamlNode& node, std::string_view what) {
    std::vector<std::string> texts;
    if (!node.is_sequence()) {
        TIDAL_ASSIGN(std::string one, read_text(node, what));
        texts.push_back(std::move(one));
        return texts;
    }
    for (const YamlNode& item : node.items) {
        TIDAL_ASSIGN(std::string one, read_text(item, what));
        texts.push_back(std::move(one));
    }
    return texts;
}

Result<std::size_t> read_choice(const YamlNode& node, std::string_view what,
                                std::span<const std::string_view> names) {
    TIDAL_ASSIGN(const std::string name, read_text(node, what));
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) return unknown_name(node.mark, what, name, names);
    return static_cast<std::size_t>(at - names.begin());
}

}  // namespace tidal::transfer
