// tests/history/main/node_client.h: the operations of a history, asked of one node over HTTP.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "tests/history/operation.h"

namespace tidal::history {

/// What one request was answered.
struct Reply {
    /// kRefused: it was not sent, or the answer promises that nothing happened.
    Outcome outcome = Outcome::kUnknown;
    std::optional<std::string> value;
    std::string version;
    std::uint64_t total = 0;
    std::string token;    ///< Of changes: what a later read is to see.
    std::string problem;  ///< Of kRefused and kUnknown: status and code, or what broke.
};

/// Blocks for at most about `timeout_ms`. Threads: one at a time.
class NodeClient {
public:
    /// What follows the ? of reads and of changes, or empty.
    struct Parameters {
        std::string reads;
        std::string changes;
    };
    /// @param  url  "http://127.0.0.1:9500"
    NodeClient(const std::string& url, std::uint32_t timeout_ms, const Parameters& parameters);
    ~NodeClient();

    const std::string& name() const { return url_; }

    /// An item's title. Writes carry the key unless it is empty, and If-Match unless `expected` is.
    Reply write(std::uint64_t item, const std::string& value, const std::string& expected,
                const std::string& idempotency_key);
    /// @param  token  Of an answer: a read at consistency `eventual` that has to see at least that.
    Reply read(std::uint64_t item, const std::string& token = "");
    /// One view of an item.
    Reply add(std::uint64_t item, std::uint64_t user, const std::string& idempotency_key);
    Reply total(std::uint64_t item, const std::string& token = "");

private:
    std::string read_parameters(const std::string& token) const;

    struct Connection;
    std::string url_;
    Parameters parameters_;  // each with its ?
    std::unique_ptr<Connection> connection_;
};

}  // namespace tidal::history
