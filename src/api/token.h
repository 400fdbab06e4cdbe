// api/token.h: the positions a client has seen or written, as one opaque string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "shard/outcome.h"

namespace tidal::api {

/// A read that carries it waits until every (shard, index) is applied and every stream has reached
/// its sequence, so that it sees the write and its effects on other shards. The rows of a write
/// that was answered from memory are looked up by the read (StreamPosition::all_of): it may wait
/// for rows of later writes, too.
struct Token {
    std::vector<std::pair<ShardId, LogIndex>> applied;
    std::vector<shard::StreamPosition> streams;
};

std::string encode_token(
    const Token& token);  ///< base64url; not signed: it only makes a read wait.
Result<Token> decode_token(std::string_view text);

}  // namespace tidal::api
