#include "ctl/output.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>

namespace tidal::ctl {
namespace {

namespace json = boost::json;

constexpr std::size_t kTextBytesMax = 16 << 20;

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
        std::string text =
            value.is_string() ? std::string(value.get_string()) : json::serialize(value);
        if (const double* number = value.if_double()) {
            char short_form[32];
            std::snprintf(short_form, sizeof short_form, "%.6g", *number);
            text = short_form;
        }
        std::printf("%s%-20s %s\n", indent.c_str(), key.c_str(), text.c_str());
    }
}

/// Positions and counts are numbers, as in the server's problems; 15 digits are exact in
/// JavaScript.
json::value context_value(const std::string& text) {
    const bool number = !text.empty() && text.size() <= 15 &&
                        (text[0] != '0' || text.size() == 1) &&
                        std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    if (number) return std::stoull(text);
    return json::string(text);
}

}  // namespace

void print_error(const Error& error) {
    std::fprintf(stderr, "tidalctl: %s\n", error.to_string().c_str());
}

std::string error_json(const Error& error) {
    json::object out{{"status", "error"}, {"code", error.reason()}, {"message", error.message()}};
    if (!error.field().empty()) out["field"] = error.field();
    if (!error.hint().empty()) out["hint"] = error.hint();
    for (const auto& [key, value] : error.context())
        if (!out.contains(key)) out[key] = context_value(value);
    return json::serialize(out);
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

Result<void> print_reply(const std::string& reply, bool as_json) {
    if (as_json) {
        std::printf("%s\n", reply.c_str());
        return {};
    }
    json::error_code failed;
    const json::value value = json::parse(reply, failed);
    if (failed) return Error(ErrorCode::kInternal, "the server's answer is not JSON");
    print(value, 0, "");
    return {};
}

Result<std::string> read_text(const std::string& path) {
    std::ifstream file;
    if (path != "-") file.open(path, std::ios::binary);
    std::istream& in = path == "-" ? std::cin : file;
    if (!in) return Error(ErrorCode::kNotFound, "cannot read " + path).with("file", path);
    std::string text(kTextBytesMax + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.empty())
        return Error(ErrorCode::kInvalidArgument, "the text is empty")
            .with_reason("empty_text")
            .with("file", path)
            .with_hint(path == "-" ? "standard input ended before its first byte" : "");
    if (text.size() > kTextBytesMax)
        return Error(ErrorCode::kTooLarge, path + " is larger than 16 MiB").with("file", path);
    return text;
}

}  // namespace tidal::ctl
