#include "storage/store_inspect.h"

#include <absl/container/btree_set.h>

#include <charconv>
#include <cstdio>

#include "storage/internal/directory_load.h"
#include "storage/internal/keys.h"
#include "storage/internal/overlay.h"
#include "storage/internal/page_file.h"
#include "storage/shard_store.h"

namespace tidal::storage {
namespace {

using internal::FileNumber;
using internal::PageDirectory;
using internal::PageFileReader;
using internal::RowArea;

constexpr std::uint32_t kReadPages = 64;

std::uint64_t context_number(const Error& error, std::string_view key) {
    std::uint64_t number = 0;
    for (const auto& [name, value] : error.context())
        if (name == key) std::from_chars(value.data(), value.data() + value.size(), number);
    return number;
}

/// 0-based id out of "s0001"; nullopt for a folder of somebody else.
std::optional<ShardId> parse_shard_folder(std::string_view name) {
    std::uint16_t number = 0;
    if (!name.starts_with('s')) return std::nullopt;
    std::from_chars(name.data() + 1, name.data() + name.size(), number);
    if (shard_folder(ShardId(number)) != name) return std::nullopt;
    return ShardId(number);
}

class Inspection {
public:
    Inspection(runtime::Disk& disk, RowEngine& rows, std::string_view directory)
        : disk_(disk), rows_(rows), directory_(directory) {}

    Result<StoreReport> run() {
        note(rows_.verify(), "");
        TIDAL_TRY(find_shards());
        for (const ShardId shard : shards_) inspect_shard(shard);
        return std::move(report_);
    }

private:
    Result<void> find_shards();
    void inspect_shard(ShardId shard);
    void count_rows(ShardReport& shard);
    void check_file(const std::string& path, const PageDirectory& directory, ShardId shard,
                    FileNumber number);
    void check_pages(PageFileReader& reader, const std::string& path);
    void check_places(const PageFileReader& reader, const std::string& path,
                      const PageDirectory& directory);
    void check_missing(const PageDirectory& directory, const std::string& folder,
                       const absl::btree_set<FileNumber>& present);
    void note(const Result<void>& result, const std::string& path) {
        if (!result.ok())
            add(path, context_number(result.error(), "offset"), result.error().to_string());
    }
    void add(const std::string& path, std::uint64_t offset, std::string what) {
        report_.damage.push_back({path, offset, std::move(what)});
    }

