// The bytes on disk stay as they are: golden file, and what decoders refuse.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "storage/internal/page_directory.h"
#include "storage/internal/page_file.h"
#include "storage/internal/simple_log.h"
#include "storage/internal/snapshot_file.h"
#include "storage/tests/store_fixture.h"

namespace tidal::storage::internal {
namespace formats_test {

std::string from_hex(std::string_view hex) {
    std::string bytes;
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
        bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16)));
    return bytes;
}

std::string to_hex(std::string_view bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    for (const char byte : bytes) {
        hex.push_back(kDigits[static_cast<unsigned char>(byte) >> 4]);
        hex.push_back(kDigits[byte & 15]);
    }
    return hex;
}

/// Lines of a name and hexadecimal bytes.
std::map<std::string, std::string> golden() {
    std::ifstream file(std::string(TIDAL_TESTDATA_DIR) + "/formats_v1.txt");
    std::map<std::string, std::string> found;
    std::string name, hex;
    while (file >> name >> hex) found[name] = from_hex(hex);
    return found;
}

PageDirectory golden_directory() {
    PageDirectory directory;
    directory.add_file(FileNumber(7), 9);
    directory.set(PageId(0), {FileNumber(7), 0, 0x01020304});
    directory.set(PageId(2), {FileNumber(0x11223344), 8, 0xffffffff});
    directory.set(PageId(258), {FileNumber(7), 5, 1});
    return directory;
}

/// Header and table of the file a checkpoint of two pages writes.
std::string golden_page_file() {
    runtime::SimDisk disk;
    std::vector<std::byte> zeros(kPageBytes), ones(kPageBytes, std::byte{1});
    const std::vector<PageToWrite> pages{{PageId(3), zeros.data(), page_crc(zeros.data())},
                                         {PageId(9), ones.data(), page_crc(ones.data())}};
    PageFileHead head;
    head.shard = ShardId(2);
    head.number = FileNumber(42);
    head.index = LogIndex(77);
    must(write_page_file(disk, "file", head, pages));
    const std::string bytes = must(runtime::read_file(disk, "file"));
    EXPECT_EQ(bytes.size(), 4096 + 2 * kPageBytes);
    return bytes.substr(0, 80);
}

/// A snapshot with these pages, of one repeated byte each, and two rows.
std::string golden_snapshot(std::uint32_t pages) {
    runtime::SimDisk disk;
    auto out = must(SnapshotFileWriter::create(disk, "file", {ShardId(2), LogIndex(77), pages}));
    const std::vector<std::byte> ones(kPageBytes, std::byte{1});
    for (std::uint32_t page = 0; page < pages; ++page)
        must(out.add_page(PageId(3 + page), page_crc(ones.data()), ones.data()));
    must(out.add_row("key", "value"));
    must(out.add_row("other", ""));
    const auto info = must(out.finish());
    EXPECT_EQ(must(check_shard_snapshot(disk, "file", ShardId(2))), info);
    return must(runtime::read_file(disk, "file"));
}

std::map<std::string, std::string> encoded() {
    SimpleFrame frame;
    frame.add("key", "value");
    frame.add("gone", std::nullopt);
    return {
        {"checkpoint_row", encode_head({LogIndex(0x0102030405060708), FileNumber(9)})},
        {"directory_chunk_0", golden_directory().encode_chunk(0)},
        {"directory_chunk_1", golden_directory().encode_chunk(1)},
        {"page_file", golden_page_file()},
        {"simple_current", encode_simple_head({3, 0x0a0b0c})},
        {"snapshot_rows", golden_snapshot(0)},
        {"snapshot_pages_front", golden_snapshot(2).substr(0, 100)},
        {"snapshot_pages_back", golden_snapshot(2).substr(64 + 12 + 2 * (8 + kPageBytes))},
        {"simple_log", simple_log_magic() + frame.finish()},
    };
}

TEST(StorageFormats, AreTheGoldenOnes) {
    const auto expected = golden();
    for (const auto& [name, bytes] : encoded()) {
        const auto it = expected.find(name);
        EXPECT_EQ(to_hex(bytes), it == expected.end() ? "" : to_hex(it->second)) << name;
    }
    EXPECT_EQ(expected.size(), encoded().size());
}

