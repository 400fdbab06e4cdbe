// storage/internal/simple_log.h: the two files of the simulation's row engine
// (docs/formats/rows.md).
#pragma once

#include <absl/functional/function_ref.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/codec.h"
#include "runtime/disk.h"

namespace tidal::storage::internal {

/// CURRENT.
struct SimpleLogHead {
    std::uint32_t number = 0;  ///< Of the log; first is 1.
    std::uint64_t bytes = 0;   ///< Of the log that count.
};
std::string encode_simple_head(const SimpleLogHead& head);
Result<SimpleLogHead> decode_simple_head(std::string_view bytes);

/// "rows-0000000001.log".
std::string simple_log_name(std::uint32_t number);
/// 0 when it is no such name.
std::uint32_t parse_simple_log_name(std::string_view name);

/// The first bytes of a log.
std::string simple_log_magic();

/// One batch: u64 payload bytes, u32 CRC-32C of the payload, payload.
class SimpleFrame {
public:
    void add(std::string_view key, std::optional<std::string_view> value);
    std::string finish();

private:
    Encoder payload_;
};

using SimpleVisitor =
    absl::FunctionRef<void(std::string_view key, std::optional<std::string_view> value)>;

/// Every change of a log in order. kCorruption names `path` and the offset.
Result<void> read_simple_log(runtime::File& file, std::string_view path, const SimpleLogHead& head,
                             SimpleVisitor visitor);
/// The same for bytes in memory.
Result<void> decode_simple_log(std::string_view bytes, SimpleVisitor visitor);

}  // namespace tidal::storage::internal
