#include "runtime/internal/posix_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/internal/posix_error.h"

namespace tidal::runtime::internal {
namespace {

class PosixMappedFile final : public MappedFile {
public:
    PosixMappedFile(void* at, std::size_t size)
        : MappedFile({static_cast<const char*>(at), size}), at_(at) {}
    ~PosixMappedFile() override {
        if (at_ != nullptr) ::munmap(at_, bytes().size());
    }
    void leave(std::size_t from, std::size_t size) const override {
        const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        const std::size_t begin = from / page * page;
        const std::size_t end = std::min(from + size, bytes().size());
        // The file has what is read again. Failing is fine.
        if (begin < end) ::madvise(static_cast<char*>(at_) + begin, end - begin, MADV_DONTNEED);
    }

private:
    void* const at_;
};

}  // namespace

PosixFile::PosixFile(UniqueFd fd, std::string path, OpenMode mode)
    : fd_(std::move(fd)), path_(std::move(path)), writable_(mode != OpenMode::kRead) {}

Result<std::size_t> PosixFile::read_at(std::uint64_t offset, std::span<char> out) {
    std::size_t done = 0;
    while (done < out.size()) {
        const auto got = ::pread(fd_.get(), out.data() + done, out.size() - done,
                                 static_cast<off_t>(offset + done));
        if (got == 0) break;
        if (got < 0) {
            if (errno == EINTR) continue;
            return posix_error(errno, "read", path_).with("offset", offset + done);
        }
        done += static_cast<std::size_t>(got);
    }
    return done;
}

Result<void> PosixFile::write_at(std::uint64_t offset, std::string_view bytes) {
    TIDAL_TRY(check_writable());
    std::size_t done = 0;
    while (done < bytes.size()) {
        const auto put = ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                                  static_cast<off_t>(offset + done));
        if (put < 0) {
            if (errno == EINTR) continue;
            return posix_error(errno, "write", path_).with("offset", offset + done);
        }
        done += static_cast<std::size_t>(put);
    }
    return {};
}

Result<void> PosixFile::sync() {
    // Not repeated on EINTR or anything else: after a failed fsync the kernel may have dropped the
    // dirty pages and call the next one a success (Rebello et al., USENIX ATC 2020).
    if (::fdatasync(fd_.get()) != 0) return posix_error(errno, "fdatasync", path_);
    return {};
}

Result<std::uint64_t> PosixFile::size() {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) return posix_error(errno, "stat", path_);
    return static_cast<std::uint64_t>(status.st_size);
}

Result<void> PosixFile::truncate(std::uint64_t size) {
    TIDAL_TRY(check_writable());
    while (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) {
        if (errno == EINTR) continue;
        return posix_error(errno, "truncate", path_).with("size", size);
    }
    return {};
}

Result<std::shared_ptr<const MappedFile>> PosixFile::map() {
    TIDAL_ASSIGN(const std::uint64_t bytes, size());
    void* at = nullptr;
    if (bytes > 0) {
        at = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd_.get(), 0);
        if (at == MAP_FAILED) return posix_error(errno, "map", path_).with("size", bytes);
    }
    return std::shared_ptr<const MappedFile>(std::make_shared<PosixMappedFile>(at, bytes));
}

Result<void> PosixFile::check_writable() const {
    if (writable_) return {};
    return Error(ErrorCode::kInvalidArgument, "write to a file opened for reading")
        .with("path", path_);
}

}  // namespace tidal::runtime::internal