    runtime::Disk& disk_;
    RowEngine& rows_;
    const std::string directory_;
    absl::btree_set<ShardId> shards_;
    StoreReport report_;
};

/// Every shard that has rows or a folder.
Result<void> Inspection::find_shards() {
    auto names = disk_.list(directory_);
    if (!names && names.error().code() != ErrorCode::kNotFound) return names.take_error();
    if (names)
        for (const std::string& name : *names)
            if (const auto shard = parse_shard_folder(name)) shards_.insert(*shard);
    // From one shard's first row to the next shard's.
    std::string from;
    for (bool more = true; more;) {
        more = false;
        const auto scanned = rows_.scan(from, "", [&](std::string_view key, std::string_view) {
            if (key.size() < internal::kRowPrefixBytes) {
                add("", 0, "row engine: a row with a key too short to belong to any shard");
                from = std::string(key) + '\0';
                more = true;
                return false;
            }
            const ShardId shard(static_cast<std::uint16_t>(static_cast<unsigned char>(key[0]) << 8 |
                                                           static_cast<unsigned char>(key[1])));
            shards_.insert(shard);
            from = internal::prefix_end(key.substr(0, 2));
            more = !from.empty();
            return false;
        });
        if (!scanned) note(scanned, "");
    }
    return {};
}

void Inspection::inspect_shard(ShardId shard) {
    ShardReport found;
    found.shard = shard;
    const auto head = internal::load_head(rows_, shard);
    if (!head)
        add("", 0, head.error().to_string());
    else if (*head)
        found.checkpoint_index = (*head)->index;
    PageDirectory directory;
    note(internal::load_directory(rows_, shard, directory), "");
    count_rows(found);
    for (std::uint32_t page = 0; page < directory.page_count(); ++page)
        if (directory.place(PageId(page)).file.value() != 0) ++found.pages;

    const std::string folder = directory_ + "/" + shard_folder(shard);
    absl::btree_set<FileNumber> present;
    if (const auto names = disk_.list(folder); names) {
        for (const std::string& name : *names) {
            const auto number = internal::parse_page_file_name(name);
            if (!number) continue;
            present.insert(*number);
            // What no directory names may be half written, and is nobody's.
            if (!directory.files().contains(*number)) {
                ++found.leftover_files;
                continue;
            }
            ++found.page_files;
            check_file(folder + "/" + name, directory, shard, *number);
        }
    } else if (names.error().code() != ErrorCode::kNotFound) {
        add(folder, 0, names.error().to_string());
    }
    check_missing(directory, folder, present);
    report_.shards.push_back(found);
}

void Inspection::count_rows(ShardReport& shard) {
    const std::string prefix = internal::row_prefix(shard.shard, RowArea::kRows);
    note(rows_.scan(prefix, internal::prefix_end(prefix),
                    [&](std::string_view, std::string_view) {
                        ++shard.rows;
                        return true;
                    }),
         "");
}

void Inspection::check_missing(const PageDirectory& directory, const std::string& folder,
                               const absl::btree_set<FileNumber>& present) {
    for (const auto& [number, use] : directory.files())
        if (use.live > 0 && !present.contains(number))
            add(folder + "/" + internal::page_file_name(number), 0,
                "page file is missing: " + std::to_string(use.live) +
                    " pages of the checkpoint lie in it");
}

void Inspection::check_file(const std::string& path, const PageDirectory& directory, ShardId shard,
                            FileNumber number) {
    auto reader = PageFileReader::open(disk_, path, shard, number);
    if (!reader) {
        add(path, context_number(reader.error(), "offset"), reader.error().to_string());
        return;
    }
    check_pages(*reader, path);
    check_places(*reader, path, directory);
}

void Inspection::check_pages(PageFileReader& reader, const std::string& path) {
    std::vector<std::byte> bytes(kReadPages * kPageBytes);
    for (std::uint32_t slot = 0; slot < reader.head().count; slot += kReadPages) {
        const std::uint32_t count = std::min(kReadPages, reader.head().count - slot);
        const auto got = reader.read(slot, std::span(bytes).first(count * kPageBytes));
        note(got, path);
        if (!got) continue;
        for (std::uint32_t i = 0; i < count; ++i) {
            const internal::PageFileSlot& entry = reader.slots()[slot + i];
            if (internal::page_crc(bytes.data() + std::size_t{i} * kPageBytes) == entry.crc)
                continue;
            const Error error = reader.damaged(slot + i, entry.page);
            add(path, context_number(error, "offset"), error.to_string());
        }
    }
}

void Inspection::check_places(const PageFileReader& reader, const std::string& path,
                              const PageDirectory& directory) {
    for (std::uint32_t page = 0; page < directory.page_count(); ++page) {
        const internal::PagePlace place = directory.place(PageId(page));
        if (place.file != reader.head().number) continue;
        const bool inside = place.slot < reader.head().count;
        if (inside && reader.slots()[place.slot].page == PageId(page) &&
            reader.slots()[place.slot].crc == place.crc)
            continue;
        add(path, inside ? internal::page_offset(reader.head().count, place.slot) : 0,
            "the directory expects page " + std::to_string(page) + " in slot " +
                std::to_string(place.slot) + " and the file has another");
    }
}

}  // namespace

Result<StoreReport> inspect_store(runtime::Disk& disk, RowEngine& rows,
                                  std::string_view store_directory) {
    return Inspection(disk, rows, store_directory).run();
}

}  // namespace tidal::storage
