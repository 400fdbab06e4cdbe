#include "signal/internal/slab_heap.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "base/codec.h"

namespace tidal::signal {

namespace {

constexpr std::uint32_t kMagic = 0x4b4c4254;  // "TBLK"
constexpr std::uint8_t kVersion = 1;
constexpr std::uint32_t kPagesPerRow = 4096;

/// Steps of 8 to 256 bytes, then about 1/8 of the size, then what fits a page in whole numbers.
std::vector<std::size_t> size_classes() {
    std::vector<std::size_t> sizes;
    for (std::size_t size = SlabHeap::kBlockBytesMin; size <= 256; size += 8) sizes.push_back(size);
    for (std::size_t size = 288; size <= 2048; size += size >= 1024 ? 128 : size >= 512 ? 64 : 32)
        sizes.push_back(size);
    for (std::size_t per_page = 7; per_page >= 1; --per_page)
        sizes.push_back(SlabHeap::kBlockBytesMax / per_page / 8 * 8);
    return sizes;
}

std::string row_key(const std::string& prefix, std::uint32_t row) {
    std::string key = prefix;
    for (int shift = 24; shift >= 0; shift -= 8) key.push_back(static_cast<char>(row >> shift));
    return key;
}

}  // namespace

struct SlabHeap::PageHeader {
    std::uint32_t magic;
    std::uint8_t version;
    std::uint8_t owner;
    std::uint8_t size_class;
    std::uint8_t zero;
    std::uint64_t taken[8];
    std::uint64_t spare;

    std::uint16_t count_taken() const {
        int count = 0;
        for (const auto word : taken) count += std::popcount(word);
        return static_cast<std::uint16_t>(count);
    }
    bool is_taken(std::size_t index) const { return taken[index / 64] >> (index % 64) & 1; }
    std::size_t take_first(std::size_t blocks) {
        for (std::size_t word = 0; word * 64 < blocks; ++word) {
            const auto bit = static_cast<std::size_t>(std::countr_one(taken[word]));
            if (bit == 64 || word * 64 + bit >= blocks) continue;
            taken[word] |= std::uint64_t{1} << bit;
            return word * 64 + bit;
        }
        return blocks;
    }
};

/// How full the pages of one class are, and which of them a compaction empties.
struct SlabHeap::Fullness {
    std::array<std::uint32_t, 1 << kIndexBits> pages_with{};  ///< By live blocks.
    std::size_t pages = 0, live = 0;
    std::size_t live_min = 0;     ///< Pages with fewer leave,
    std::size_t stay = SIZE_MAX;  ///< and those with as many after the first so many.