TEST(StorageFormats, GoldenBytesRead) {
    auto bytes = golden();
    const auto head = must(decode_head(bytes["checkpoint_row"]));
    EXPECT_EQ(head.index, LogIndex(0x0102030405060708));
    EXPECT_EQ(head.file_last, FileNumber(9));
    PageDirectory directory;
    must(directory.decode_chunk(0, bytes["directory_chunk_0"]));
    must(directory.decode_chunk(1, bytes["directory_chunk_1"]));
    for (const std::uint32_t page : {0u, 1u, 2u, 3u, 258u, 259u})
        EXPECT_EQ(directory.place(PageId(page)), golden_directory().place(PageId(page)));
    EXPECT_EQ(directory.files().at(FileNumber(7)).live, 2u);
    EXPECT_EQ(directory.encode_chunk(2), "");
    const auto file = must(decode_page_file_head(bytes["page_file"]));
    EXPECT_EQ(file.shard, ShardId(2));
    EXPECT_EQ(file.number, FileNumber(42));
    EXPECT_EQ(file.index, LogIndex(77));
    EXPECT_EQ(file.count, 2u);
    EXPECT_EQ(must(decode_simple_head(bytes["simple_current"])).bytes, 0x0a0b0cu);
    int changes = 0;
    must(decode_simple_log(bytes["simple_log"],
                           [&](std::string_view key, std::optional<std::string_view> value) {
                               EXPECT_EQ(key, changes == 0 ? "key" : "gone");
                               EXPECT_EQ(value.has_value(), changes == 0);
                               ++changes;
                           }));
    EXPECT_EQ(changes, 2);
}

using Decode = Result<void> (*)(std::string_view);

template <typename T>
Result<void> outcome(const Result<T>& result) {
    if (!result.ok()) return Error(result.error().code(), result.error().message());
    return {};
}

/// Every prefix is refused, and where a checksum covers them, every flipped bit.
void expect_refusals(const std::string& bytes, Decode decode, bool checksummed) {
    EXPECT_TRUE(decode(bytes).ok());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto cut = decode(std::string_view(bytes).substr(0, size));
        EXPECT_FALSE(cut.ok()) << size;
    }
    for (std::size_t bit = 0; checksummed && bit < bytes.size() * 8; ++bit) {
        std::string flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        EXPECT_FALSE(decode(flipped).ok()) << bit;
    }
}

TEST(StorageFormats, ShortAndFlippedBytesAreRefused) {
    auto bytes = golden();
    expect_refusals(
        bytes["checkpoint_row"], [](std::string_view in) { return outcome(decode_head(in)); },
        false);
    expect_refusals(
        bytes["directory_chunk_0"],
        [](std::string_view in) {
            PageDirectory directory;
            return directory.decode_chunk(0, in);
        },
        false);
    expect_refusals(
        bytes["page_file"].substr(0, kPageFileHeadBytes),
        [](std::string_view in) { return outcome(decode_page_file_head(in)); }, true);
    expect_refusals(
        bytes["simple_current"],
        [](std::string_view in) { return outcome(decode_simple_head(in)); }, true);
}

TEST(StorageFormats, UnknownVersionsAreIncompatibleNotDamaged) {
    EXPECT_EQ(decode_head(from_hex("02") + std::string(12, '\0')).error().code(),
              ErrorCode::kIncompatible);
    PageDirectory directory;
    EXPECT_EQ(directory.decode_chunk(0, from_hex("020000")).error().code(),
              ErrorCode::kIncompatible);
    EXPECT_EQ(directory.decode_chunk(1U << 31, from_hex("010000")).error().code(),
              ErrorCode::kCorruption)
        << "a chunk no arena can hold";
}

TEST(StorageFormats, NamesOfPageFiles) {
    EXPECT_EQ(page_file_name(FileNumber(42)), "0000000042.pages");
    EXPECT_EQ(parse_page_file_name("0000000042.pages"), FileNumber(42));
    EXPECT_EQ(parse_page_file_name("4294967295.pages"), FileNumber(4294967295U));
    for (const char* name : {"42.pages", "0000000000.pages", "4294967296.pages", "000000004x.pages",
                             "0000000042.page", "-000000042.pages", "0000000042.pages.tmp"})
        EXPECT_EQ(parse_page_file_name(name), std::nullopt) << name;
    EXPECT_EQ(parse_simple_log_name(simple_log_name(7)), 7u);
    EXPECT_EQ(parse_simple_log_name("rows-x.log"), 0u);
    EXPECT_EQ(shard_folder(ShardId(1)), "s0001");
    EXPECT_EQ(shard_folder(ShardId(65535)), "s65535");
}

}  // namespace formats_test
}  // namespace tidal::storage::internal
