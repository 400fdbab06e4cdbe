// entity/tests/memory_store.h: rows in a map, for tests that need no checkpoint.
#pragma once

#include <cstdlib>
#include <functional>
#include <map>
#include <string>

#include "storage/shard_store.h"

namespace tidal::entity {

class MemoryStore final : public storage::ShardStore {
public:
    Result<std::optional<std::string>> get(std::string_view key) override {
        if (failing) return Error(ErrorCode::kIo, "the disk does not answer");
        const auto at = rows.find(key);
        if (at == rows.end()) return std::optional<std::string>();
        return std::optional(at->second);
    }
    void put(std::string_view key, std::string_view value) override {
        ++writes;
        rows.insert_or_assign(std::string(key), std::string(value));
    }
    void erase(std::string_view key) override {
        ++writes;
        if (const auto at = rows.find(key); at != rows.end()) rows.erase(at);
    }
    void put_frozen(std::string_view key, std::string_view value) override { put(key, value); }
    Result<void> scan(
        std::string_view prefix,
        absl::AnyInvocable<bool(std::string_view, std::string_view)> visitor) override {
        for (auto at = rows.lower_bound(prefix); at != rows.end(); ++at)
            if (!at->first.starts_with(prefix) || !visitor(at->first, at->second)) break;
        return {};
    }
    storage::PageArena& pages() override { std::abort(); }
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

    std::map<std::string, std::string, std::less<>> rows;
    bool failing = false;
    std::uint64_t writes = 0;
};

}  // namespace tidal::entity
