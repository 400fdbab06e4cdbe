// base/error.h: what went wrong, where, and what would be right.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace tidal {

/// What the caller can do about an error. A code exists only where some caller reacts to it
/// differently; everything else is message text.
enum class ErrorCode : std::uint8_t {
    kInvalidArgument,      ///< The request is wrong: fix it.
    kUnknownName,          ///< A field, signal, profile or option nobody declared.
    kNotFound,             ///< The entity or key named does not exist.
    kConflict,             ///< State changed underneath: read again, then retry.
    kIdempotencyMismatch,  ///< The same idempotency key was used with another body.
    kPreconditionFailed,   ///< If-Match did not match.
    kTooLarge,             ///< Body, line, header or value above its limit.
    kUnsupportedMedia,     ///< Content type not accepted here.
    kForbidden,            ///< The caller may not do this.
    kUnauthenticated,      ///< The caller did not say who they are.
    kOverloaded,           ///< Retry this call later.
    kUnavailable,          ///< This node cannot serve it now; retry here or elsewhere.
    kDiskFull,             ///< No space left; retry once there is.
    kTimeout,              ///< Deadline passed; a write may survive.
    kGone,                 ///< The cursor or position named is no longer kept.
    kUnsupported,          ///< Understood, but not in this mode or version.
    kCorruption,           ///< Bytes on disk or wire are damaged: stop using them.
    kIncompatible,         ///< Another format, identity or schema.
    kIo,                   ///< The operating system refused.
    kInternal,             ///< A broken belief of our own.
};

struct ErrorInfo {
    ErrorCode code;
    std::string_view name;    ///< Stable, in problem+json `code`.
    std::string_view advice;  ///< What the caller can do.
    std::uint16_t http_status;
    std::string_view sqlstate;  ///< Five characters.
};

/// The one table from codes to what doors say.
std::span<const ErrorInfo> error_table();
const ErrorInfo& error_info(ErrorCode code);

/// An error travels up unchanged but for added context; `code` decides what the caller does.
///
/// One pointer, and marked as rare: what succeeds carries no room for it, and the code that makes,
/// moves and destroys one lies apart from the code that runs. Moved from, it reads as kInternal
/// without any text; it can be copied and assigned to, but nothing can be added to it.
class [[nodiscard]] Error {
public:
    [[gnu::cold]] Error(ErrorCode code, std::string message);
    [[gnu::cold]] Error(const Error& other);
    [[gnu::cold]] Error(Error&& other) noexcept;
    [[gnu::cold]] Error& operator=(const Error& other);
    [[gnu::cold]] Error& operator=(Error&& other) noexcept;
    [[gnu::cold]] ~Error();

    ErrorCode code() const;
    const std::string& message() const;
    /// The request field at fault ("metadata.year"), or empty.
    const std::string& field() const;
    /// What would have been right, or empty.
    const std::string& hint() const;
    /// A finer stable code for problem+json ("unknown_signal"); the code's name when not set.
    std::string_view reason() const;
    /// Byte offset, line or other place in the input, as context pairs.
    std::span<const std::pair<std::string, std::string>> context() const;

    Error&& with(std::string_view key, std::string_view value) &&;
    Error&& with(std::string_view key, std::uint64_t value) &&;
    Error&& with_field(std::string_view field) &&;
    Error&& with_hint(std::string_view hint) &&;
    Error&& with_reason(std::string_view reason) &&;
    /// For an error that has a name; the others begin at a temporary.
    Error& with(std::string_view key, std::string_view value) &;
    Error& with(std::string_view key, std::uint64_t value) &;

    /// One line: message, context, hint.
    std::string to_string() const;

private:
    struct Facts;
    std::unique_ptr<Facts> facts_;  ///< nullptr = moved from.
};

}  // namespace tidal
