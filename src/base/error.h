// base/error.h: what went wrong, where, and what would be right.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
class [[nodiscard]] Error {
public:
    Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

    ErrorCode code() const { return code_; }
    const std::string& message() const { return message_; }
    /// The request field at fault ("metadata.year"), or empty.
    const std::string& field() const { return field_; }
    /// What would have been right, or empty.
    const std::string& hint() const { return hint_; }
    /// A finer stable code for problem+json ("unknown_signal"); the code's name when not set.
    std::string_view reason() const { return reason_.empty() ? error_info(code_).name : reason_; }
    /// Byte offset, line or other place in the input, as context pairs.
    std::span<const std::pair<std::string, std::string>> context() const { return context_; }

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
    ErrorCode code_;
    std::string message_;
    std::string field_;
    std::string hint_;
    std::string reason_;
    std::vector<std::pair<std::string, std::string>> context_;
};

}  // namespace tidal
