// runtime/internal/sim_inode.h: one file of a SimDisk, with what a crash would take back.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "runtime/random.h"
#include "runtime/sim_disk.h"

namespace tidal::runtime::internal {

/// How much of the unsynced part survives, drawn sector by sector.
class SectorFate {
public:
    SectorFate(const CrashSpec& spec, std::uint64_t seed);
    bool keep_sector();
    bool keep_name();
    bool coin();
    CrashSpec::Keep keep() const { return spec_.keep; }
    /// A new file begins: draws how forgetful the device is with it.
    void next_file();

private:
    CrashSpec spec_;
    SeededRandom random_;
    std::uint64_t left_;           ///< Sectors still kept, with kPrefix.
    std::uint64_t keep_of_8_ = 4;  ///< With kSeeded.
};

/// What a reader sees, plus the old contents of sectors changed since the last sync. Sectors wholly
/// past the synced size need no copy: their old content is "not there".
/// Threads: the SimDisk's mutex.
class SimInode {
public:
    SimInode() = default;
    explicit SimInode(std::string synced) : data_(std::move(synced)), synced_size_(data_.size()) {}

    const std::string& data() const { return data_; }
    void write(std::uint64_t offset, std::string_view bytes);
    void truncate(std::uint64_t size);
    void synced();
    /// The device refused: what is unsynced now stays so until it is written again.
    void sync_failed();
    void flip(std::uint64_t offset, unsigned bit);

    std::uint64_t unsynced_sectors() const;
    bool clean() const { return old_sectors_.empty() && data_.size() == synced_size_; }
    /// The bytes found after a crash.
    std::string survive(SectorFate& fate) const;

    std::uint32_t links = 0;  ///< Names that lead here, as a reader sees them.

private:
    void remember(std::uint64_t sector);
    std::string_view sector_of_data(std::uint64_t sector) const;

    std::string data_;
    std::uint64_t synced_size_ = 0;
    std::map<std::uint64_t, std::string> old_sectors_;  ///< Shorter than a sector at the old end.
    std::set<std::uint64_t> refused_;                   ///< Sectors a failed sync left behind.
};

}  // namespace tidal::runtime::internal
