// The file operations of a SimDisk, each bound to the life its handle was made in.
#include <algorithm>
#include <limits>
#include <new>

#include "runtime/internal/path.h"
#include "runtime/internal/sim_names.h"
#include "runtime/sim_disk.h"

namespace tidal::runtime {

using internal::check_path;
using internal::RootPath;
using internal::SimInode;

namespace {

/// A copy: what is mapped is not written any more.
class SimMappedFile final : public MappedFile {
public:
    SimMappedFile(char* memory, std::size_t size) : MappedFile({memory, size}), memory_(memory) {}
    static std::shared_ptr<const MappedFile> copy_of(std::string_view bytes) {
        auto* const memory = static_cast<char*>(::operator new(bytes.size() + 1, kAlignment));
        bytes.copy(memory, bytes.size());
        return std::make_shared<SimMappedFile>(memory, bytes.size());
    }
    ~SimMappedFile() override { ::operator delete(memory_, kAlignment); }

private:
    static constexpr std::align_val_t kAlignment{64};
    char* const memory_;
};

}  // namespace

class SimDisk::Handle final : public File {
public:
    Handle(SimDisk& disk, Life life, InodePtr inode, std::string path, OpenMode mode)
        : disk_(disk),
          life_(life),
          inode_(std::move(inode)),
          path_(std::move(path)),
          writable_(mode != OpenMode::kRead) {}

    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
        return disk_.read(life_, *inode_, path_, offset, out);
    }
    Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
        TIDAL_TRY(check_writable());
        return disk_.write(life_, *inode_, path_, offset, bytes);
    }
    Result<void> sync() override { return disk_.sync(life_, *inode_, path_); }
    Result<std::uint64_t> size() override { return disk_.size(life_, *inode_, path_); }
    Result<void> truncate(std::uint64_t size) override {
        TIDAL_TRY(check_writable());
        return disk_.truncate(life_, *inode_, path_, size);
    }
    Result<std::shared_ptr<const MappedFile>> map() override {
        return disk_.map(life_, *inode_, path_);
    }

private:
    Result<void> check_writable() const {
        if (writable_) return {};
        return Error(ErrorCode::kInvalidArgument, "write to a file opened for reading")
            .with("path", path_);
    }

    SimDisk& disk_;
    const Life life_;
    const InodePtr inode_;
    const std::string path_;
    const bool writable_;
};

class SimDisk::Lock final : public DiskLock {
public:
    Lock(SimDisk& disk, Life life, std::string path)
        : disk_(disk), life_(life), path_(std::move(path)) {}
    ~Lock() override {
        const auto lock = disk_.enter();
        if (disk_.life_ == life_) disk_.locks_.erase(path_);
    }

private:
    SimDisk& disk_;
    const Life life_;
    const std::string path_;
};

class SimDisk::Session final : public Disk {
public:
    Session(SimDisk& disk, Life life) : disk_(disk), life_(life) {}
    Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) override {
        return disk_.open_in(life_, path, mode);
    }
    Result<void> rename(std::string_view from, std::string_view to) override {
        return disk_.rename_in(life_, from, to);
    }
    Result<void> remove(std::string_view path) override { return disk_.remove_in(life_, path); }
    Result<void> create_directories(std::string_view path) override {
        return disk_.create_directories_in(life_, path);
    }
    Result<void> sync_directory(std::string_view path) override {
        return disk_.sync_directory_in(life_, path);
    }
    Result<std::vector<std::string>> list(std::string_view path) override {
        return disk_.list_in(life_, path);
    }
    Result<bool> exists(std::string_view path) override { return disk_.exists_in(life_, path); }
    Result<std::unique_ptr<DiskLock>> lock(std::string_view path) override {
        return disk_.lock_in(life_, path, AbsentLock::kMade);
    }
    Result<std::unique_ptr<DiskLock>> lock_to_read(std::string_view path) override {
        return disk_.lock_in(life_, path, AbsentLock::kNotFound);
    }
    Result<std::uint64_t> free_bytes() override { return disk_.free_bytes_in(life_); }
    std::string native_path(std::string_view) override { return {}; }

private:
    SimDisk& disk_;
    const Life life_;
};

std::unique_ptr<Disk> SimDisk::session() {
    const auto lock = enter();
    return std::make_unique<Session>(*this, life_);
}

SimDisk::Life SimDisk::current_life() const {
    const auto lock = enter();
    return life_;
}

