// base/trouble.h: a state that operators hear of once when it begins and once when it ends.
#pragma once

#include <string>
#include <utility>

#include "base/log.h"

namespace tidal {

/// Threads: one at a time; the owner says which.
class Trouble {
public:
    /// @param begins, ends  What the log says, at error and at info level.
    Trouble(const Logger& logger, std::string begins, std::string ends)
        : logger_(logger), begins_(std::move(begins)), ends_(std::move(ends)) {}

    /// It is so now; said when it was not so before.
    void note(const Error& cause) {
        if (!std::exchange(on_, true)) logger_.error(begins_, cause);
    }
    /// It is not so now; said when it was.
    void over() {
        if (std::exchange(on_, false)) logger_.info(ends_);
    }
    bool on() const { return on_; }

private:
    const Logger logger_;
    const std::string begins_, ends_;
    bool on_ = false;
};

}  // namespace tidal
