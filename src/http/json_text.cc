#include "http/json_text.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <cstring>

#include "http/problem.h"

namespace tidal::http {
namespace {

namespace json = boost::json;

void append(const json::value& value, std::string* out);

void append_object(const json::object& object, std::string* out) {
    *out += '{';
    bool first = true;
    for (const auto& [key, value] : object) {
        if (!std::exchange(first, false)) *out += ',';
        append_json_string(std::string_view(key.data(), key.size()), out);
        *out += ':';
        append(value, out);
    }
    *out += '}';
}

void append_array(const json::array& array, std::string* out) {
    *out += '[';
    bool first = true;
    for (const json::value& value : array) {
        if (!std::exchange(first, false)) *out += ',';
        append(value, out);
    }
    *out += ']';
}

void append(const json::value& value, std::string* out) {
    switch (value.kind()) {
        case json::kind::object:
            return append_object(value.get_object(), out);
        case json::kind::array:
            return append_array(value.get_array(), out);
        case json::kind::double_:
            return append_json_number(value.get_double(), out);
        case json::kind::string: {
            const json::string& text = value.get_string();
            return append_json_string(std::string_view(text.data(), text.size()), out);
        }
        case json::kind::int64:
            *out += std::to_string(value.get_int64());
            return;
        case json::kind::uint64:
            *out += std::to_string(value.get_uint64());
            return;
        case json::kind::bool_:
            *out += value.get_bool() ? "true" : "false";
            return;
        case json::kind::null:
            *out += "null";
            return;
    }
}

/// Of a number as std::to_chars writes it: an exponent has a sign and two or three digits.
bool has_exponent(const char* begin, const char* end) {
    return (end - begin > 4 && end[-4] == 'e') || (end - begin > 5 && end[-5] == 'e');
}

}  // namespace

char* write_json_number(double number, char* to) {
    constexpr std::string_view kNull = "null";
    if (!std::isfinite(number)) return std::ranges::copy(kNull, to).out;
    // Shortest either way; sizes people read keep the form they know.
    const double size = std::fabs(number);
    const bool plain = size == 0 || (size >= 1e-5 && size < 1e15);
    const auto write = [&](auto... form) {
        return std::to_chars(to, to + kJsonNumberBytesMax, number, form...).ptr;
    };
    // Without a form the shorter one is written, in half the time; it is nearly always this one.
    char* end = plain ? write() : write(std::chars_format::scientific);
    bool exponent = has_exponent(to, end);
    if (plain && exponent) {
        end = write(std::chars_format::fixed);
        exponent = false;
    }
    // A float stays one for readers that tell 40 from 40.0.
    if (exponent || std::memchr(to, '.', static_cast<std::size_t>(end - to)) != nullptr) return end;
    *end++ = '.';
    *end++ = '0';
    return end;
}

void append_json_number(double number, std::string* out) {
    char buffer[kJsonNumberBytesMax];
    out->append(buffer, write_json_number(number, buffer));
}

std::string json_text(const json::value& value) {
    std::string out;
    append(value, &out);
    return out;
}

json::value id_value(const EntityId& id) {
    if (id.is_text()) return json::string(id.text());
    if (id.number() > kExactIdMax) return json::string(std::to_string(id.number()));
    return id.number();
}

}  // namespace tidal::http
