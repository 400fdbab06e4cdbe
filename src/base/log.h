// base/log.h: what operators read. One line per event: message, then key=value pairs.
//
// A Logger is a small value handed in by constructor; there is no global one. A default-constructed
// Logger drops everything. Time stamps are added by the real sink, never by the caller, so that
// simulated runs stay reproducible. Never log secrets: keys, tokens, request bodies.
#pragma once

#include <concepts>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kOff };

/// debug, info, warning, error, off.
std::string_view log_level_name(LogLevel level);
/// kUnknownName, naming the nearest, for anything else.
Result<LogLevel> parse_log_level(std::string_view name);

/// One key=value pair. Text with spaces, quotes, '=' or control characters is quoted and escaped,
/// so that no value can forge another pair or line.
class LogField {
public:
    LogField(std::string_view key, std::string_view value);
    LogField(std::string_view key, const char* value) : LogField(key, std::string_view(value)) {}
    LogField(std::string_view key, bool value);
    LogField(std::string_view key, double value);
    template <std::integral Number>
    LogField(std::string_view key, Number value) : key_(key), value_(std::to_string(value)) {}

    std::string_view key() const { return key_; }
    std::string_view value() const { return value_; }  ///< As printed.

private:
    std::string_view key_;
    std::string value_;
};

/// Threads: any; lines do not interleave. Copies share the sink and its level.
class Logger {
public:
    using Fields = std::initializer_list<LogField>;
    /// Receives each line at or above the level, without time: (level, "wal: message key=value").
    using Callback = std::function<void(LogLevel, std::string_view)>;

    Logger() = default;
    /// Lines with UTC times to standard error.
    static Logger to_stderr(LogLevel level);
    /// For tests and the simulator. `callback` may be called from any thread, one at a time.
    static Logger to_callback(LogLevel level, Callback callback);

    /// The same sink for one module: lines begin with "name: ".
    Logger named(std::string_view name) const;
    bool enabled(LogLevel level) const;

    void debug(std::string_view message, Fields fields = {}) const;
    void info(std::string_view message, Fields fields = {}) const;
    void warning(std::string_view message, Fields fields = {}) const;
    void error(std::string_view message, Fields fields = {}) const;
    /// At kError: "message: what the Error says code=...".
    void error(std::string_view message, const Error& cause) const;
    /// Returns once every line so far is written.
    void flush() const;

private:
    class Sink;
    class StderrSink;
    class CallbackSink;
    explicit Logger(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}
    void write(LogLevel level, std::string_view message, Fields fields) const;

    std::shared_ptr<Sink> sink_;
    std::string name_;
};

}  // namespace tidal
