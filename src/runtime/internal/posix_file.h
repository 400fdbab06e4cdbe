// runtime/internal/posix_file.h: File over a descriptor.
#pragma once

#include <string>

#include "runtime/disk.h"
#include "runtime/internal/unique_fd.h"

namespace tidal::runtime::internal {

class PosixFile final : public File {
public:
    PosixFile(UniqueFd fd, std::string path, OpenMode mode);
    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override;
    Result<void> write_at(std::uint64_t offset, std::string_view bytes) override;
    Result<void> sync() override;
    Result<std::uint64_t> size() override;
    Result<void> truncate(std::uint64_t size) override;
    Result<std::shared_ptr<const MappedFile>> map() override;

private:
    Result<void> check_writable() const;

    const UniqueFd fd_;
    const std::string path_;  ///< For messages.
    const bool writable_;
};

}  // namespace tidal::runtime::internal