Result<std::unique_ptr<File>> SimDisk::open(std::string_view path, OpenMode mode) {
    return open_in(current_life(), path, mode);
}
Result<void> SimDisk::rename(std::string_view from, std::string_view to) {
    return rename_in(current_life(), from, to);
}
Result<void> SimDisk::remove(std::string_view path) {
    return remove_in(current_life(), path);
}
Result<void> SimDisk::create_directories(std::string_view path) {
    return create_directories_in(current_life(), path);
}
Result<void> SimDisk::sync_directory(std::string_view path) {
    return sync_directory_in(current_life(), path);
}
Result<std::vector<std::string>> SimDisk::list(std::string_view path) {
    return list_in(current_life(), path);
}
Result<bool> SimDisk::exists(std::string_view path) {
    return exists_in(current_life(), path);
}
Result<std::unique_ptr<DiskLock>> SimDisk::lock(std::string_view path) {
    return lock_in(current_life(), path, AbsentLock::kMade);
}
Result<std::unique_ptr<DiskLock>> SimDisk::lock_to_read(std::string_view path) {
    return lock_in(current_life(), path, AbsentLock::kNotFound);
}
Result<std::uint64_t> SimDisk::free_bytes() {
    return free_bytes_in(current_life());
}
std::string SimDisk::native_path(std::string_view) {
    return {};
}

Result<std::unique_ptr<File>> SimDisk::open_in(Life life, std::string_view path, OpenMode mode) {
    TIDAL_TRY(check_path(path, RootPath::kRefused));
    const auto lock = enter();
    TIDAL_TRY(check_alive(life, path));
    InodePtr inode;
    if (mode == OpenMode::kCreate) {
        bool perform;
        auto failed = begin(life, DiskOp::kCreate, path, &perform);
        if (perform) {
            auto created = names_->create(path);
            if (!created && !failed) return created.take_error();
            if (created) inode = *created;
        }
        if (failed) return std::move(*failed);
    } else {
        inode = names_->find(path);
        if (!inode && names_->is_folder(path))
            return Error(ErrorCode::kInvalidArgument, "open failed: not a regular file")
                .with("path", path);
        if (!inode) return Error(ErrorCode::kNotFound, "no such file").with("path", path);
    }
    return std::unique_ptr<File>(
        std::make_unique<Handle>(*this, life, std::move(inode), std::string(path), mode));
}

Result<void> SimDisk::rename_in(Life life, std::string_view from, std::string_view to) {
    TIDAL_TRY(check_path(from, RootPath::kRefused));
    TIDAL_TRY(check_path(to, RootPath::kRefused));
    const auto lock = enter();
    bool perform;
    auto failed = begin(life, DiskOp::kRename, from, &perform);
    trace_.add(to);
    Result<void> done;
    if (perform) done = names_->rename(from, to);
    if (failed) return std::move(*failed);
    return done;
}

Result<void> SimDisk::remove_in(Life life, std::string_view path) {
    TIDAL_TRY(check_path(path, RootPath::kRefused));
    const auto lock = enter();
    TIDAL_TRY(check_alive(life, path));
    // What cannot change the medium is no place to crash or fail in.
    if (!names_->find(path) && !names_->is_folder(path)) return names_->remove(path);
    bool perform;
    auto failed = begin(life, DiskOp::kRemove, path, &perform);
    Result<void> done;
    if (perform) done = names_->remove(path);
    if (failed) return std::move(*failed);
    return done;
}

Result<void> SimDisk::create_directories_in(Life life, std::string_view path) {
    TIDAL_TRY(check_path(path, RootPath::kAllowed));
    const auto lock = enter();
    TIDAL_TRY(check_alive(life, path));
    if (names_->is_folder(path)) return {};
    bool perform;
    auto failed = begin(life, DiskOp::kCreateDirectories, path, &perform);
    Result<void> done;
    if (perform) done = names_->create_folders(path);
    if (failed) return std::move(*failed);
    return done;
}

Result<void> SimDisk::sync_directory_in(Life life, std::string_view path) {
    TIDAL_TRY(check_path(path, RootPath::kAllowed));
    const auto lock = enter();
    bool perform;
    if (auto failed = begin(life, DiskOp::kSyncDirectory, path, &perform))
        return std::move(*failed);
    return names_->sync_folder(path);
}

Result<std::vector<std::string>> SimDisk::list_in(Life life, std::string_view path) {
    TIDAL_TRY(check_path(path, RootPath::kAllowed));
    const auto lock = enter();
    TIDAL_TRY(check_alive(life, path));
    return names_->list(path);
}

Result<bool> SimDisk::exists_in(Life life, std::string_view path) {
    TIDAL_TRY(check_path(path, RootPath::kAllowed));
    const auto lock = enter();
    TIDAL_TRY(check_alive(life, path));
    return names_->find(path) != nullptr || names_->is_folder(path);
}

