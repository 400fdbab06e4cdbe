#include "storage/shard_store.h"

#include <cassert>
#include <cstdio>

#include "storage/internal/arena.h"
#include "storage/internal/checkpoint_writer.h"
#include "storage/internal/keys.h"
#include "storage/internal/overlay.h"

namespace tidal::storage {
namespace {

using internal::Arena;
using internal::CheckpointWriter;
using internal::Overlay;
using internal::OverlayCursor;

// Each change frees this many rows of the last checkpoint's overlay, so that dropping a million of
// them never stops the monitor.
constexpr std::size_t kShedRows = 4;

class Store final : public ShardStore {
public:
    Store(runtime::Disk& disk, RowEngine& rows, ShardId shard, std::string_view directory,
          std::unique_ptr<Arena> arena)
        : rows_(rows),
          row_prefix_(internal::row_prefix(shard, internal::RowArea::kRows)),
          arena_(std::move(arena)),
          writer_(disk, rows, shard, directory) {}

    Result<void> load() {
        TIDAL_ASSIGN(checkpoint_index_, writer_.load(*arena_));
        return {};
    }

    Result<std::optional<std::string>> get(std::string_view key) override;
    void put(std::string_view key, std::string_view value) override {
        current_.set(key, value);
        retired_.shed(kShedRows);
    }
    void erase(std::string_view key) override {
        current_.set(key, std::nullopt);
        retired_.shed(kShedRows);
    }
    void put_frozen(std::string_view key, std::string_view value) override {
        (under_way_ ? frozen_ : current_).set(key, value);
    }
    Result<void> scan(std::string_view prefix, Visitor visitor) override;
    PageArena& pages() override { return *arena_; }

    LogIndex checkpoint_index() const override { return checkpoint_index_; }
    void begin_checkpoint(LogIndex index) override;
    bool copy_out(std::size_t pages_max) override {
        assert(under_way_);
        return arena_->take(pages_max);
    }
    Result<void> write_checkpoint() override;
    Result<void> scan_checkpoint(std::string_view prefix, Visitor visitor) override;
    void finish_checkpoint(bool ok) override;
    bool checkpoint_under_way() const override { return under_way_; }
    bool shed(std::size_t rows_max) override {
        retired_.shed(rows_max);
        return retired_.empty();
    }
    std::uint64_t dirty_bytes() const override {
        return current_.bytes() + std::uint64_t{arena_->dirty_count()} * kPageBytes;
    }

private:
    RowEngine& rows_;
    const std::string row_prefix_;

    // In the monitor.
    std::string engine_key_;  ///< Reused by get.
    std::unique_ptr<Arena> arena_;
    Overlay current_;  ///< Changes since the last freeze.
    Overlay retired_;  ///< Of a finished checkpoint, freed little by little.
    LogIndex checkpoint_index_;
    bool under_way_ = false;

    // Fixed from write_checkpoint to finish_checkpoint, so that both sides may read them.
    Overlay frozen_;
    LogIndex frozen_index_;

    // Of write_checkpoint, while a checkpoint is under way.
    CheckpointWriter writer_;
    Overlay garbage_;
    bool written_ = false;
};

Result<std::optional<std::string>> Store::get(std::string_view key) {
    for (const Overlay* overlay : {&current_, &frozen_})
        if (const auto* change = overlay->find(key)) return *change;
    engine_key_.assign(row_prefix_).append(key);
    return rows_.get(engine_key_);
}

Result<void> Store::scan(std::string_view prefix, Visitor visitor) {
    OverlayCursor changed(current_, frozen_, prefix);
    bool go_on = true;
    // Changed rows below `key`, or all that are left.
    const auto visit_changed = [&](const std::string_view* key) {
        for (; go_on && !changed.at_end() && (key == nullptr || changed.key() < *key);
             changed.step())
            if (changed.value()) go_on = visitor(changed.key(), *changed.value());
    };
    const std::string begin = row_prefix_ + std::string(prefix);
    TIDAL_TRY(rows_.scan(begin, internal::prefix_end(begin),
                         [&](std::string_view engine_key, std::string_view value) {
                             const std::string_view key =
                                 engine_key.substr(internal::kRowPrefixBytes);
                             visit_changed(&key);
                             if (!go_on) return false;
                             // A changed row hides the engine's; the next round visits it.
                             if (changed.at_end() || changed.key() != key)
                                 go_on = visitor(key, value);
                             return go_on;
                         }));
    visit_changed(nullptr);
    return {};
}

void Store::begin_checkpoint(LogIndex index) {
    assert(!under_way_ && index >= checkpoint_index_ && frozen_.empty());
    under_way_ = true;
    written_ = false;
    frozen_index_ = index;
    frozen_ = std::exchange(current_, {});
    garbage_ = std::exchange(retired_, {});
    for (const PageId page : writer_.take_relocations()) arena_->rewrite(page);
    arena_->freeze();
}

Result<void> Store::write_checkpoint() {
    assert(under_way_ && !written_);
    garbage_ = {};
    auto written = writer_.write(frozen_index_, *arena_, frozen_);
    written_ = written.ok();
    // Not needed even after a failure: the next checkpoint writes newer bytes of these pages.
    arena_->drop_copies();
    return written;
}

Result<void> Store::scan_checkpoint(std::string_view prefix, Visitor visitor) {
    const std::string begin = row_prefix_ + std::string(prefix);
    return rows_.scan(begin, internal::prefix_end(begin),
                      [&](std::string_view key, std::string_view value) {
                          return visitor(key.substr(internal::kRowPrefixBytes), value);
                      });
}

void Store::finish_checkpoint(bool ok) {
    assert(under_way_ && (!ok || written_));
    if (ok) {
        checkpoint_index_ = frozen_index_;
        retired_ = std::exchange(frozen_, {});
    } else {
        frozen_.absorb(std::move(current_));
        current_ = std::exchange(frozen_, {});
    }
    arena_->thaw(ok);
    under_way_ = false;
}

}  // namespace

Result<std::unique_ptr<ShardStore>> ShardStore::open(runtime::Disk& disk, RowEngine& rows,
                                                     ShardId shard, std::string_view directory) {
    TIDAL_ASSIGN(auto arena, Arena::create(PageArena::Options{}));
    auto store = std::make_unique<Store>(disk, rows, shard, directory, std::move(arena));
    TIDAL_TRY(store->load());
    return std::unique_ptr<ShardStore>(std::move(store));
}

std::string shard_folder(ShardId shard) {
    char name[16];
    std::snprintf(name, sizeof name, "s%04u", unsigned{shard.value()});
    return name;
}

}  // namespace tidal::storage
