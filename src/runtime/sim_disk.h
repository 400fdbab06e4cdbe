// runtime/sim_disk.h: a disk in memory that forgets, tears, flips, fills and fails on demand.
//
// The medium outlives the node on it. A life ends with `crash()`: what was not synced survives or
// is lost in units of 512 B sectors and of single name changes, chosen by the seed or by the test.
// Every handle of an earlier life is dead: its operations return kIo and change nothing.
//
// Names of one folder may survive in any combination, not only in the order they were changed; no
// more is promised by runtime/disk.h. Locks do not survive.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "runtime/disk.h"
#include "runtime/seeded_random.h"

namespace tidal::runtime {

namespace internal {
class SimInode;
class SimNames;
}  // namespace internal

inline constexpr std::size_t kSectorBytes = 512;

/// The operations a fault or a crash can hit. All but kRead change the medium ("mutating").
enum class DiskOp : std::uint8_t {
    kRead,
    kCreate,
    kWrite,
    kSync,
    kTruncate,
    kRename,
    kRemove,
    kCreateDirectories,
    kSyncDirectory,
};
std::string_view disk_op_name(DiskOp op);

/// Fails operations number `nth` .. `nth + times - 1` of those that match, counted from
/// add_fault(). A failing write leaves a prefix; a failing sync leaves its sectors unsynced for
/// good, though the next sync() succeeds (as Linux does), until they are written again.
struct DiskFault {
    std::optional<DiskOp> op;   ///< Any mutating one when not set.
    std::string path_contains;  ///< Every path when empty.
    std::uint64_t nth = 1;      ///< 1 = the next one.
    std::uint64_t times = 1;
    ErrorCode code = ErrorCode::kIo;
};

/// Which unsynced changes survive a crash.
struct CrashSpec {
    enum class Keep {
        kSeeded,   ///< Each sector and each name change by the seed.
        kNothing,  ///< Only what was synced.
        kAll,      ///< Everything: the process was killed, the machine lives on.
        kPrefix,  ///< All names and the first `sectors` unsynced sectors (file by file, by offset).
    };
    Keep keep = Keep::kSeeded;
    std::uint64_t seed = 0;     ///< With kSeeded: mixed with the seed of the disk.
    std::uint64_t sectors = 0;  ///< With kPrefix: 0 .. unsynced_sectors().
};

struct SimDiskOptions {
    std::uint64_t seed = 1;
    std::uint64_t capacity_bytes = ~0ULL;  ///< Of file contents.
    /// Virtual time charged per operation.
    std::uint64_t read_ns = 0, write_ns = 0, sync_ns = 0;
};

/// Threads: any (the simulation needs one). Files must not outlive the disk.
class SimDisk final : public Disk {
public:
    explicit SimDisk(const SimDiskOptions& options = {});
    ~SimDisk() override;

    Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) override;
    Result<void> rename(std::string_view from, std::string_view to) override;
    Result<void> remove(std::string_view path) override;
    Result<void> create_directories(std::string_view path) override;
    Result<void> sync_directory(std::string_view path) override;
    Result<std::vector<std::string>> list(std::string_view path) override;
    Result<bool> exists(std::string_view path) override;
    Result<std::unique_ptr<DiskLock>> lock(std::string_view path) override;
    Result<std::unique_ptr<DiskLock>> lock_to_read(std::string_view path) override;
    Result<std::uint64_t> free_bytes() override;
    std::string native_path(std::string_view path) override;

    // Lives.

    /// A Disk that is dead from the next crash() on: what a node gets, so that the destructors of a
    /// crashed node cannot touch the life after it. Must not outlive this disk.
    std::unique_ptr<Disk> session();
    /// The node dies within the n-th mutating operation from now (1 = the next; 0 = never): that
    /// operation is unsynced or not done at all, returns kIo, and so does all else until crash().
    void set_crash_after(std::uint64_t n);
    /// Dies now: every operation returns kIo until crash().
    void die();
    bool dead() const;
    /// Ends this life and begins the next on what survived.
    void crash(const CrashSpec& spec = {});
    /// The disk that crash(spec) would leave, without touching this one: many ends of one life.
    std::unique_ptr<SimDisk> survivor(const CrashSpec& spec) const;

