#include "runtime/internal/sim_inode.h"

#include <algorithm>
#include <cassert>

namespace tidal::runtime::internal {

SectorFate::SectorFate(const CrashSpec& spec, std::uint64_t seed)
    : spec_(spec), random_(mix64(seed) ^ spec.seed), left_(spec.sectors) {}

bool SectorFate::keep_sector() {
    switch (spec_.keep) {
        case CrashSpec::Keep::kSeeded:
            return random_.below(8) < keep_of_8_;
        case CrashSpec::Keep::kNothing:
            return false;
        case CrashSpec::Keep::kAll:
            return true;
        case CrashSpec::Keep::kPrefix:
            return left_ > 0 && left_-- > 0;
    }
    return false;
}

bool SectorFate::keep_name() {
    if (spec_.keep == CrashSpec::Keep::kSeeded) return random_.below(2) == 0;
    return spec_.keep != CrashSpec::Keep::kNothing;
}

bool SectorFate::coin() {
    return spec_.keep == CrashSpec::Keep::kSeeded && random_.below(4) == 0;
}

void SectorFate::next_file() {
    // All and nothing are as likely as a mixture: most bugs need one of the extremes in one file.
    constexpr std::uint64_t kShares[] = {0, 0, 1, 4, 7, 8, 8};
    if (spec_.keep == CrashSpec::Keep::kSeeded)
        keep_of_8_ = kShares[random_.below(std::size(kShares))];
}

std::string_view SimInode::sector_of_data(std::uint64_t sector) const {
    const std::uint64_t begin = sector * kSectorBytes;
    if (begin >= data_.size()) return {};
    return std::string_view(data_).substr(begin, kSectorBytes);
}

void SimInode::remember(std::uint64_t sector) {
    refused_.erase(sector);
    if (sector * kSectorBytes >= synced_size_) return;
    old_sectors_.try_emplace(sector, sector_of_data(sector));
}

void SimInode::write(std::uint64_t offset, std::string_view bytes) {
    if (bytes.empty()) return;
    const std::uint64_t end = offset + bytes.size();
    // A hole between the old end and `offset` changes no synced byte but the tail of its sector.
    const std::uint64_t first = std::min<std::uint64_t>(offset, data_.size()) / kSectorBytes;
    for (std::uint64_t sector = first; sector * kSectorBytes < end; ++sector) {
        if (sector * kSectorBytes >= synced_size_ && refused_.empty()) break;
        remember(sector);
    }
    if (end > data_.size()) data_.resize(end);
    data_.replace(offset, bytes.size(), bytes);
}

void SimInode::truncate(std::uint64_t size) {
    const std::uint64_t changed_from = std::min<std::uint64_t>(size, data_.size());
    for (std::uint64_t sector = changed_from / kSectorBytes; sector * kSectorBytes < synced_size_;
         ++sector)
        remember(sector);
    data_.resize(size);
}

void SimInode::synced() {
    for (auto it = old_sectors_.begin(); it != old_sectors_.end();)
        it = refused_.contains(it->first) ? std::next(it) : old_sectors_.erase(it);
    synced_size_ = data_.size();
}

void SimInode::sync_failed() {
    // Appended sectors get an explicit "nothing was here", because a later sync moves synced_size_.
    const std::uint64_t first_new = (synced_size_ + kSectorBytes - 1) / kSectorBytes;
    for (std::uint64_t sector = first_new; sector * kSectorBytes < data_.size(); ++sector)
        old_sectors_.try_emplace(sector, std::string());
    for (const auto& [sector, old] : old_sectors_) refused_.insert(sector);
}

void SimInode::flip(std::uint64_t offset, unsigned bit) {
    assert(offset < data_.size() && bit < 8);
    const auto mask = static_cast<char>(1U << bit);
    data_[offset] = static_cast<char>(data_[offset] ^ mask);
    const auto old = old_sectors_.find(offset / kSectorBytes);
    const auto within = offset % kSectorBytes;
    if (old != old_sectors_.end() && within < old->second.size())
        old->second[within] = static_cast<char>(old->second[within] ^ mask);
}

std::uint64_t SimInode::unsynced_sectors() const {
    const std::uint64_t first_new = (synced_size_ + kSectorBytes - 1) / kSectorBytes;
    const std::uint64_t end = (data_.size() + kSectorBytes - 1) / kSectorBytes;
    const auto past = static_cast<std::uint64_t>(
        std::distance(old_sectors_.lower_bound(first_new), old_sectors_.end()));
    return old_sectors_.size() - past + (end > first_new ? end - first_new : 0);
}

std::string SimInode::survive(SectorFate& fate) const {
    fate.next_file();
    if (clean()) return data_;
    std::string out = data_;
    out.resize(std::max<std::uint64_t>(data_.size(), synced_size_));
    std::uint64_t grown_to = 0;  // End of the last surviving sector that lies past the synced size.
    const auto lose = [&](std::uint64_t sector, std::string_view old) {
        const std::uint64_t begin = sector * kSectorBytes;
        const auto room = std::min<std::uint64_t>(kSectorBytes, out.size() - begin);
        out.replace(begin, room, room, '\0');
        out.replace(begin, std::min<std::uint64_t>(room, old.size()), old.substr(0, room));
    };
    const std::uint64_t first_new = (synced_size_ + kSectorBytes - 1) / kSectorBytes;
    for (auto it = old_sectors_.begin(); it != old_sectors_.end() && it->first < first_new; ++it) {
        const std::uint64_t begin = it->first * kSectorBytes;
        if (begin >= out.size()) break;
        // Past the live end there is no new content: the bytes come back with the old size.
        if (begin < data_.size() && fate.keep_sector()) {
            if (begin + kSectorBytes > synced_size_) grown_to = begin + kSectorBytes;
        } else {
            lose(it->first, it->second);
        }
    }
    for (std::uint64_t sector = first_new; sector * kSectorBytes < data_.size(); ++sector) {
        if (fate.keep_sector())
            grown_to = (sector + 1) * kSectorBytes;
        else
            lose(sector, {});
    }
    if (data_.size() < synced_size_) {
        // The size is metadata of its own: a truncation survives or does not, whatever the bytes
        // do.
        const bool shrunk = fate.keep() == CrashSpec::Keep::kAll ||
                            fate.keep() == CrashSpec::Keep::kPrefix || fate.coin();
        out.resize(shrunk ? data_.size() : synced_size_);
    } else if (!fate.coin()) {
        const auto grown = std::min<std::uint64_t>(grown_to, data_.size());
        out.resize(std::max(synced_size_, grown));
    }
    return out;
}

}  // namespace tidal::runtime::internal
