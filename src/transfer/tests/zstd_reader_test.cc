#include "transfer/zstd_reader.h"

#include <gmock/gmock.h>
#include <zstd.h>

namespace tidal::transfer {
namespace zstd_reader_test {

std::string pack(std::string_view text) {
    std::string packed(ZSTD_compressBound(text.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
    return packed;
}

Result<std::string> unpack(std::string_view packed, std::size_t piece) {
    ZstdReader reader;
    std::string text;
    ZstdReader::Sink sink = [&](std::string_view bytes) -> Result<void> {
        text.append(bytes);
        return {};
    };
    for (std::size_t at = 0; at < packed.size(); at += piece)
        TIDAL_TRY(reader.feed(packed.substr(at, piece), sink));
    TIDAL_TRY(reader.finish());
    return text;
}

std::string long_text() {
    std::string text;
    for (int i = 0; i < 100000; ++i) text += std::to_string(i * 7919) + ",";
    return text;
}

TEST(ZstdReader, UnpacksInPiecesOfAnySize) {
    const std::string text = long_text();
    const std::string packed = pack(text);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, packed.size()})
        EXPECT_EQ(*unpack(packed, piece), text);
    EXPECT_EQ(*unpack(pack("a") + pack("") + pack("b"), 3), "ab");
    EXPECT_EQ(*unpack("", 1), "");
    EXPECT_TRUE(ZstdReader::is_packed(packed));
    EXPECT_FALSE(ZstdReader::is_packed("movieId,title"));
}

TEST(ZstdReader, RefusesWhatIsCutOrDamaged) {
    const std::string packed = pack(long_text());
    EXPECT_EQ(unpack(std::string_view(packed).substr(0, packed.size() - 1), 512).error().code(),
              ErrorCode::kCorruption);
    EXPECT_EQ(unpack("movieId,title\n", 4).error().code(), ErrorCode::kCorruption);
}

TEST(ZstdReader, PassesOnTheErrorOfItsSink) {
    ZstdReader reader;
    ZstdReader::Sink sink = [](std::string_view) -> Result<void> {
        return Error(ErrorCode::kDiskFull, "no space");
    };
    EXPECT_EQ(reader.feed(pack("x"), sink).error().code(), ErrorCode::kDiskFull);
}

}  // namespace zstd_reader_test
}  // namespace tidal::transfer
