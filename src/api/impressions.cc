// Impressions of a page: written after it is ranked, before it is answered.
#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <map>
#include <utility>

#include "api/database.h"
#include "api/token.h"
#include "base/codec.h"
#include "base/hash.h"

namespace tidal::api {
namespace {

/// A reply waits no longer for the log: what is late may still be written.
constexpr std::uint64_t kImpressionsWaitMs = 2'000;

void append_quoted(std::string_view text, std::string* out) {
    *out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') *out += '\\';
        if (static_cast<unsigned char>(c) >= 0x20) *out += c;
    }
    *out += '"';
}

void append_number(double value, std::string* out) {
    std::array<char, 32> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out->append(digits.data(), end);
}

/// ,"features":{"sum(view, 24h)":3}
std::string features_of(const FeedItem& item) {
    std::string out = ",\"features\":{";
    bool first = true;
    for (const auto& feature : item.explain->features) {
        if (!std::exchange(first, false)) out += ',';
        append_quoted(feature.text, &out);
        out += ':';
        append_number(feature.value, &out);
    }
    return out + "}";
}

/// {"position":3,"profile":"trending@1","request_id":"...","degradation":1,"score":1.5}
std::string context_of(const FeedItem& item, const FeedCall& call, const FeedReply& reply) {
    std::string out = "{\"position\":" + std::to_string(item.rank) + ",\"profile\":";
    append_quoted(reply.profile, &out);
    if (!reply.experiment.empty()) {
        out += ",\"experiment\":";
        append_quoted(reply.experiment, &out);
    }
    if (!call.request_id.empty()) {
        out += ",\"request_id\":";
        append_quoted(call.request_id, &out);
    }
    // The order, and the score where it is by ranks, are not what the profile alone makes.
    if (reply.degradation != 0) out += ",\"degradation\":" + std::to_string(reply.degradation);
    if (call.log_features) {
        out += ",\"score\":";
        append_number(item.score, &out);
    }
    return out + "}";
}

/// Of the request and the item, not of the place: a page that has moved meanwhile counts again
/// only what is new on it. A hash, because a key and an id may be as long as keys may be.
std::string key_of(const std::string& key, const EntityId& id) {
    if (key.empty()) return {};
    Encoder out;
    out.bytes(key);
    out.u8(id.is_text() ? 1 : 0);
    out.bytes(id.to_string());
    return "impression:" + hash128(out.view()).to_hex();
}

IdInput as_input(const EntityId& id) {
    if (id.is_text()) return IdInput(std::string(id.text()));
    return IdInput(id.number());
}

/// What the session was shown.
SessionWrite page_of(const FeedCall& call, const FeedReply& reply) {
    SessionWrite out;
    out.body.act = record::SessionAct::kShow;
    out.body.session = call.session;
    for (const FeedItem& item : reply.items) out.body.shown.push_back(item.entity.id);
    return out;
}

/// @param answer  Of one impression.
void count(const Result<WriteReply>& answer, FeedReply::Impressions* out, const Error** problem) {
    if (answer.ok()) {
        ++(answer->repeated ? out->repeated : out->written);
    } else if (answer.error().code() == ErrorCode::kIdempotencyMismatch) {
        ++out->repeated;  // It stood elsewhere on the page that counted it.
    } else {
        ++out->failed;
        if (*problem == nullptr) *problem = &answer.error();
    }
}

/// One token for all: their positions, and of each shard whatever rows it has under way.
std::string merged_token(const WriteReplies& answers) {
    std::map<ShardId, LogIndex> applied;
    std::map<ShardId, Incarnation> sources;
    for (const Result<WriteReply>& answer : answers) {
        if (!answer.ok()) continue;
        const auto token = decode_token(answer->token);
        assert(token.ok() && "a token of our own");
        for (const auto& [shard, index] : token->applied)
            applied[shard] = std::max(applied[shard], index);
        for (const shard::StreamPosition& stream : token->streams)
            sources.insert_or_assign(stream.source, stream.source_incarnation);
    }
    Token out;
    out.applied.assign(applied.begin(), applied.end());
    for (const auto& [source, incarnation] : sources)
        out.streams.push_back(shard::StreamPosition::all_of(source, incarnation));
    return applied.empty() ? "" : encode_token(out);
}

}  // namespace

runtime::Task<void> Database::log_impressions(const FeedCall* call, FeedReply* reply) {
    reply->impressions = FeedReply::Impressions();
    auto& out = *reply->impressions;
    std::vector<Write> writes;
    std::size_t too_long = 0;
    for (const FeedItem& item : reply->items) {
        SignalWrite write;
        write.id = as_input(item.entity.id);
        write.signal = schema::kImpression;
        write.user_id = call->user_id;
        if (call->session != 0) write.session_id = std::to_string(call->session);
        write.under_policy = false;
        write.context = context_of(item, *call, *reply);
        if (call->log_features && item.explain) {
            const std::string features = features_of(item);
            if (write.context.size() + features.size() > record::kContextBytesMax) {
                ++too_long;
            } else {
                write.context.insert(write.context.size() - 1, features);
            }
        }
        write.idempotency_key = key_of(call->impressions_key, item.entity.id);
        writes.emplace_back(std::move(write));
    }
    if (writes.empty()) co_return;
    if (too_long > 0)
        reply->warnings.push_back("features of " + std::to_string(too_long) +
                                  " impressions were left out: a context has at most " +
                                  std::to_string(record::kContextBytesMax) + " bytes");
    if (call->session != 0) writes.emplace_back(page_of(*call, *reply));
    CallContext context;
    context.timeout_ms = kImpressionsWaitMs;
    runtime::Completion<WriteReplies> done;
    out.failed = reply->items.size();  // Until they are answered.
    write(std::move(writes), context, done.completer());
    const Result<WriteReplies> answers = co_await done;
    const Error* problem = answers.ok() ? nullptr : &answers.error();
    if (answers.ok()) {
        out.failed = 0;
        for (std::size_t i = 0; i < reply->items.size(); ++i) count((*answers)[i], &out, &problem);
        if (const Result<WriteReply>& noted = answers->back();
            call->session != 0 && !noted.ok() && problem == nullptr)
            reply->warnings.push_back("the session does not know of this page: " +
                                      noted.error().message());
        out.token = merged_token(*answers);
    }
    if (problem != nullptr)
        reply->warnings.push_back(std::to_string(out.failed) +
                                  " impressions were not written: " + problem->message());
}

}  // namespace tidal::api
