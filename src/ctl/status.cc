// status and export: a running server.
#include <boost/json.hpp>
#include <cstdio>

#include "ctl/client.h"
#include "ctl/commands.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;

/// "key value" lines; objects and arrays indent.
void print(const json::value& value, int depth, const std::string& key) {
    const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
    if (const auto* object = value.if_object()) {
        if (!key.empty()) std::printf("%s%s\n", indent.c_str(), key.c_str());
        for (const auto& [name, member] : *object)
            print(member, depth + (key.empty() ? 0 : 1), std::string(name));
    } else if (const auto* array = value.if_array()) {
        for (const json::value& each : *array) print(each, depth, key);
    } else {
        const std::string text =
            value.is_string() ? std::string(value.get_string()) : json::serialize(value);
        std::printf("%s%-20s %s\n", indent.c_str(), key.c_str(), text.c_str());
    }
}

std::string percent_encode(const std::string& text) {
    constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const unsigned char c : text) {
        if (std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~') {
            out += static_cast<char>(c);
        } else {
            out += {'%', digits[c >> 4], digits[c & 15]};
        }
    }
    return out;
}

}  // namespace

Result<void> status(const Options& options) {
    TIDAL_ASSIGN(const std::string body, Client(options.url).get("/health"));
    if (options.json) {
        std::printf("%s\n", body.c_str());
        return {};
    }
    json::error_code failed;
    const json::value value = json::parse(body, failed);
    if (failed) return Error(ErrorCode::kInternal, "the server's answer is not JSON");
    print(value, 0, "");
    return {};
}

Result<void> export_signals(const Options& options) {
    std::string path = "/export/signals?format=" + percent_encode(options.format);
    const std::pair<const char*, const std::string*> parameters[] = {
        {"from", &options.from},
        {"until", &options.until},
        {"signals", &options.signals},
        {"user_id", &options.user_id},
        {"position", &options.position}};
    for (const auto& [name, value] : parameters)
        if (!value->empty()) path += std::string("&") + name + "=" + percent_encode(*value);
    return Client(options.url).get_stream(path, [](std::string_view bytes) {
        return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
    });
}

}  // namespace tidal::ctl
