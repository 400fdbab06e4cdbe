// api/internal/write_join.h: the writes of one call on their way, and their replies.
#pragma once

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "api/database.h"
#include "api/forward.h"
#include "api/internal/write_memory.h"

namespace tidal::api {

/// The writes of one call that go to one shard, with the line each came from.
struct WriteGroup {
    Proposal proposal;
    std::vector<std::size_t> lines;
};
/// What the lines of a group are answered from, once their shard has answered.
struct GroupAnswer {
    ShardId shard;
    shard::WriteConcern concern;
    std::uint64_t deadline_ns = 0;  ///< Monotonic.
    std::vector<std::size_t> lines;
    std::vector<ShardId> on_to;  ///< Of each: where a session's signal goes on to; 0 = nowhere.
    std::vector<bool> hides;     ///< Of each: whether that hides an item of another shard.
};

/// Collects the replies of one call; the last shard to answer hands them over.
struct Database::Join {
    Join(std::size_t lines, std::optional<std::uint64_t> first, WritesDone when_done)
        : replies(lines), first_line(first), done(std::move(when_done)) {}

    std::vector<std::optional<Result<WriteReply>>> replies;
    std::atomic<std::size_t> left{1};
    const std::optional<std::uint64_t> first_line;
    std::optional<CountedBytes> waiting;  ///< While it waits for a wider schema.
    WritesDone done;

    void fail(std::size_t line, Error error) {
        if (first_line) {
            replies[line].emplace(std::move(error).with("line", *first_line + line));
        } else {
            replies[line].emplace(std::move(error));
        }
    }
    bool failed(std::size_t line) const { return replies[line] && !replies[line]->ok(); }
    /// For the reason for which another one failed.
    void fail_as(std::size_t line, std::size_t other) {
        replies[line].emplace(Error(replies[other]->error()));
    }
    /// Before anything was proposed.
    void fail_all(const Error& error) {
        for (std::size_t line = 0; line < replies.size(); ++line) fail(line, Error(error));
        arrive();
    }
    /// Likewise.
    bool names_unknown() const {
        return std::ranges::any_of(replies, [](const auto& reply) {
            return reply && !reply->ok() &&
                   (reply->error().code() == ErrorCode::kUnknownName ||
                    reply->error().reason() == "unknown_collection");
        });
    }
    void forget() {
        for (auto& reply : replies) reply.reset();
    }
    void arrive() {
        if (left.fetch_sub(1) != 1) return;
        WriteReplies out;
        out.reserve(replies.size());
        for (auto& reply : replies) out.push_back(std::move(*reply));
        done(std::move(out));
    }
};

}  // namespace tidal::api
