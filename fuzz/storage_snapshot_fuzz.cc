// Any bytes as a shard's snapshot: refused, or installed whole over another state and written again
// as the same snapshot. Bytes after the first are taken as they are, or get right checksums and
// pages of full length first, so that what lies behind them is reached too.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/codec.h"
#include "base/crc32c.h"
#include "base/hash.h"
#include "runtime/sim_disk.h"
#include "storage/internal/snapshot_file.h"
#include "storage/shard_store.h"

namespace {

using namespace tidal;
using namespace tidal::storage;
using namespace tidal::storage::internal;

void require(bool holds) {
    if (!holds) std::abort();
}

template <typename T>
T must(Result<T> result) {
    require(result.ok());
    return std::move(result).value();
}

constexpr std::size_t kShortPageBytes = 16;

/// The payload of a block of pages out of one whose pages are this short, with their checksums.
std::string with_whole_pages(std::string_view payload) {
    std::string out;
    for (; payload.size() >= 8 + kShortPageBytes; payload.remove_prefix(8 + kShortPageBytes)) {
        std::string page;
        while (page.size() < kPageBytes) page += payload.substr(8, kShortPageBytes);
        Encoder entry;
        entry.raw(payload.substr(0, 4));
        entry.u32(crc32c(page));
        out += entry.view();
        out += page;
    }
    out += payload;
    return out;
}

/// The snapshot that the bytes are with short pages and without regard to checksums.
std::string sealed(std::string_view in) {
    if (in.size() < kSnapshotHeadBytes) return std::string(in);
    Encoder out;
    out.raw(in.substr(0, kSnapshotHeadBytes - 4));
    out.u32(crc32c(out.view()));
    in.remove_prefix(kSnapshotHeadBytes);
    while (in.size() >= kSnapshotBlockHeadBytes) {
        Decoder head(in);
        const auto kind = static_cast<SnapshotBlock>(head.u32());
        const std::uint32_t size = head.u32();
        if (size > in.size() - kSnapshotBlockHeadBytes) break;
        std::string payload(in.substr(kSnapshotBlockHeadBytes, size));
        if (kind == SnapshotBlock::kPages) payload = with_whole_pages(payload);
        if (kind == SnapshotBlock::kEnd && size == 24) {
            StreamHash hash;
            hash.update(out.view());
            const std::uint64_t checksum = hash.digest().low;
            std::memcpy(payload.data() + 16, &checksum, sizeof checksum);
        }
        out.raw(encode_snapshot_block_head(kind, payload));
        out.raw(payload);
        in.remove_prefix(kSnapshotBlockHeadBytes + size);
    }
    out.raw(in);
    return out.take();
}

void check(const std::string& bytes) {
    constexpr ShardId kShard{1};
    runtime::SimDisk disk;
    require(must(disk.open("in", runtime::OpenMode::kCreate))->write_at(0, bytes).ok());
    const auto checked = check_shard_snapshot(disk, "in", kShard);
    // Most inputs are refused: one in eight of them shows that installing refuses it as well.
    if (!checked.ok() && bytes.size() % 8 != 0) return;
    const auto rows = must(open_simple_rows(disk, "rows"));
    {
        const auto store = must(ShardStore::open(disk, *rows, kShard, "s0001"));
        store->put("old", "row");
        must(store->pages().allocate());
        store->begin_checkpoint(LogIndex(3));
        while (!store->copy_out(8)) {
        }
        require(store->write_checkpoint().ok());
        store->finish_checkpoint(true);
    }
    const auto installed = install_shard_snapshot(disk, *rows, kShard, "s0001", "in");
    require(checked.ok() == installed.ok());
    const auto store = must(ShardStore::open(disk, *rows, kShard, "s0001"));
    if (!installed.ok()) {
        require(installed.error().code() == checked.error().code());
        require(store->checkpoint_index() == LogIndex(3) && must(store->get("old")).has_value());
        return;
    }
    require(*installed == *checked && store->checkpoint_index() == checked->index);
    const auto again = must(write_shard_snapshot(disk, *rows, kShard, "s0001", "out"));
    require(again.rows == checked->rows && again.pages == checked->pages &&
            again.index == checked->index);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    check(data[0] % 2 == 0 ? bytes : sealed(bytes));
    return 0;
}