Result<std::unique_ptr<DiskLock>> SimDisk::lock_in(Life life, std::string_view path,
                                                   AbsentLock absent) {
    TIDAL_TRY(check_path(path, RootPath::kRefused));
    const auto lock = enter();
    TIDAL_TRY(check_alive(life, path));
    if (locks_.contains(path))
        return Error(ErrorCode::kConflict, "the data directory is in use by another simulated node")
            .with("path", path);
    if (!names_->find(path)) {
        if (absent == AbsentLock::kNotFound)
            return Error(ErrorCode::kNotFound, "lock failed: no such file").with("path", path);
        TIDAL_TRY(names_->create(path));
    }
    locks_.emplace(path);
    return std::unique_ptr<DiskLock>(std::make_unique<Lock>(*this, life, std::string(path)));
}

Result<std::uint64_t> SimDisk::free_bytes_in(Life life) {
    const auto lock = enter();
    TIDAL_TRY(check_alive(life, {}));
    const auto used = names_->used_bytes();
    return used < capacity_bytes_ ? capacity_bytes_ - used : 0;
}

Result<std::size_t> SimDisk::read(Life life, SimInode& inode, const std::string& path,
                                  std::uint64_t offset, std::span<char> out) {
    const auto lock = enter();
    bool perform;
    if (auto failed = begin(life, DiskOp::kRead, path, &perform)) return std::move(*failed);
    const auto& data = inode.data();
    if (offset >= data.size()) return std::size_t{0};
    return data.copy(out.data(), out.size(), offset);
}

Result<void> SimDisk::write(Life life, SimInode& inode, const std::string& path,
                            std::uint64_t offset, std::string_view bytes) {
    const auto lock = enter();
    bool perform;
    auto failed = begin(life, DiskOp::kWrite, path, &perform);
    trace_.add(offset);
    trace_.add(bytes);
    if (failed && !perform && !dead_ && life == life_) {
        bytes = bytes.substr(0, random_.below(bytes.size() + 1));
        perform = true;
    }
    const std::uint64_t before = inode.data().size();
    const auto used = names_->used_bytes();
    const std::uint64_t room = used < capacity_bytes_ ? capacity_bytes_ - used : 0;
    const std::uint64_t end_max =
        room > std::numeric_limits<std::uint64_t>::max() - before ? ~0ULL : before + room;
    const bool fits = offset + bytes.size() <= std::max(before, end_max);
    if (!fits) bytes = bytes.substr(0, end_max > offset ? end_max - offset : 0);
    if (perform) {
        inode.write(offset, bytes);
        names_->resized(inode, before);
    }
    if (failed) return std::move(*failed);
    if (!fits)
        return Error(ErrorCode::kDiskFull, "write failed: no space left on the simulated disk")
            .with("path", path)
            .with("offset", offset);
    return {};
}

Result<void> SimDisk::sync(Life life, SimInode& inode, const std::string& path) {
    const auto lock = enter();
    bool perform;
    if (auto failed = begin(life, DiskOp::kSync, path, &perform)) {
        if (!dead_ && life == life_) inode.sync_failed();
        return std::move(*failed);
    }
    inode.synced();
    return {};
}

Result<void> SimDisk::truncate(Life life, SimInode& inode, const std::string& path,
                               std::uint64_t size) {
    const auto lock = enter();
    bool perform;
    auto failed = begin(life, DiskOp::kTruncate, path, &perform);
    trace_.add(size);
    const std::uint64_t before = inode.data().size();
    if (perform && size > before &&
        size - before > capacity_bytes_ - std::min(capacity_bytes_, names_->used_bytes()))
        return Error(ErrorCode::kDiskFull, "truncate failed: no space left on the simulated disk")
            .with("path", path);
    if (perform) {
        inode.truncate(size);
        names_->resized(inode, before);
    }
    if (failed) return std::move(*failed);
    return {};
}

Result<std::shared_ptr<const MappedFile>> SimDisk::map(Life life, SimInode& inode,
                                                       const std::string& path) {
    const auto lock = enter();
    bool perform;
    if (auto failed = begin(life, DiskOp::kRead, path, &perform)) return std::move(*failed);
    return SimMappedFile::copy_of(inode.data());
}

Result<std::uint64_t> SimDisk::size(Life life, SimInode& inode, const std::string& path) {
    const auto lock = enter();
    TIDAL_TRY(check_alive(life, path));
    return static_cast<std::uint64_t>(inode.data().size());
}

}  // namespace tidal::runtime
