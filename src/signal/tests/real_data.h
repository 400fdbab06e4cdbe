// The real data sets of TIDAL_TEST_DATA, read without the code under test.
#pragma once

#include <zstd.h>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidal::signal {

/// A file of the data sets, or of the samples that come with the program; nullopt = it is not
/// there.
inline std::optional<std::string> read_zst(const std::string& name) {
    const char* root = std::getenv("TIDAL_TEST_DATA");
    std::ifstream file;
    if (root != nullptr) file.open(std::string(root) + "/" + name, std::ios::binary);
    if (!file.is_open())
        file.open(std::string(TIDAL_SOURCE_DIR "/examples/data/") + name, std::ios::binary);
    if (!file.is_open()) return std::nullopt;
    const std::string packed{std::istreambuf_iterator<char>(file), {}};
    std::string text;
    std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    std::vector<char> piece(1 << 17);
    while (in.pos < in.size) {
        ZSTD_outBuffer out{piece.data(), piece.size(), 0};
        EXPECT_EQ(ZSTD_isError(ZSTD_decompressStream(context.get(), &out, &in)), 0u);
        text.append(piece.data(), out.pos);
    }
    return text;
}

/// Text between `key` and the next quote that is not escaped.
inline std::string_view string_after(std::string_view line, std::string_view key) {
    const std::size_t start = line.find(key);
    if (start == std::string_view::npos) return {};
    line.remove_prefix(start + key.size());
    std::size_t end = 0;
    while (end < line.size() && line[end] != '"') end += line[end] == '\\' ? 2 : 1;
    return line.substr(0, end);
}

/// Milliseconds of 2015-09-12T00:46:58.771Z.
inline std::int64_t parse_time(std::string_view text) {
    const auto number = [&](std::size_t at, std::size_t size) {
        return std::stoll(std::string(text.substr(at, size)));
    };
    using namespace std::chrono;
    const sys_days day = year(static_cast<int>(number(0, 4))) /
                         static_cast<unsigned>(number(5, 2)) / static_cast<unsigned>(number(8, 2));
    return day.time_since_epoch() / milliseconds(1) + number(11, 2) * 3'600'000 +
           number(14, 2) * 60'000 + number(17, 2) * 1'000 + number(20, 3);
}

/// The row at `*at`, which moves behind it.
inline std::vector<std::string> csv_row(const std::string& text, std::size_t* at) {
    std::vector<std::string> fields(1);
    bool quoted = false;
    for (; *at < text.size(); ++*at) {
        const char c = text[*at];
        if (quoted && c == '"' && *at + 1 < text.size() && text[*at + 1] == '"') {
            fields.back() += '"';
            ++*at;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == ',') {
            fields.emplace_back();
        } else if (!quoted && c == '\n') {
            ++*at;
            break;
        } else if (c != '\r') {
            fields.back() += c;
        }
    }
    return fields;
}

/// Day of 2017 by "DD.MM", where October's days from 10 on lost their last zero; -1 when damaged.
inline std::int64_t trending_day(const std::string& date) {
    const std::size_t dot = date.find('.');
    if (dot == std::string::npos) return -1;
    const auto day = static_cast<unsigned>(std::stoul(date.substr(0, dot)));
    const std::string month_text = date.substr(dot + 1);
    const unsigned month = month_text == "1" ? 10 : static_cast<unsigned>(std::stoul(month_text));
    const std::chrono::year_month_day parsed{std::chrono::year(2017), std::chrono::month(month),
                                             std::chrono::day(day)};
    if (!parsed.ok()) return -1;
    return std::chrono::sys_days(parsed).time_since_epoch().count();
}

}  // namespace tidal::signal
