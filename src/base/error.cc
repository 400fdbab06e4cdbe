#include "base/error.h"

#include <array>
#include <cassert>
#include <vector>

namespace tidal {
namespace {

constexpr std::array<ErrorInfo, 20> kErrorTable{{
    {ErrorCode::kInvalidArgument, "invalid_argument", "fix the request", 400, "22023"},
    {ErrorCode::kUnknownName, "unknown_name", "use a declared name", 400, "42704"},
    {ErrorCode::kNotFound, "not_found", "create it first", 404, "02000"},
    {ErrorCode::kConflict, "conflict", "read again, then retry", 409, "40001"},
    {ErrorCode::kIdempotencyMismatch, "idempotency_key_reused", "use a new key", 422, "22023"},
    {ErrorCode::kPreconditionFailed, "precondition_failed", "read again, then retry", 412, "40001"},
    {ErrorCode::kTooLarge, "too_large", "send less at once", 413, "54000"},
    {ErrorCode::kUnsupportedMedia, "unsupported_media_type", "send application/json", 415, "22023"},
    {ErrorCode::kForbidden, "forbidden", "ask for the right", 403, "42501"},
    {ErrorCode::kUnauthenticated, "unauthenticated", "authenticate", 401, "28000"},
    {ErrorCode::kOverloaded, "overloaded", "retry this call later", 429, "53000"},
    {ErrorCode::kUnavailable, "unavailable", "retry here or on another node", 503, "57P03"},
    {ErrorCode::kDiskFull, "disk_full", "free space, then retry", 503, "53100"},
    {ErrorCode::kTimeout, "timeout", "retry with an idempotency key", 504, "57014"},
    {ErrorCode::kGone, "gone", "start again from the first page", 410, "24000"},
    {ErrorCode::kUnsupported, "unsupported", "see the documentation", 501, "0A000"},
    {ErrorCode::kCorruption, "corruption", "stop using this replica", 500, "XX001"},
    {ErrorCode::kIncompatible, "incompatible", "use the matching version or directory", 409,
     "55000"},
    {ErrorCode::kIo, "io_error", "see the server's log", 500, "58030"},
    {ErrorCode::kInternal, "internal", "report it with the server's log", 500, "XX000"},
}};

}  // namespace

std::span<const ErrorInfo> error_table() {
    return kErrorTable;
}

const ErrorInfo& error_info(ErrorCode code) {
    const auto& info = kErrorTable[static_cast<std::size_t>(code)];
    assert(info.code == code);
    return info;
}

struct Error::Facts {
    ErrorCode code = ErrorCode::kInternal;
    std::string message, field, hint, reason;
    std::vector<std::pair<std::string, std::string>> context;

    /// Of an error that was moved from: nothing.
    static const Facts& of(const std::unique_ptr<Facts>& facts) {
        static const Facts kNone{};
        return facts ? *facts : kNone;
    }
};

Error::Error(ErrorCode code, std::string message)
    : facts_(new Facts{code, std::move(message), {}, {}, {}, {}}) {}
Error::Error(const Error& other) : facts_(other.facts_ ? new Facts(*other.facts_) : nullptr) {}
Error::Error(Error&& other) noexcept = default;
Error& Error::operator=(const Error& other) {
    if (this != &other) *this = Error(other);
    return *this;
}
Error& Error::operator=(Error&& other) noexcept = default;
Error::~Error() = default;

ErrorCode Error::code() const {
    return Facts::of(facts_).code;
}
const std::string& Error::message() const {
    return Facts::of(facts_).message;
}
const std::string& Error::field() const {
    return Facts::of(facts_).field;
}
const std::string& Error::hint() const {
    return Facts::of(facts_).hint;
}
std::string_view Error::reason() const {
    return Facts::of(facts_).reason.empty() ? error_info(code()).name : Facts::of(facts_).reason;
}
std::span<const std::pair<std::string, std::string>> Error::context() const {
    return Facts::of(facts_).context;
}

Error& Error::with(std::string_view key, std::string_view value) & {
    assert(facts_);
    facts_->context.emplace_back(key, value);
    return *this;
}

Error& Error::with(std::string_view key, std::uint64_t value) & {
    return with(key, std::to_string(value));
}

Error&& Error::with(std::string_view key, std::string_view value) && {
    return std::move(with(key, value));
}

Error&& Error::with(std::string_view key, std::uint64_t value) && {
    return std::move(with(key, value));
}

Error&& Error::with_field(std::string_view field) && {
    assert(facts_);
    facts_->field = field;
    return std::move(*this);
}

Error&& Error::with_hint(std::string_view hint) && {
    assert(facts_);
    facts_->hint = hint;
    return std::move(*this);
}

Error&& Error::with_reason(std::string_view reason) && {
    assert(facts_);
    facts_->reason = reason;
    return std::move(*this);
}

std::string Error::to_string() const {
    std::string out = message();
    if (!field().empty()) out += " (field " + field() + ")";
    for (const auto& [key, value] : context()) out += ", " + key + "=" + value;
    if (!hint().empty()) out += "; " + hint();
    return out;
}

}  // namespace tidal
