// transfer/tar_reader.h: the files of a tar archive, fed in pieces of any size.
//
// Source: POSIX.1-1988 ustar headers, with GNU's base-256 sizes; `tar -c` of any system writes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal::transfer {

/// Folders are skipped; names lose their folders. Memory: one header. Not thread-safe.
class TarReader {
public:
    /// Views are valid during the call. An error ends the reading and is handed on.
    class Handler {
    public:
        virtual ~Handler() = default;
        virtual Result<void> on_file(std::string_view name, std::uint64_t bytes) = 0;
        virtual Result<void> on_bytes(std::string_view bytes) = 0;
        virtual Result<void> on_file_end() = 0;
    };
    static constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 50;

    explicit TarReader(Handler& handler) : handler_(handler) {}

    /// kInvalidArgument with the offset: not a tar archive, a damaged header, a link, a name or a
    /// size that only an extended header gives. After an error nothing more is read.
    Result<void> feed(std::string_view bytes);
    /// kInvalidArgument when a file is cut off. The two empty blocks at the end may be missing.
    Result<void> finish();

private:
    enum class State : std::uint8_t { kHeader, kFile, kSkip, kPadding, kEnd };

    Result<void> read_header();
    Result<void> end_of_file();
    Error damaged(const char* what) const;

    Handler& handler_;
    State state_ = State::kHeader;
    std::string header_;      ///< Gathered so far.
    std::uint64_t left_ = 0;  ///< Of the file, the skipped entry or the padding.
    std::uint64_t padding_ = 0;
    std::uint64_t offset_ = 0;  ///< Bytes taken.
};

}  // namespace tidal::transfer
