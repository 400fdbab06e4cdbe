// Collections of TIDAL_TEST_DATA: documents, queries, and what answers them.
#pragma once

#include <zstd.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace tidal::text {

/// A file of the data sets; nullopt = it is not there.
inline std::optional<std::string> read_zst(const std::string& name) {
    const char* root = std::getenv("TIDAL_TEST_DATA");
    if (root == nullptr) return std::nullopt;
    std::ifstream file(std::string(root) + "/" + name, std::ios::binary);
    if (!file) return std::nullopt;
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

/// Documents and queries by number, and by query the documents that answer it.
struct Collection {
    std::map<std::uint32_t, std::string> documents, queries;
    std::map<std::uint32_t, std::set<std::uint32_t>> relevant;
};

/// Records of a SMART file: by number the text of the sections wanted.
inline std::map<std::uint32_t, std::string> smart(const std::string& text, std::string_view wanted,
                                                  bool count_up) {
    std::map<std::uint32_t, std::string> out;
    std::istringstream lines(text);
    std::string line;
    std::uint32_t number = 0;
    bool taken = false;
    while (std::getline(lines, line)) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (line.size() >= 2 && line[0] == '.' && line[1] >= 'A' && line[1] <= 'Z' &&
            (line.size() == 2 || line[2] == ' ')) {
            if (line[1] == 'I') {
                number =
                    count_up ? number + 1 : static_cast<std::uint32_t>(std::stoul(line.substr(3)));
                out[number];
                taken = false;
            } else {
                taken = wanted.find(line[1]) != std::string_view::npos;
            }
        } else if (taken) {
            out[number] += line + "\n";
        }
    }
    return out;
}

/// Convention: codes 1 to 4 are relevant. nullopt = it is not there; likewise below.
inline std::optional<Collection> cranfield() {
    const auto documents = read_zst("cranfield/cran.all.1400.zst");
    const auto queries = read_zst("cranfield/cran.qry.zst");
    const auto judged = read_zst("cranfield/cran.qrels.zst");
    if (!documents || !queries || !judged) return std::nullopt;
    Collection out;
    out.documents = smart(*documents, "TW", false);
    out.queries = smart(*queries, "W", true);
    std::istringstream lines(*judged);
    int query = 0, document = 0, code = 0;
    while (lines >> query >> document >> code)
        if (code >= 1)
            out.relevant[static_cast<std::uint32_t>(query)].insert(
                static_cast<std::uint32_t>(document));
    return out;
}

inline std::optional<Collection> cacm() {
    const auto documents = read_zst("cacm/cacm.all.zst");
    const auto queries = read_zst("cacm/query.text.zst");
    const auto judged = read_zst("cacm/qrels.text.zst");
    if (!documents || !queries || !judged) return std::nullopt;
    Collection out;
    out.documents = smart(*documents, "TWK", false);
    out.queries = smart(*queries, "W", false);
    std::istringstream lines(*judged);
    std::uint32_t query = 0, document = 0;
    std::string third, fourth;
    while (lines >> query >> document >> third >> fourth) out.relevant[query].insert(document);
    return out;
}

}  // namespace tidal::text
