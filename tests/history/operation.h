// tests/history/operation.h: what clients asked of a database, and what they were answered.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace tidal::history {

/// The first three are of a register, the others of a counter; a key is one or the other.
enum class Kind : std::uint8_t {
    kWrite,          ///< The register becomes `value`.
    kRead,           ///< The register was `value`, or did not exist.
    kCompareAndSet,  ///< The register becomes `value` if its version is `expected`.
    kAdd,            ///< The counter grows by 1, once, however often it was sent.
    kTotal,          ///< The counter was `total`.
};

enum class Outcome : std::uint8_t {
    kOk,
    kMismatch,  ///< Of a compare-and-set: the version was another; nothing changed.
    kRefused,   ///< The answer promises that nothing changed, now or later.
    kUnknown,   ///< No answer, or one that promises nothing: it may take effect at any later time.
};

inline constexpr std::int64_t kNeverNs = std::numeric_limits<std::int64_t>::max();

/// One operation of one client. Times are of one monotonic clock for the whole history.
struct Operation {
    std::uint32_t client = 0;
    std::string key;
    Kind kind = Kind::kRead;
    std::int64_t start_ns = 0;
    /// Not before start_ns. kNeverNs while nobody knows whether it is over: every kUnknown.
    std::int64_t end_ns = kNeverNs;
    Outcome outcome = Outcome::kUnknown;
    /// Written or read; a read without one found nothing. A key's writes have values of their own.
    std::optional<std::string> value;
    std::string expected;     ///< Of a compare-and-set: a version that some answer gave.
    std::string version;      ///< Of the value, where the answer gave one; else empty.
    std::uint64_t total = 0;  ///< Of kTotal.
    std::string node;         ///< Who answered last, for people; may be empty.
};

using History = std::vector<Operation>;

inline bool is_counter(Kind kind) {
    return kind == Kind::kAdd || kind == Kind::kTotal;
}
inline bool changes(Kind kind) {
    return kind == Kind::kWrite || kind == Kind::kCompareAndSet || kind == Kind::kAdd;
}

}  // namespace tidal::history
