// base/result.h: a value or an Error, never both, never silently dropped.
#pragma once

#include <cassert>
#include <optional>
#include <utility>
#include <variant>

#include "base/error.h"

namespace tidal {

template <typename T>
class [[nodiscard]] Result {
public:
    using value_type = T;

    Result(const T& value) : state_(std::in_place_index<0>, value) {}          // NOLINT: implicit
    Result(T&& value) : state_(std::in_place_index<0>, std::move(value)) {}    // NOLINT: implicit
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    T& value() & { return checked(); }
    const T& value() const& { return const_cast<Result*>(this)->checked(); }
    T&& value() && { return std::move(checked()); }
    T* operator->() { return &checked(); }
    const T* operator->() const { return &value(); }
    T& operator*() & { return checked(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(checked()); }

    const Error& error() const {
        assert(!ok());
        return std::get<1>(state_);
    }
    Error&& take_error() {
        assert(!ok());
        return std::move(std::get<1>(state_));
    }

private:
    T& checked() {
        assert(ok());
        return std::get<0>(state_);
    }
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    using value_type = void;

    Result() = default;
    Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

    bool ok() const { return !error_; }
    explicit operator bool() const { return ok(); }
    const Error& error() const {
        assert(!ok());
        return *error_;
    }
    Error&& take_error() {
        assert(!ok());
        return std::move(*error_);
    }

private:
    std::optional<Error> error_;
};

}  // namespace tidal

/// Returns the error of `expr` from the enclosing function, if there is one.
#define TIDAL_TRY(expr)                                                          \
    do {                                                                         \
        if (auto tidal_try_result = (expr); !tidal_try_result.ok()) [[unlikely]] \
            return tidal_try_result.take_error();                                \
    } while (false)

#define TIDAL_CONCAT_INNER(a, b) a##b
#define TIDAL_CONCAT(a, b) TIDAL_CONCAT_INNER(a, b)

/// TIDAL_ASSIGN(auto x, f()): x = value of f(), or returns its error.
#define TIDAL_ASSIGN(declaration, expr) \
    TIDAL_ASSIGN_INNER(TIDAL_CONCAT(tidal_assign_, __LINE__), declaration, expr)
#define TIDAL_ASSIGN_INNER(temporary, declaration, expr) \
    auto temporary = (expr);                             \
    if (!temporary.ok()) [[unlikely]]                    \
        return temporary.take_error();                   \
    declaration = std::move(temporary).value()
