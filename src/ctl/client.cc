#include "ctl/client.h"

#include <httplib.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

namespace tidal::ctl {
namespace {

constexpr int kReadTimeoutS = 600;  // a large import answers once, at its end

/// What a problem+json says, as an Error again.
Error problem(int status, const std::string& body) {
    boost::json::error_code failed;
    const auto parsed = boost::json::parse(body, failed);
    const auto* object = failed ? nullptr : parsed.if_object();
    if (object == nullptr)
        return Error(ErrorCode::kInternal, "the server answered " + std::to_string(status));
    const auto text = [&](const char* key) {
        const auto* found = object->if_contains(key);
        return found != nullptr && found->is_string() ? std::string(found->get_string())
                                                      : std::string();
    };
    auto error = Error(ErrorCode::kInvalidArgument, text("detail"))
                     .with_reason(text("code"))
                     .with_field(text("field"))
                     .with_hint(text("hint"));
    constexpr std::string_view taken[] = {"type", "title", "status", "detail",
                                          "code", "field", "hint"};
    for (const auto& [key, value] : *object) {
        if (std::find(std::begin(taken), std::end(taken), key) != std::end(taken)) continue;
        error.with(key, value.is_string() ? std::string_view(value.get_string())
                                          : std::string_view(boost::json::serialize(value)));
    }
    return error;
}

}  // namespace

struct Client::State {
    explicit State(const std::string& text) : url(text), client(text) {
        client.set_read_timeout(kReadTimeoutS);
        client.set_keep_alive(true);
        client.set_tcp_nodelay(
            true);  // head and body are two writes: the second must not wait for an ACK
    }
    Error unreachable(httplib::Error error) const {
        return Error(ErrorCode::kUnavailable,
                     "no answer from " + url + ": " + httplib::to_string(error))
            .with_hint("is tidal-server running there? --url names another");
    }
    std::string url;
    httplib::Client client;
    httplib::Headers headers;
};

Client::Client(const std::string& url, const std::string& key, const std::string& token)
    : state_(std::make_unique<State>(url.starts_with("http") ? url : "http://" + url)) {
    if (!key.empty()) set_header("Authorization", "Bearer " + key);
    if (!token.empty()) set_header("Tidal-Token", token);
}
Client::~Client() = default;

void Client::set_header(const std::string& name, const std::string& value) {
    state_->headers.emplace(name, value);
    state_->client.set_default_headers(state_->headers);
}

Result<std::string> Client::get(const std::string& path) {
    const auto reply = state_->client.Get(path.c_str());
    if (!reply) return state_->unreachable(reply.error());
    if (reply->status != 200) return problem(reply->status, reply->body);
    return reply->body;
}

Result<std::string> Client::send(Method method, const std::string& path,
                                 const std::string& content_type, const std::string& body) {
    auto& client = state_->client;
    const auto reply =
        method == Method::kPost    ? client.Post(path.c_str(), body, content_type.c_str())
        : method == Method::kPut   ? client.Put(path.c_str(), body, content_type.c_str())
        : method == Method::kPatch ? client.Patch(path.c_str(), body, content_type.c_str())
        : body.empty()             ? client.Delete(path.c_str())
                                   : client.Delete(path.c_str(), body, content_type.c_str());
    if (!reply) return state_->unreachable(reply.error());
    if (reply->status != 200 && reply->status != 202) return problem(reply->status, reply->body);
    return reply->body;
}

Result<void> Client::get_stream(const std::string& path,
                                const std::function<bool(std::string_view)>& on_bytes) {
    int status = 0;
    std::string refusal;
    const auto reply = state_->client.Get(
        path.c_str(),
        [&](const httplib::Response& head) {
            status = head.status;
            return true;
        },
        [&](const char* data, std::size_t size) {
            if (status == 200) return on_bytes({data, size});
            refusal.append(data, size);
            return true;
        });
    if (!reply) return state_->unreachable(reply.error());
    if (status != 200) return problem(status, refusal);
    return {};
}

Result<std::string> Client::post_stream(const std::string& path, const std::string& content_type,
                                        const std::function<Result<std::string>()>& next) {
    std::optional<Error> failed;
    const auto reply = state_->client.Post(
        path.c_str(),
        [&](std::size_t, httplib::DataSink& sink) {
            auto piece = next();
            if (!piece.ok()) {
                failed = piece.take_error();
                return false;
            }
            if (piece->empty()) {
                sink.done();
                return true;
            }
            return sink.write(piece->data(), piece->size());
        },
        content_type.c_str());
    if (failed) return std::move(*failed);
    if (!reply) return state_->unreachable(reply.error());
    if (reply->status != 200 && reply->status != 202) return problem(reply->status, reply->body);
    return reply->body;
}

}  // namespace tidal::ctl
