#include "runtime/internal/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "runtime/internal/path.h"
#include "runtime/internal/posix_error.h"
#include "runtime/internal/posix_file.h"

namespace tidal::runtime::internal {

namespace {

constexpr mode_t kFileMode = 0640;
constexpr mode_t kFolderMode = 0750;

int open_flags(OpenMode mode) {
    switch (mode) {
        case OpenMode::kRead:
            return O_RDONLY;
        case OpenMode::kReadWrite:
            return O_RDWR;
        case OpenMode::kCreate:
            return O_RDWR | O_CREAT | O_EXCL;
    }
    std::abort();
}

/// openat, repeated when a signal came first.
UniqueFd open_at(int folder, const char* path, int flags) {
    int fd = -1;
    do {
        fd = ::openat(folder, path, flags | O_CLOEXEC, kFileMode);
    } while (fd < 0 && errno == EINTR);
    return UniqueFd(fd);
}

class PosixLock final : public DiskLock {
public:
    explicit PosixLock(UniqueFd fd) : fd_(std::move(fd)) {}

private:
    const UniqueFd fd_;  ///< Closing it gives the flock back, also when the process dies.
};

Error lock_taken(int fd, std::string_view path) {
    char text[32] = {};
    const auto size = ::pread(fd, text, sizeof(text) - 1, 0);
    auto error = Error(ErrorCode::kConflict, "the data directory is in use by another process")
                     .with("path", path);
    const auto pid = size > 0 ? std::strtoull(text, nullptr, 10) : 0;
    // Who locks to read writes no pid: it may be that of a server that ended.
    if (pid != 0 && (::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM))
        std::move(error).with("pid", pid);
    return std::move(error).with_hint(
        "stop the other server, or give this one its own data directory");
}

class PosixDisk final : public Disk {
public:
    PosixDisk(UniqueFd root, std::string root_path)
        : root_(std::move(root)), root_path_(std::move(root_path)) {}

    Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) override {
        TIDAL_TRY(check_path(path, RootPath::kRefused));
        std::string name(path);
        auto fd = open_at(root_.get(), name.c_str(), open_flags(mode));
        if (!fd.valid()) return posix_error(errno, "open", path);
        struct stat status {};
        if (::fstat(fd.get(), &status) != 0) return posix_error(errno, "stat", path);
        if (!S_ISREG(status.st_mode))
            return Error(ErrorCode::kInvalidArgument, "open failed: not a regular file")
                .with("path", path);
        return std::unique_ptr<File>(
            std::make_unique<PosixFile>(std::move(fd), std::move(name), mode));
    }

    Result<void> rename(std::string_view from, std::string_view to) override {
        TIDAL_TRY(check_path(from, RootPath::kRefused));
        TIDAL_TRY(check_path(to, RootPath::kRefused));
        if (::renameat(root_.get(), std::string(from).c_str(), root_.get(),
                       std::string(to).c_str()) != 0)
            return posix_error(errno, "rename", from).with("to", to);
        return {};
    }

    Result<void> remove(std::string_view path) override {
        TIDAL_TRY(check_path(path, RootPath::kRefused));
        const std::string name(path);
        if (::unlinkat(root_.get(), name.c_str(), 0) == 0) return {};
        if (errno != EISDIR) return posix_error(errno, "remove", path);
        if (::unlinkat(root_.get(), name.c_str(), AT_REMOVEDIR) == 0) return {};
        return posix_error(errno, "remove", path);
    }

    Result<void> create_directories(std::string_view path) override {
        TIDAL_TRY(check_path(path, RootPath::kAllowed));
        std::size_t end = 0;
        while (end < path.size()) {
            end = std::min(path.find('/', end + 1), path.size());
            TIDAL_TRY(create_directory(path.substr(0, end)));
        }
        return {};
    }

    Result<void> sync_directory(std::string_view path) override {
        TIDAL_ASSIGN(const auto folder, open_folder(path));
        if (::fsync(folder.get()) != 0) return posix_error(errno, "fsync of a folder", path);
        return {};
    }

    Result<std::vector<std::string>> list(std::string_view path) override {
        TIDAL_ASSIGN(const auto folder, open_folder(path));
        // fdopendir takes the descriptor over, so it gets one of its own.
        const int fd = ::fcntl(folder.get(), F_DUPFD_CLOEXEC, 0);
        if (fd < 0) return posix_error(errno, "list", path);
        DIR* stream = ::fdopendir(fd);
        if (stream == nullptr) {
            const int error_number = errno;
            ::close(fd);
            return posix_error(error_number, "list", path);
        }
        std::vector<std::string> names;
        errno = 0;
        while (const dirent* entry = ::readdir(stream)) {
            const std::string_view name = entry->d_name;
            if (name != "." && name != "..") names.emplace_back(name);
        }
        const int error_number = errno;
        ::closedir(stream);
        if (error_number != 0) return posix_error(error_number, "list", path);
        std::sort(names.begin(), names.end());
        return names;
    }

