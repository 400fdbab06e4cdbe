#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <cstdio>
#include <mutex>

#include "base/edit_distance.h"

namespace tidal {
namespace {

constexpr std::array<std::string_view, 5> kLevelNames = {"debug", "info", "warning", "error",
                                                         "off"};

bool needs_quotes(std::string_view text) {
    if (text.empty()) return true;
    for (const char c : text) {
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
    }
    return false;
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if ((c >= 0 && c < ' ') || c == 0x7f) {
            char buffer[8];
            std::snprintf(buffer, sizeof(buffer), "\\x%02x", static_cast<unsigned>(c));
            out += buffer;
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace

std::string_view log_level_name(LogLevel level) {
    return kLevelNames[static_cast<std::size_t>(level)];
}

Result<LogLevel> parse_log_level(std::string_view name) {
    for (std::size_t i = 0; i < kLevelNames.size(); ++i) {
        if (kLevelNames[i] == name) return static_cast<LogLevel>(i);
    }
    return Error(ErrorCode::kUnknownName, "unknown log level '" + std::string(name) + "'")
        .with_hint(name_hint(name, kLevelNames));
}

LogField::LogField(std::string_view key, std::string_view value) : key_(key) {
    value_ = needs_quotes(value) ? '"' + escaped(value) + '"' : std::string(value);
}

LogField::LogField(std::string_view key, bool value)
    : key_(key), value_(value ? "true" : "false") {}

LogField::LogField(std::string_view key, double value) : key_(key) {
    char buffer[40];
    std::snprintf(buffer, sizeof(buffer), "%.6g", value);
    value_ = buffer;
}

class Logger::Sink {
public:
    explicit Sink(LogLevel level) : level_(level) {}
    virtual ~Sink() = default;
    virtual void write(LogLevel level, std::string_view line) = 0;
    virtual void flush() {}
    const LogLevel level_;
};

class Logger::StderrSink final : public Logger::Sink {
public:
    explicit StderrSink(LogLevel level)
        : Sink(level), spdlog_("", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
        spdlog_.set_level(spdlog::level::trace);
        spdlog_.set_formatter(std::make_unique<spdlog::pattern_formatter>(
            "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
        spdlog_.flush_on(spdlog::level::warn);
    }
    void write(LogLevel level, std::string_view line) override {
        constexpr std::array<spdlog::level::level_enum, 5> kLevels = {
            spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err,
            spdlog::level::off};
        spdlog_.log(kLevels[static_cast<std::size_t>(level)],
                    spdlog::string_view_t(line.data(), line.size()));
    }
    void flush() override { spdlog_.flush(); }

private:
    spdlog::logger spdlog_;
};

class Logger::CallbackSink final : public Logger::Sink {
public:
    CallbackSink(LogLevel level, Callback callback) : Sink(level), callback_(std::move(callback)) {}
    void write(LogLevel level, std::string_view line) override {
        const std::lock_guard lock(mutex_);
        callback_(level, line);
    }

private:
    std::mutex mutex_;
    Callback callback_;
};

Logger Logger::to_stderr(LogLevel level) {
    return Logger(std::make_shared<StderrSink>(level));
}

Logger Logger::to_callback(LogLevel level, Callback callback) {
    return Logger(std::make_shared<CallbackSink>(level, std::move(callback)));
}

Logger Logger::named(std::string_view name) const {
    Logger out = *this;
    out.name_ = name;
    return out;
}

bool Logger::enabled(LogLevel level) const {
    return sink_ != nullptr && level >= sink_->level_ && level != LogLevel::kOff;
}

void Logger::write(LogLevel level, std::string_view message, Fields fields) const {
    if (!enabled(level)) return;
    std::string line = name_.empty() ? "" : name_ + ": ";
    line += escaped(message);
    for (const auto& field : fields) {
        line += ' ';
        line += field.key();
        line += '=';
        line += field.value();
    }
    sink_->write(level, line);
}

void Logger::debug(std::string_view message, Fields fields) const {
    write(LogLevel::kDebug, message, fields);
}
void Logger::info(std::string_view message, Fields fields) const {
    write(LogLevel::kInfo, message, fields);
}
void Logger::warning(std::string_view message, Fields fields) const {
    write(LogLevel::kWarning, message, fields);
}
void Logger::error(std::string_view message, Fields fields) const {
    write(LogLevel::kError, message, fields);
}

void Logger::error(std::string_view message, const Error& cause) const {
    write(LogLevel::kError, std::string(message) + ": " + cause.to_string(),
          {{"code", cause.reason()}});
}

void Logger::flush() const {
    if (sink_ != nullptr) sink_->flush();
}

}  // namespace tidal
