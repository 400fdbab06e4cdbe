#include "transfer/tar_reader.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace tidal::transfer {
namespace tar_reader_test {

/// One entry as tar writes it.
std::string entry(const std::string& name, const std::string& bytes, char type = '0') {
    std::string header(512, '\0');
    header.replace(0, name.size(), name);
    char size[13];
    std::snprintf(size, sizeof size, "%011zo", bytes.size());
    header.replace(124, 11, size);
    header[156] = type;
    header.replace(257, 5, "ustar");
    header.replace(148, 8, 8, ' ');
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum);
    header.replace(148, 7, std::string(text, 6) + '\0');
    return header + bytes + std::string((512 - bytes.size() % 512) % 512, '\0');
}

struct Names final : TarReader::Handler {
    Result<void> on_file(std::string_view name, std::uint64_t bytes) override {
        trace += std::string(name) + "(" + std::to_string(bytes) + ")=";
        return {};
    }
    Result<void> on_bytes(std::string_view bytes) override {
        trace += bytes;
        return {};
    }
    Result<void> on_file_end() override {
        trace += ";";
        return {};
    }
    std::string trace;
};

std::string read(const std::string& archive, std::size_t piece) {
    Names names;
    TarReader reader(names);
    Result<void> result;
    for (std::size_t at = 0; at < archive.size() && result.ok(); at += piece)
        result = reader.feed(std::string_view(archive).substr(at, piece));
    if (result.ok()) result = reader.finish();
    return names.trace + (result.ok() ? "" : "!" + result.error().to_string());
}

TEST(TarReader, GivesFilesWhateverThePieces) {
    const std::string archive = entry("folder/", "", '5') + entry("./folder/a.csv", "id,b\n1,2\n") +
                                entry("empty", "") + entry("block", std::string(512, 'x')) +
                                std::string(1024, '\0');
    const std::string expected =
        "a.csv(9)=id,b\n1,2\n;empty(0)=;block(512)=" + std::string(512, 'x') + ";";
    for (const std::size_t piece : {1, 7, 511, 512, 513, 100'000})
        EXPECT_EQ(read(archive, piece), expected) << piece;
}

TEST(TarReader, SkipsTimesOfExtendedHeadersAndRefusesNamesInThem) {
    const std::string times = entry("PaxHeader/a", "20 mtime=1700000000\n", 'x');
    EXPECT_EQ(read(times + entry("a", "1"), 3), "a(1)=1;");
    const std::string names = entry("PaxHeader/a", "20 path=somewhere/a\n", 'x');
    for (const std::size_t piece : {1, 512, 4096})
        EXPECT_NE(read(names + entry("a", "1"), piece).find("extended header"), std::string::npos);
}

TEST(TarReader, RefusesWhatIsNoArchive) {
    EXPECT_NE(read("", 1).find("empty"), std::string::npos);
    EXPECT_NE(read(std::string(512, 'x'), 100).find("offset=512"), std::string::npos);
    const std::string whole = entry("a", "123");
    for (std::size_t cut = 1; cut < whole.size(); cut += 100)
        EXPECT_NE(read(whole.substr(0, cut), 64).find("cut off"), std::string::npos) << cut;
    std::string flipped = whole;
    flipped[3] = 'z';
    EXPECT_NE(read(flipped, 600).find("not a header"), std::string::npos);
    EXPECT_NE(read(entry("a", "", '2'), 600).find("link"), std::string::npos);
}

}  // namespace tar_reader_test
}  // namespace tidal::transfer
