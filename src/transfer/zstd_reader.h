// transfer/zstd_reader.h: unpacks a zstd stream fed in pieces of any size.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal::transfer {

/// Memory is bounded whatever the input claims: a window of at most 128 MiB, output in pieces of at
/// most 128 KiB. Several frames after one another are one stream. Not thread-safe.
class ZstdReader {
public:
    using Sink = absl::AnyInvocable<Result<void>(std::string_view)>;

    ZstdReader();
    ~ZstdReader();
    ZstdReader(const ZstdReader&) = delete;
    ZstdReader& operator=(const ZstdReader&) = delete;

    /// True for what begins like a zstd frame: tells packed files from plain ones.
    static bool is_packed(std::string_view beginning);

    /// @return kCorruption when the bytes are not zstd or their checksum fails; an error of `sink`.
    Result<void> feed(std::string_view bytes, Sink& sink);
    /// kCorruption when the stream ends within a frame.
    Result<void> finish() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace tidal::transfer