    Result<bool> exists(std::string_view path) override {
        TIDAL_TRY(check_path(path, RootPath::kAllowed));
        if (path.empty()) return true;
        struct stat status {};
        if (::fstatat(root_.get(), std::string(path).c_str(), &status, 0) == 0) return true;
        if (errno == ENOENT || errno == ENOTDIR) return false;
        return posix_error(errno, "stat", path);
    }

    Result<std::unique_ptr<DiskLock>> lock(std::string_view path) override {
        TIDAL_ASSIGN(auto fd, open_and_lock(path, O_RDWR | O_CREAT));
        // The pid only serves the message of a second process: a full disk does not prevent the
        // start.
        const std::string pid = std::to_string(::getpid()) + "\n";
        if (::ftruncate(fd.get(), 0) == 0 && ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0 &&
            errno != ENOSPC && errno != EDQUOT)
            return posix_error(errno, "lock", path);
        return std::unique_ptr<DiskLock>(std::make_unique<PosixLock>(std::move(fd)));
    }

    Result<std::unique_ptr<DiskLock>> lock_to_read(std::string_view path) override {
        TIDAL_ASSIGN(auto fd, open_and_lock(path, O_RDONLY));
        return std::unique_ptr<DiskLock>(std::make_unique<PosixLock>(std::move(fd)));
    }

    Result<std::uint64_t> free_bytes() override {
        struct statvfs status {};
        if (::fstatvfs(root_.get(), &status) != 0) return posix_error(errno, "statvfs", root_path_);
        return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
    }

    std::string native_path(std::string_view path) override {
        return path.empty() ? root_path_ : root_path_ + "/" + std::string(path);
    }

private:
    Result<UniqueFd> open_and_lock(std::string_view path, int flags) {
        TIDAL_TRY(check_path(path, RootPath::kRefused));
        auto fd = open_at(root_.get(), std::string(path).c_str(), flags);
        if (!fd.valid()) return posix_error(errno, "lock", path);
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
        if (errno == EWOULDBLOCK) return lock_taken(fd.get(), path);
        return posix_error(errno, "lock", path);
    }

    Result<UniqueFd> open_folder(std::string_view path) {
        TIDAL_TRY(check_path(path, RootPath::kAllowed));
        const std::string name = path.empty() ? "." : std::string(path);
        auto fd = open_at(root_.get(), name.c_str(), O_RDONLY | O_DIRECTORY);
        if (!fd.valid()) return posix_error(errno, "open a folder", path);
        return fd;
    }

    Result<void> create_directory(std::string_view path) {
        const std::string name(path);
        if (::mkdirat(root_.get(), name.c_str(), kFolderMode) == 0)
            return sync_directory(folder_of(path));
        const int error_number = errno;
        struct stat status {};
        if (error_number == EEXIST && ::fstatat(root_.get(), name.c_str(), &status, 0) == 0 &&
            S_ISDIR(status.st_mode))
            return {};
        return posix_error(error_number, "create a folder", path);
    }

    const UniqueFd root_;
    const std::string root_path_;
};

/// mkdir -p of the root, which is not under any Disk's path rules.
Result<void> make_root(const std::string& root) {
    for (std::size_t end = 0; end != std::string::npos;) {
        end = root.find('/', end + 1);
        const auto part = root.substr(0, end);
        if (part.empty() || ::mkdir(part.c_str(), kFolderMode) == 0 || errno == EEXIST) continue;
        // A read-only parent is no obstacle while the folder below it exists.
        struct stat status {};
        const int error_number = errno;
        if (::stat(part.c_str(), &status) != 0)
            return posix_error(error_number, "create the data directory", root);
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<Disk>> make_posix_disk(const std::string& root) {
    if (root.empty()) return Error(ErrorCode::kInvalidArgument, "the data directory has no name");
    TIDAL_TRY(make_root(root));
    UniqueFd fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) return posix_error(errno, "open the data directory", root);
    // Absolute, so that a library that opens files itself survives a change of the working
    // directory.
    std::string absolute = root;
    if (char* resolved = ::realpath(root.c_str(), nullptr)) {
        absolute = resolved;
        std::free(resolved);
    }
    return std::unique_ptr<Disk>(std::make_unique<PosixDisk>(std::move(fd), std::move(absolute)));
}

}  // namespace tidal::runtime::internal
