#include "ctl/table.h"

#include <algorithm>
#include <cstdio>

namespace tidal::ctl {

namespace json = boost::json;

Result<json::object> parse_reply(const std::string& reply) {
    json::error_code failed;
    json::value value = json::parse(reply, failed);
    if (failed || !value.is_object())
        return Error(ErrorCode::kInternal, "the server's answer is not a JSON object");
    return std::move(value.as_object());
}

std::string shown(const json::value& value) {
    if (value.is_null()) return "-";
    return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

void print_table(const std::vector<Row>& rows) {
    std::vector<std::size_t> widths(rows[0].size(), 0);
    for (const Row& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
        }
        std::printf("%s\n", line.c_str());
    }
}

}  // namespace tidal::ctl
