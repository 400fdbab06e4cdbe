#include "runtime/internal/path.h"

#include <string>

namespace tidal::runtime::internal {

namespace {

Error bad_path(std::string_view path, std::string_view what) {
    return Error(ErrorCode::kInvalidArgument, "path of a file: " + std::string(what))
        .with("path", path)
        .with_hint("paths are relative to the data directory, such as wal/00000001.log");
}

}  // namespace

Result<void> check_path(std::string_view path, RootPath root) {
    if (path.empty()) {
        if (root == RootPath::kAllowed) return {};
        return bad_path(path, "empty");
    }
    if (path.find('\0') != std::string_view::npos) return bad_path(path, "has a NUL byte");
    if (path.size() > 3000) return bad_path(path.substr(0, 100), "longer than 3000 bytes");
    if (path.front() == '/') return bad_path(path, "absolute");
    std::size_t begin = 0;
    while (begin <= path.size()) {
        const auto end = std::min(path.find('/', begin), path.size());
        const auto part = path.substr(begin, end - begin);
        if (part.empty()) return bad_path(path, "has an empty part");
        if (part == "." || part == "..") return bad_path(path, "has a part . or ..");
        if (part.size() > 255) return bad_path(path, "has a part longer than 255 bytes");
        begin = end + 1;
    }
    return {};
}

std::string_view folder_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

}  // namespace tidal::runtime::internal
