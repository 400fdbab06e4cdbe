// A ShardStore in memory that is quick to make and strict: a checkpoint keeps only the pages that
// were marked as changed, as a real one does, so a change without `writable()` is lost at reopen
// (and reported at once).
#pragma once

#include <sys/mman.h>

#include <cstring>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "storage/shard_store.h"

namespace tidal::signal {

class FakeArena final : public storage::PageArena {
public:
    static constexpr std::uint32_t kPages = 2048;

    FakeArena() {
        void* memory = ::mmap(nullptr, kPages * storage::kPageBytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) std::abort();
        base_ = static_cast<std::byte*>(memory);
        touched_.assign(kPages, 0);
    }
    ~FakeArena() override { ::munmap(base_, kPages * storage::kPageBytes); }
    FakeArena(const FakeArena&) = delete;
    FakeArena& operator=(const FakeArena&) = delete;

    Result<storage::PageId> allocate() override {
        if (pages_max != 0 && in_use_.size() >= pages_max)
            return Error(ErrorCode::kOverloaded, "page memory is full");
        std::uint32_t page = 0;
        while (in_use_.contains(page)) ++page;
        EXPECT_LT(page, kPages);
        in_use_.insert(page);
        page_count_ = std::max(page_count_, page + 1);
        std::memset(base_ + page * storage::kPageBytes, 0, storage::kPageBytes);
        touched_[page] = generation_;
        return storage::PageId(page);
    }
    void free(storage::PageId page) override {
        EXPECT_EQ(in_use_.erase(page.value()), 1u) << "freed twice";
        // Whoever still reads it finds nonsense.
        std::memset(base_ + page.value() * storage::kPageBytes, 0xdd, storage::kPageBytes);
    }
    bool allocated(storage::PageId page) const override { return in_use_.contains(page.value()); }
    std::uint64_t bytes_resident() const override { return in_use_.size() * storage::kPageBytes; }

    std::uint32_t pages_max = 0;  ///< 0 = no limit.

protected:
    void touch(storage::PageId page) override {
        EXPECT_TRUE(allocated(page));
        touched_[page.value()] = generation_;
    }

private:
    friend class FakeStore;
    std::set<std::uint32_t> in_use_;
};

/// What a checkpoint left.
struct FakeImage {
    std::map<std::string, std::string> rows;
    std::map<std::uint32_t, std::string> pages;
};

class FakeStore final : public storage::ShardStore {
public:
    FakeStore() = default;
    explicit FakeStore(FakeImage image) : image_(std::move(image)), rows_(image_.rows) {
        for (const auto& [page, bytes] : image_.pages) {
            std::memcpy(arena_.base_ + page * storage::kPageBytes, bytes.data(), bytes.size());
            arena_.in_use_.insert(page);
            arena_.page_count_ = std::max(arena_.page_count_, page + 1);
        }
    }

    const FakeImage& checkpoint() {
        image_.rows = rows_;
        std::erase_if(image_.pages,
                      [&](const auto& entry) { return !arena_.in_use_.contains(entry.first); });
        for (const auto page : arena_.in_use_) {
            const char* bytes =
                reinterpret_cast<const char*>(arena_.base_) + page * storage::kPageBytes;
            if (arena_.touched_[page] == arena_.generation_) {
                image_.pages[page].assign(bytes, storage::kPageBytes);
            } else if (std::memcmp(image_.pages[page].data(), bytes, storage::kPageBytes) != 0) {
                ADD_FAILURE() << "page " << page << " changed without writable()";
            }
        }
        ++arena_.generation_;
        return image_;
    }

    Result<std::optional<std::string>> get(std::string_view key) override {
        ++reads;
        if (fail_reads) return Error(ErrorCode::kIo, "the disk does not answer");
        const auto found = rows_.find(std::string(key));
        if (found == rows_.end()) return std::optional<std::string>();
        return std::optional<std::string>(found->second);
    }
    void put(std::string_view key, std::string_view value) override {
        rows_[std::string(key)] = std::string(value);
    }
    void erase(std::string_view key) override { rows_.erase(std::string(key)); }
    void put_frozen(std::string_view key, std::string_view value) override { put(key, value); }
    Result<void> scan(
        std::string_view prefix,
        absl::AnyInvocable<bool(std::string_view, std::string_view)> visitor) override {
        for (auto at = rows_.lower_bound(std::string(prefix)); at != rows_.end(); ++at) {
            if (!at->first.starts_with(prefix) || !visitor(at->first, at->second)) break;
        }
        return {};
    }
    storage::PageArena& pages() override { return arena_; }
    FakeArena& arena() { return arena_; }
    std::map<std::string, std::string>& rows() { return rows_; }

    LogIndex checkpoint_index() const override { return LogIndex(0); }
    void begin_checkpoint(LogIndex) override {}
    bool copy_out(std::size_t) override { return true; }
    Result<void> write_checkpoint() override { return {}; }
    Result<void> scan_checkpoint(std::string_view prefix, Visitor visitor) override {
        return scan(prefix, std::move(visitor));
    }
    void finish_checkpoint(bool) override {}
    bool checkpoint_under_way() const override { return false; }
    bool shed(std::size_t) override { return true; }
    std::uint64_t dirty_bytes() const override { return 0; }

    std::uint64_t reads = 0;
    bool fail_reads = false;

private:
    FakeImage image_;
    std::map<std::string, std::string> rows_;
    FakeArena arena_;
};

}  // namespace tidal::signal
