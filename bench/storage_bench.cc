// bench/storage_bench.cc: what a checkpoint costs, and opening the store after it.
//
//     storage_bench [pages = 5120] [rows = 1000000] [directory = /tmp/storage_bench]
//
// A checkpoint of so many changed pages (80 MB) and rows (about 100 bytes each): the time inside
// the monitor by step, with its longest slice, and outside it, beside a plain write and sync of the
// same bytes; a second checkpoint of everything once more; and the time to open again, beside
// reading the same files. Also one random row read from disk, and what `writable` costs. The
// directory is removed.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include "runtime/real_runtime.h"
#include "runtime/seeded_random.h"
#include "storage/shard_store.h"

namespace tidal::storage {
namespace {

using Clock = std::chrono::steady_clock;

template <typename T>
T must(Result<T> result) {
    if (result.ok()) return std::move(result).value();
    std::fprintf(stderr, "error: %s\n", result.error().to_string().c_str());
    std::exit(1);
}
void must(Result<void> result) {
    if (result.ok()) return;
    std::fprintf(stderr, "error: %s\n", result.error().to_string().c_str());
    std::exit(1);
}

double ms_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

std::string row_key(std::uint64_t n) {
    return "e/i/" + std::to_string(n * 0x9e3779b97f4a7c15ULL);
}

void change_rows(ShardStore& store, std::uint64_t rows, std::uint64_t round) {
    runtime::SeededRandom random(round);
    std::string value(72, 'v');
    for (std::uint64_t n = 0; n < rows; ++n) {
        const std::uint64_t noise = random.u64();
        std::memcpy(value.data() + 8, &noise, sizeof noise);
        std::memcpy(value.data() + 40, &n, sizeof n);
        store.put(row_key(n), value);
    }
}

void change_pages(PageArena& pages, std::uint32_t count, std::uint64_t round) {
    for (std::uint32_t n = 0; n < count; ++n) {
        const PageId page = n < pages.page_count() ? PageId(n) : must(pages.allocate());
        std::byte* const bytes = pages.writable(page);
        for (std::size_t at = 0; at < kPageBytes; at += 64) {
            const std::uint64_t value = round * 1'000'003 + n * 4099 + at;
            std::memcpy(bytes + at, &value, sizeof value);
        }
    }
}

/// Of this thread: what the monitor pays, without what other processes take.
double cpu_ms() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

void checkpoint(ShardStore& store, std::uint64_t index) {
    constexpr std::size_t kSlicePages = 24;
    auto begin = Clock::now();
    store.begin_checkpoint(LogIndex(index));
    const double begin_ms = ms_since(begin);
    double copy_ms = 0, longest_ms = 0;
    for (bool done = false; !done;) {
        const double from = cpu_ms();
        done = store.copy_out(kSlicePages);
        const double slice_ms = cpu_ms() - from;
        copy_ms += slice_ms;
        longest_ms = std::max(longest_ms, slice_ms);
    }
    begin = Clock::now();
    must(store.write_checkpoint());
    const double write_ms = ms_since(begin);
    begin = Clock::now();
    store.finish_checkpoint(true);
    std::printf(
        "checkpoint %lu: begin %.3f ms, copy out %.1f ms of CPU (longest slice of %zu pages %.3f "
        "ms), "
        "write %.0f ms, finish %.3f ms\n",
        static_cast<unsigned long>(index), begin_ms, copy_ms, kSlicePages, longest_ms, write_ms,
        ms_since(begin));
}

void plain_write(runtime::Disk& disk, std::uint64_t bytes) {
    const std::string block(1 << 20, 'p');
    const auto begin = Clock::now();
    const auto file = must(disk.open("plain", runtime::OpenMode::kCreate));
    for (std::uint64_t at = 0; at < bytes; at += block.size()) must(file->write_at(at, block));
    must(file->sync());
    std::printf("plain write and sync of %lu MB: %.0f ms\n",
                static_cast<unsigned long>(bytes >> 20), ms_since(begin));
}

void read_files(runtime::Disk& disk) {
    const auto begin = Clock::now();
    std::uint64_t bytes = 0;
    for (const std::string& name : must(disk.list("store/s0001")))
        bytes += must(runtime::read_file(disk, "store/s0001/" + name)).size();
    std::printf("reading the page files (%lu MB): %.0f ms\n",
                static_cast<unsigned long>(bytes >> 20), ms_since(begin));
}

void read_rows(ShardStore& store, std::uint64_t rows) {
    constexpr int kReads = 200'000;
    runtime::SeededRandom random(1);
    const auto time = [&](const char* what, std::uint64_t first) {
        const auto begin = Clock::now();
        std::uint64_t found = 0;
        for (int i = 0; i < kReads; ++i)
            found += must(store.get(row_key(first + random.below(rows)))) ? 1 : 0;
        std::printf("get of %s row: %.2f us (%lu of %d found)\n", what,
                    ms_since(begin) * 1000 / kReads, static_cast<unsigned long>(found), kReads);
    };
    time("a present", 0);
    time("an absent", rows);
}

void time_writable(PageArena& pages) {
    constexpr int kCalls = 20'000'000;
    runtime::SeededRandom random(1);
    const auto begin = Clock::now();
    std::uint64_t page = 1;
    for (int i = 0; i < kCalls; ++i) {
        page = (page * 25214903917ULL + 11) % pages.page_count();
        std::byte* const bytes = pages.writable(PageId(static_cast<std::uint32_t>(page)));
        bytes[i & 63] = static_cast<std::byte>(i);
    }
    std::printf("writable and one store, random page: %.1f ns\n", ms_since(begin) * 1e6 / kCalls);
}

int run(std::uint32_t page_count, std::uint64_t row_count, const std::string& directory) {
    std::filesystem::remove_all(directory);
    const auto runtime = must(runtime::make_real_runtime({.root = directory}));
    runtime::Disk& disk = runtime->disk();
    plain_write(disk, std::uint64_t{page_count} * kPageBytes + row_count * 100);
    must(disk.create_directories("store/rows"));
    auto rows = must(open_rocksdb_rows(disk.native_path("store/rows")));
    auto store = must(ShardStore::open(disk, *rows, ShardId(1), "store/s0001"));
    for (std::uint64_t round = 1; round <= 3; ++round) {
        change_pages(store->pages(), page_count, round);
        change_rows(*store, row_count, round);
        std::printf("dirty: %lu MB\n", static_cast<unsigned long>(store->dirty_bytes() >> 20));
        checkpoint(*store, round);
    }
    time_writable(store->pages());
    store.reset();
    rows.reset();
    read_files(disk);
    auto begin = Clock::now();
    rows = must(open_rocksdb_rows(disk.native_path("store/rows")));
    std::printf("open rows: %.0f ms\n", ms_since(begin));
    begin = Clock::now();
    store = must(ShardStore::open(disk, *rows, ShardId(1), "store/s0001"));
    std::printf("open store of %u pages: %.0f ms\n", store->pages().page_count(), ms_since(begin));
    read_rows(*store, row_count);
    begin = Clock::now();
    std::uint64_t seen = 0;
    must(store->scan("", [&](std::string_view, std::string_view) { return ++seen > 0; }));
    std::printf("scan of %lu rows: %.0f ms\n", static_cast<unsigned long>(seen), ms_since(begin));
    store.reset();
    rows.reset();
    std::filesystem::remove_all(directory);
    return 0;
}

}  // namespace
}  // namespace tidal::storage

int main(int argc, char** argv) {
    const auto number = [&](int at, std::uint64_t otherwise) {
        return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise;
    };
    return tidal::storage::run(static_cast<std::uint32_t>(number(1, 5120)), number(2, 1'000'000),
                               argc > 3 ? argv[3] : "/tmp/storage_bench");
}
