// runtime/internal/sim_names.h: the folder tree of a SimDisk, as readers see it and as a crash
// would leave it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/internal/sim_inode.h"

namespace tidal::runtime::internal {

using SimInodePtr = std::shared_ptr<SimInode>;

/// Threads: the SimDisk's mutex. Paths have passed check_path().
class SimNames {
public:
    SimInodePtr find(std::string_view path) const;
    bool is_folder(std::string_view path) const;

    /// kConflict when the name is taken, kNotFound without its folder.
    Result<SimInodePtr> create(std::string_view path);
    Result<void> rename(std::string_view from, std::string_view to);
    Result<void> remove(std::string_view path);
    /// kConflict when a part is a file. Durable at once.
    Result<void> create_folders(std::string_view path);
    Result<void> sync_folder(std::string_view path);
    Result<std::vector<std::string>> list(std::string_view path) const;

    std::uint64_t used_bytes() const { return used_bytes_; }
    /// A file with at least one name grew or shrank.
    void resized(const SimInode& inode, std::uint64_t before);
    std::uint64_t unsynced_sectors() const;
    void add_to_hash(TraceHash* hash) const;

    /// The tree found after a crash: all of it synced. kTake moves files that lose nothing instead
    /// of copying them; this tree is of no use then.
    enum class Copy { kAlways, kTake };
    std::unique_ptr<SimNames> survive(SectorFate& fate, Copy copy) const;

private:
    using Tree = std::map<std::string, SimInodePtr, std::less<>>;
    /// A name change that no sync_folder() has covered yet. A rename counts with the folder of
    /// `to`.
    struct Change {
        enum class Kind { kCreate, kRename, kRemove } kind;
        std::string from, to;
        SimInodePtr inode;
    };
    static void apply(const Change& change, Tree& tree);
    Result<void> check_folder_of(std::string_view path) const;
    Result<void> remove_folder(std::string_view path);
    void link(const SimInodePtr& inode);
    void unlink(const SimInodePtr& inode);

    Tree live_;
    Tree synced_;
    std::vector<Change> unsynced_;  ///< Oldest first.
    std::set<std::string, std::less<>> folders_;
    std::uint64_t used_bytes_ = 0;
};

}  // namespace tidal::runtime::internal