    void add(std::size_t blocks) {
        ++pages_with[blocks];
        ++pages;
        live += blocks;
    }
    /// False when about as many pages are needed as there are.
    bool choose(std::size_t blocks_per_page) {
        const std::size_t needed = (live + blocks_per_page - 1) / blocks_per_page;
        if (pages <= needed + needed / 16) return false;
        live_min = pages_with.size();
        stay = needed;
        while (live_min > 0 && stay >= pages_with[live_min - 1]) stay -= pages_with[--live_min];
        if (live_min > 0) --live_min;
        return true;
    }
    bool leaves(std::size_t blocks) {
        if (blocks != live_min) return blocks < live_min;
        if (stay == 0) return true;
        --stay;
        return false;
    }
};

SlabHeap::SlabHeap(storage::ShardStore& store, std::string prefix, std::uint8_t owner)
    : store_(store),
      arena_(store.pages()),
      prefix_(std::move(prefix)),
      owner_(owner),
      class_bytes_(size_classes()),
      open_(class_bytes_.size()) {
    static_assert(sizeof(PageHeader) == kPageHeaderBytes, "on disk");
    std::size_t size_class = 0;
    for (std::size_t i = 0; i < class_of_size_.size(); ++i) {
        while (class_bytes_[size_class] < i * 8) ++size_class;
        class_of_size_[i] = static_cast<std::uint8_t>(size_class);
    }
}

std::size_t SlabHeap::class_for(std::size_t bytes) const {
    assert(bytes <= kBlockBytesMax);
    return class_of_size_[(bytes + 7) / 8];
}

std::size_t SlabHeap::rounded(std::size_t bytes) const {
    return class_bytes_[class_for(bytes)];
}

SlabHeap::PageHeader& SlabHeap::header(std::uint32_t page) {
    return *reinterpret_cast<PageHeader*>(arena_.writable(storage::PageId(page)));
}

void SlabHeap::reserve_page_info(std::uint32_t page) {
    if (page < class_of_page_.size()) return;
    const std::size_t size = std::max<std::size_t>(page + 1, class_of_page_.size() * 5 / 4);
    class_of_page_.resize(size, kNoClass);
    live_.resize(size, 0);
    leaving_.resize(size, false);
}

void SlabHeap::mark_listed(std::uint32_t page, bool listed) {
    const std::size_t row = page / kPagesPerRow;
    if (row >= listed_.size()) {
        listed_.resize(row + 1, std::string(kPagesPerRow / 8, '\0'));
        listed_changed_.resize(row + 1, false);
    }
    const std::size_t bit = page % kPagesPerRow;
    auto byte = static_cast<std::uint8_t>(listed_[row][bit / 8]);
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    byte = static_cast<std::uint8_t>(listed ? byte | mask : byte & ~mask);
    listed_[row][bit / 8] = static_cast<char>(byte);
    listed_changed_[row] = true;
}

bool SlabHeap::has_room(std::uint32_t page, std::size_t size_class) const {
    return class_of_page_[page] == size_class && live_[page] < blocks_per_page(size_class) &&
           !leaving_[page];
}

Result<void> SlabHeap::open_page(std::size_t size_class) {
    TIDAL_ASSIGN(const storage::PageId id, arena_.allocate());
    const std::uint32_t page = id.value();
    if (page >= 1U << (32 - kIndexBits)) {
        arena_.free(id);
        return Error(ErrorCode::kOverloaded, "more pages than a block handle can name");
    }
    reserve_page_info(page);
    header(page) =
        PageHeader{kMagic, kVersion, owner_, static_cast<std::uint8_t>(size_class), 0, {}, 0};
    class_of_page_[page] = static_cast<std::uint8_t>(size_class);
    live_[page] = 0;
    open_[size_class].push_back(page);
    mark_listed(page, true);
    ++pages_;
    return {};
}

void SlabHeap::close_page(std::uint32_t page) {
    if (!leaving_[page]) std::erase(open_[class_of_page_[page]], page);
    class_of_page_[page] = kNoClass;
    leaving_[page] = false;
    mark_listed(page, false);
    --pages_;
    arena_.free(storage::PageId(page));
}

Result<BlockHandle> SlabHeap::allocate(std::size_t bytes) {
    const std::size_t size_class = class_for(bytes);
    auto& open = open_[size_class];
    while (!open.empty() && !has_room(open.back(), size_class)) open.pop_back();
    if (open.empty()) TIDAL_TRY(open_page(size_class));
    const std::uint32_t page = open.back();
    const std::size_t index = header(page).take_first(blocks_per_page(size_class));
    assert(index < blocks_per_page(size_class));
    ++live_[page];
    block_bytes_ += class_bytes_[size_class];
    return static_cast<BlockHandle>(page << kIndexBits | (index + 2));
}

void SlabHeap::free(BlockHandle block) {
    const std::uint32_t page = block >> kIndexBits;
    const std::size_t size_class = class_of_page_[page];
    const std::size_t index = (block & 511) - 2;
    PageHeader& head = header(page);
    assert(head.is_taken(index));
    head.taken[index / 64] &= ~(std::uint64_t{1} << (index % 64));
    block_bytes_ -= class_bytes_[size_class];
    const bool was_full = live_[page]-- == blocks_per_page(size_class);
    if (was_full && !leaving_[page]) open_[size_class].push_back(page);
    // The last page of a class with room stays: the next block of that size is likely near.
    if (live_[page] == 0 && (leaving_[page] || open_[size_class].size() > 1)) close_page(page);
}

void SlabHeap::save() {
    for (std::uint32_t row = 0; row < listed_.size(); ++row) {
        if (!listed_changed_[row]) continue;
        store_.put(row_key(prefix_, row), listed_[row]);
        listed_changed_[row] = false;
    }
}

Result<void> SlabHeap::adopt_page(std::uint32_t page) {
    if (page >= arena_.page_count() || !arena_.allocated(storage::PageId(page)))
        return Error(ErrorCode::kCorruption, "a listed ledger page is missing").with("page", page);
    const auto& head = *reinterpret_cast<const PageHeader*>(arena_.data(storage::PageId(page)));
    if (head.magic != kMagic || head.version != kVersion || head.owner != owner_ ||
        head.size_class >= class_bytes_.size())
        return Error(ErrorCode::kCorruption, "a listed page is not a ledger page")
            .with("page", page);
    reserve_page_info(page);
    class_of_page_[page] = head.size_class;
    live_[page] = head.count_taken();
    block_bytes_ += live_[page] * class_bytes_[head.size_class];
    if (live_[page] < blocks_per_page(head.size_class)) open_[head.size_class].push_back(page);
    ++pages_;
    return {};
}

Result<void> SlabHeap::load() {
    Result<void> outcome;
    TIDAL_TRY(store_.scan(prefix_, [&](std::string_view key, std::string_view value) {
        if (key.size() != prefix_.size() + 4 || value.size() != kPagesPerRow / 8) {
            outcome = Error(ErrorCode::kCorruption, "a list of ledger pages has a wrong size");
            return false;
        }
        std::uint32_t row = 0;
        for (const char c : key.substr(prefix_.size()))
            row = row << 8 | static_cast<std::uint8_t>(c);
        for (std::uint32_t bit = 0; bit < kPagesPerRow && outcome.ok(); ++bit) {
            if ((static_cast<std::uint8_t>(value[bit / 8]) >> (bit % 8) & 1) == 0) continue;
            mark_listed(row * kPagesPerRow + bit, true);
            outcome = adopt_page(row * kPagesPerRow + bit);
        }
        return outcome.ok();
    }));
    std::fill(listed_changed_.begin(), listed_changed_.end(), false);
    return outcome;
}

bool SlabHeap::begin_compaction(double unused_max) {
    const auto space = static_cast<double>(pages_ * kBlockBytesMax);
    if (static_cast<double>(block_bytes_) >= space * (1 - unused_max)) return false;
    // Per class: the emptiest pages whose blocks fit the holes of the others. Counted, not sorted:
    // this is one slice of an eviction, whatever the number of pages.
    std::vector<Fullness> classes(class_bytes_.size());
    for (std::uint32_t page = 0; page < class_of_page_.size(); ++page)
        if (class_of_page_[page] != kNoClass) classes[class_of_page_[page]].add(live_[page]);
    bool any = false;
    for (std::size_t size_class = 0; size_class < classes.size(); ++size_class)
        any |= classes[size_class].choose(blocks_per_page(size_class));
    if (!any) return false;
    for (std::uint32_t page = 0; page < class_of_page_.size(); ++page)
        if (class_of_page_[page] != kNoClass && classes[class_of_page_[page]].leaves(live_[page]))
            leaving_[page] = true;
    for (auto& open : open_) std::erase_if(open, [&](auto page) { return leaving_[page]; });
    return true;
}

void SlabHeap::end_compaction() {
    for (std::uint32_t page = 0; page < leaving_.size(); ++page) {
        if (!leaving_[page]) continue;
        leaving_[page] = false;
        if (live_[page] == 0) {
            close_page(page);
        } else if (live_[page] < blocks_per_page(class_of_page_[page])) {
            open_[class_of_page_[page]].push_back(page);
        }
    }
}

}  // namespace tidal::signal
