#include "signal/internal/slot_directory.h"

#include "base/codec.h"

namespace tidal::signal {

SlotDirectory::SlotDirectory(storage::ShardStore& store, std::string key)
    : store_(&store), arena_(&store.pages()), key_(std::move(key)) {}

Result<void> SlotDirectory::set(Slot slot, BlockHandle block) {
    const std::size_t page = slot.value() / kSlotsPerPage;
    if (page >= pages_.size() || pages_[page] == kNoPage) {
        if (block == 0) return {};
        TIDAL_ASSIGN(const storage::PageId id, arena_->allocate());
        if (page >= pages_.size()) pages_.resize(page + 1, kNoPage);
        pages_[page] = id.value();
        ++page_count_;
        changed_ = true;
    }
    auto* entries = reinterpret_cast<BlockHandle*>(arena_->writable(storage::PageId(pages_[page])));
    entries[slot.value() % kSlotsPerPage] = block;
    return {};
}

void SlotDirectory::save() {
    if (!changed_) return;
    Encoder out;
    for (const auto page : pages_) out.u32(page);
    store_->put(key_, out.view());
    changed_ = false;
}

Result<void> SlotDirectory::load() {
    TIDAL_ASSIGN(const auto row, store_->get(key_));
    if (!row) return {};
    Decoder in(*row);
    pages_.resize(row->size() / 4);
    for (auto& page : pages_) {
        page = in.u32();
        if (page == kNoPage) continue;
        if (page >= arena_->page_count() || !arena_->allocated(storage::PageId(page)))
            return Error(ErrorCode::kCorruption, "a listed ledger directory page is missing")
                .with("page", page);
        ++page_count_;
    }
    return in.finish("list of ledger directory pages");
}

}  // namespace tidal::signal
