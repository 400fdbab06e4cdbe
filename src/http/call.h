// http/call.h: what every route reads from a request beside its body.
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "api/consistency.h"
#include "api/types.h"
#include "http/message.h"

namespace tidal::http {

using ParameterNames = std::span<const std::string_view>;
/// What every write and every read takes; what is about one entity can be redirected.
inline constexpr std::string_view kBulkParameters[] = {"w", "wtimeout_ms", "wait"};
inline constexpr std::string_view kWriteParameters[] = {"w", "wtimeout_ms", "wait", "redirect"};
inline constexpr std::string_view kReadParameters[] = {"token", "read_consistency"};
inline constexpr std::string_view kEntityReadParameters[] = {"token", "read_consistency",
                                                             "redirect"};

/// kUnknownName naming the first query parameter that is none of `known` (and the nearest one).
Result<void> check_parameters(const Request& request, ParameterNames known);
Result<void> check_parameters(const Request& request,
                              std::initializer_list<std::string_view> known);

/// Idempotency-Key, `w`, `wtimeout_ms` and `wait`, whose only value says nothing but what is so:
/// what is applied can be found. Whether `w` can be had here, and is no less than that, is for
/// Door::context_of().
Result<api::CallContext> write_context(const Request& request);

/// The token a read carries: `Tidal-Token` or `token=`; empty = none.
std::string token_of(const Request& request);

/// What a read has to see: `read_consistency=` before Tidal-Read-Consistency, strong without
/// either; and its token. kInvalidArgument of the one that is wrong.
Result<api::ReadFence> read_fence(const Request& request);

/// The reply with Tidal-Staleness-Ms, where that is known.
Response with_staleness(Response response, std::optional<std::uint64_t> staleness_ms);

/// Whether `redirect` is on. kInvalidArgument for anything but on and off.
Result<bool> wants_redirect(const Request& request);

/// If-Match as the version it names; nullopt when absent or "*". If-None-Match is refused: it is
/// for reads.
Result<std::optional<HybridTime>> if_match(const Request& request);
/// Whether If-Match is "*": the entity must exist.
bool must_exist(const Request& request);

/// The `u` of a Priority header (RFC 9218), 0 the most urgent to 7; 3 without one, or where it is
/// malformed.
std::uint8_t urgency_of(const Request& request);

/// Whether If-None-Match names this ETag, packed or not, weak or not, or is "*".
bool is_known_to_client(const Request& request, std::string_view etag);

/// 415 unless the body is JSON.
Result<void> check_json(const Request& request);

/// `stats` of a search: its only value says what is always so.
Result<void> check_statistics(std::string_view asked);

/// @param compare_with  Takes the value of `with`, which is unknown where this is nullptr.
Result<api::FeedCall> feed_call(const Request& request, std::string* compare_with = nullptr);

Result<api::SuggestCall> suggest_call(const Request& request);

Result<api::CollectionItemsRequest> collection_items_request(const Request& request);
/// Whether the request may count impressions. kForbidden of field "log_impressions" for a reader's
/// key, and for a GET of a page of another site.
Result<void> check_counting(const Request& request);
Result<api::SavedSearchRequest> saved_search_request(const Request& request);

}  // namespace tidal::http
