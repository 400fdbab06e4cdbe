#include "http/json_read.h"

#include <charconv>

#include "base/time_text.h"
#include "http/internal/json_in.h"

namespace tidal::http {
namespace json_in {
namespace {

/// The text of {"<key>": "..."}; "" for {}.
Result<std::string> only_text(const element& root, std::string_view key) {
    std::string out;
    TIDAL_TRY(members(root, std::array{key},
                      [&](std::string_view field, const element& value) -> Result<void> {
                          TIDAL_ASSIGN(out, text(value, field));
                          return {};
                      }));
    return out;
}

Result<std::string> needed_text(const element& root, std::string_view key) {
    TIDAL_ASSIGN(std::string out, only_text(root, key));
    if (out.empty()) return missing(key);
    return out;
}

Result<KeyBody> read_key(const element& root) {
    KeyBody out;
    TIDAL_TRY(members(root, std::array<std::string_view, 2>{"name", "role"},
                      [&](std::string_view key, const element& value) -> Result<void> {
                          TIDAL_ASSIGN((key == "name" ? out.name : out.role), text(value, key));
                          return {};
                      }));
    if (out.name.empty()) return missing("name");
    if (out.role.empty()) return missing("role");
    return out;
}

Result<CatalogText> read_catalog_text(const element& root) {
    CatalogText out;
    TIDAL_TRY(members(root, std::array<std::string_view, 2>{"text", "dry_run"},
                      [&](std::string_view key, const element& value) -> Result<void> {
                          if (key == "dry_run") {
                              TIDAL_ASSIGN(out.dry_run, flag(value, key));
                          } else {
                              TIDAL_ASSIGN(out.text, text(value, key));
                          }
                          return {};
                      }));
    if (out.text.empty()) return missing("text");
    return out;
}

Result<std::optional<std::uint64_t>> read_number(const element& root, std::string_view member) {
    std::optional<std::uint64_t> out;
    TIDAL_TRY(members(root, std::array{member},
                      [&](std::string_view key, const element& value) -> Result<void> {
                          std::uint64_t number = 0;
                          if (value.get(number) != simdjson::SUCCESS)
                              return wrong_type(key, "an unsigned integer");
                          out = number;
                          return {};
                      }));
    return out;
}

}  // namespace
}  // namespace json_in

JsonReader::JsonReader() : parser_(std::make_unique<Parser>()) {}
JsonReader::~JsonReader() = default;
JsonReader::JsonReader(JsonReader&&) noexcept = default;
JsonReader& JsonReader::operator=(JsonReader&&) noexcept = default;

JsonReader JsonReaders::take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return JsonReader();
    JsonReader reader = std::move(free_.back());
    free_.pop_back();
    return reader;
}

void JsonReaders::give_back(JsonReader reader) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(reader));
}

Result<std::string> JsonReader::description(std::string_view json) {
    if (json.empty()) return std::string();
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::only_text(root, "description");
}

Result<std::string> JsonReader::schema(std::string_view json) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::needed_text(root, "schema");
}

Result<std::string> JsonReader::query(std::string_view json) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::needed_text(root, "query");
}

Result<std::string> JsonReader::name(std::string_view json) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::needed_text(root, "name");
}

Result<KeyBody> JsonReader::key(std::string_view json) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::read_key(root);
}

Result<std::optional<std::uint64_t>> JsonReader::optional_number(std::string_view json,
                                                                 std::string_view member) {
    if (json.empty()) return std::optional<std::uint64_t>();
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::read_number(root, member);
}

Result<CatalogText> JsonReader::catalog_text(std::string_view json) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::read_catalog_text(root);
}

Result<UnixMillis> read_time_text(std::string_view text, std::string_view field) {
    UnixMillis ms = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
    if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return ms;
    return parse_time(text, field);
}

}  // namespace tidal::http
