// ctl/client.h: a running server, over HTTP.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal::ctl {

/// Blocks. Threads: one at a time.
class Client {
public:
    /// "http://127.0.0.1:9500" or "127.0.0.1:9500".
    /// @param key    An API key; empty = none.
    /// @param token  Of a write that reads wait for; empty = none.
    Client(const std::string& url, const std::string& key, const std::string& token = "");
    ~Client();

    /// Sent with every request from now on.
    void set_header(const std::string& name, const std::string& value);
    /// The body of a 200. kUnavailable when nobody answers; else the server's problem, with its
    /// code as the reason.
    Result<std::string> get(const std::string& path);
    enum class Method { kPost, kPut, kPatch, kDelete };
    /// The body of a 200 or 202.
    Result<std::string> send(Method method, const std::string& path,
                             const std::string& content_type = "", const std::string& body = "");
    /// Hands the body on as it arrives.
    Result<void> get_stream(const std::string& path,
                            const std::function<bool(std::string_view)>& on_bytes);
    /// Sends what `next` gives until it gives nothing. The body of a 200 or 202.
    Result<std::string> post_stream(const std::string& path, const std::string& content_type,
                                    const std::function<Result<std::string>()>& next);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace tidal::ctl