    // Faults.

    void add_fault(DiskFault fault);
    void clear_faults();
    /// Room for this many bytes of file contents; less than used_bytes() refuses all growth.
    void set_capacity(std::uint64_t bytes);
    /// Flips one bit on the medium and in the cache. kNotFound, or kInvalidArgument past the end.
    Result<void> flip_bit(std::string_view path, std::uint64_t offset, unsigned bit);

    // Observation.

    /// Mutating operations so far, of all lives.
    std::uint64_t mutating_ops() const;
    std::uint64_t op_count(DiskOp op) const;
    std::uint64_t used_bytes() const;
    std::uint64_t unsynced_sectors() const;
    /// Hash of every name and byte as a reader sees them now.
    std::uint64_t content_hash() const;
    /// Hash of every operation so far.
    std::uint64_t trace_hash() const;

    struct Observer {
        std::function<void(std::uint64_t ns)> charge;  ///< An operation took virtual time.
        std::function<void()> died;                    ///< The crash point was reached.
    };
    /// One at a time; the newest wins. The number is for detach_observer(), which does nothing when
    /// another observer has come since.
    std::uint64_t attach_observer(Observer observer);
    void detach_observer(std::uint64_t number);

private:
    class Handle;
    class Session;
    class Lock;
    using Life = std::uint64_t;
    using InodePtr = std::shared_ptr<internal::SimInode>;

    std::unique_lock<std::mutex> enter() const { return std::unique_lock(mutex_); }
    /// Counts the operation and decides its fate: an Error when it fails or the node dies in it.
    /// `*perform` says whether its (unsynced) effect happens all the same.
    std::optional<Error> begin(Life life, DiskOp op, std::string_view path, bool* perform);
    Result<void> check_alive(Life life, std::string_view path) const;
    std::optional<Error> injected_fault(DiskOp op, std::string_view path);
    void charge(std::uint64_t ns);
    void note_op(DiskOp op, std::string_view path);
    Life current_life() const;

    Result<std::unique_ptr<File>> open_in(Life life, std::string_view path, OpenMode mode);
    Result<void> rename_in(Life life, std::string_view from, std::string_view to);
    Result<void> remove_in(Life life, std::string_view path);
    Result<void> create_directories_in(Life life, std::string_view path);
    Result<void> sync_directory_in(Life life, std::string_view path);
    Result<std::vector<std::string>> list_in(Life life, std::string_view path);
    Result<bool> exists_in(Life life, std::string_view path);
    enum class AbsentLock { kMade, kNotFound };
    Result<std::unique_ptr<DiskLock>> lock_in(Life life, std::string_view path, AbsentLock absent);
    Result<std::uint64_t> free_bytes_in(Life life);

    Result<std::size_t> read(Life life, internal::SimInode& inode, const std::string& path,
                             std::uint64_t offset, std::span<char> out);
    Result<void> write(Life life, internal::SimInode& inode, const std::string& path,
                       std::uint64_t offset, std::string_view bytes);
    Result<void> sync(Life life, internal::SimInode& inode, const std::string& path);
    Result<void> truncate(Life life, internal::SimInode& inode, const std::string& path,
                          std::uint64_t size);
    Result<std::uint64_t> size(Life life, internal::SimInode& inode, const std::string& path);
    Result<std::shared_ptr<const MappedFile>> map(Life life, internal::SimInode& inode,
                                                  const std::string& path);

    mutable std::mutex mutex_;
    const SimDiskOptions options_;
    // Guarded by mutex_.
    std::unique_ptr<internal::SimNames> names_;
    SeededRandom random_;
    TraceHash trace_;
    Observer observer_;
    std::uint64_t observer_number_ = 0;
    std::vector<DiskFault> faults_;
    std::set<std::string, std::less<>> locks_;
    std::uint64_t capacity_bytes_;
    std::uint64_t op_counts_[9] = {};
    std::uint64_t mutating_ops_ = 0;
    std::uint64_t crash_at_ = 0;  ///< Value of mutating_ops_ that is fatal; 0 = never.
    Life life_ = 1;
    bool dead_ = false;
};

}  // namespace tidal::runtime
