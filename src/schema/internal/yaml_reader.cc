#include "schema/internal/yaml_reader.h"

#include <algorithm>
#include <charconv>

#include "base/edit_distance.h"
#include "schema/duration.h"

namespace tidal::schema {
namespace {

std::string child(std::string_view path, std::string_view key) {
    return path.empty() ? std::string(key) : std::string(path) + "." + std::string(key);
}

template <typename T>
bool parse_all(std::string_view text, T* out) {
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), *out);
    return status == std::errc() && end == text.data() + text.size();
}

}  // namespace

Error error_at(YamlMark mark, std::string_view path, std::string_view message) {
    const std::string where = path.empty() ? std::string() : std::string(path) + ": ";
    return yaml_error(mark, where + std::string(message)).with_field(path);
}

Error locate(Error error, YamlMark mark, std::string_view path) {
    Error out = error_at(mark, path, error.message()).with_hint(error.hint());
    for (const auto& [key, value] : error.context()) std::move(out).with(key, value);
    return out;
}

Error unknown_name(YamlMark mark, std::string_view path, std::string_view what,
                   std::string_view name, std::span<const std::string_view> known) {
    std::string message =
        "unknown " + std::string(what) + " \"" + std::string(name.substr(0, 80)) + "\"";
    return error_at(mark, path, message).with_hint(name_hint(name, known));
}

Result<void> read_map(const YamlNode& node, std::string_view path,
                      std::span<const std::string_view> known,
                      const std::function<Result<void>(std::string_view, const YamlEntry&)>& read) {
    if (node.kind == YamlNode::Kind::kNull) return {};
    if (!node.is_map()) return error_at(node.mark, path, "a map of keys to values is expected");
    for (const YamlEntry& entry : node.entries) {
        const std::string entry_path = child(path, entry.key);
        if (!known.empty() && std::find(known.begin(), known.end(), entry.key) == known.end())
            return unknown_name(entry.mark, entry_path, "key", entry.key, known);
        TIDAL_TRY(read(entry_path, entry));
    }
    return {};
}

Result<std::string> read_text(const YamlNode& node, std::string_view path) {
    if (node.is_scalar()) return node.scalar;
    return error_at(node.mark, path, "a single value is expected");
}

Result<bool> read_bool(const YamlNode& node, std::string_view path) {
    if (node.is_scalar() && !node.quoted) {
        if (node.scalar == "true") return true;
        if (node.scalar == "false") return false;
    }
    return error_at(node.mark, path, "true or false is expected");
}

Result<std::uint64_t> read_count(const YamlNode& node, std::string_view path) {
    std::uint64_t value = 0;
    if (node.is_scalar() && !node.quoted && parse_all(node.scalar, &value)) return value;
    return error_at(node.mark, path, "a whole number from 0 is expected");
}

Result<double> read_number(const YamlNode& node, std::string_view path) {
    double value = 0;
    if (node.is_scalar() && !node.quoted && parse_all(node.scalar, &value)) return value;
    return error_at(node.mark, path, "a number is expected");
}

Result<std::int64_t> read_duration(const YamlNode& node, std::string_view path) {
    TIDAL_ASSIGN(const std::string text, read_text(node, path));
    auto value = parse_duration_ms(text);
    if (!value) return locate(value.take_error(), node.mark, path);
    return value;
}

Result<std::vector<const YamlNode*>> read_list(const YamlNode& node, std::string_view path) {
    std::vector<const YamlNode*> out;
    if (node.is_scalar()) {
        out.push_back(&node);
    } else if (node.is_sequence()) {
        for (const YamlNode& item : node.items) out.push_back(&item);
    } else {
        return error_at(node.mark, path, "a list is expected, such as [1h, 24h]");
    }
    return out;
}

}  // namespace tidal::schema
