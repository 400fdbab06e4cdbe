#include "runtime/internal/posix_error.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

namespace tidal::runtime::internal {

namespace {

ErrorCode code_of(int error_number) {
    switch (error_number) {
        case ENOENT:
        case ENOTDIR:
            return ErrorCode::kNotFound;
        case ENOSPC:
        case EDQUOT:
            return ErrorCode::kDiskFull;
        case EEXIST:
        case ENOTEMPTY:
            return ErrorCode::kConflict;
        case EISDIR:
            return ErrorCode::kInvalidArgument;
        default:
            return ErrorCode::kIo;
    }
}

std::string_view hint_of(int error_number) {
    switch (error_number) {
        case ENOSPC:
            return "free space on the file system of the data directory";
        case EDQUOT:
            return "the disk quota is used up; raise it or free space";
        case EROFS:
            return "the file system is mounted read-only; remount it read-write";
        case EACCES:
        case EPERM:
            return "give the server's user read and write access to the data directory";
        case EMFILE:
            return "too many open files in this process; raise its limit (ulimit -n)";
        case ENFILE:
            return "too many open files on this machine; raise fs.file-max";
        case EIO:
            return "the device reports an error; look at the kernel log";
        default:
            return {};
    }
}

}  // namespace

Error posix_error(int error_number, std::string_view operation, std::string_view path) {
    std::string message(operation);
    message += " failed: ";
    message += std::generic_category().message(error_number);
    auto error = Error(code_of(error_number), std::move(message))
                     .with("path", path)
                     .with("errno", static_cast<std::uint64_t>(error_number));
    if (const auto hint = hint_of(error_number); !hint.empty())
        return std::move(error).with_hint(hint);
    return error;
}

}  // namespace tidal::runtime::internal
