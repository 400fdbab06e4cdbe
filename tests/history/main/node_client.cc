#include "tests/history/main/node_client.h"

#include <httplib.h>

#include <boost/json.hpp>

namespace tidal::history {
namespace {

namespace json = boost::json;

/// Statuses that promise that a write did not happen, and will not: docs/reference/errors.md. A 500
/// and a 504 promise nothing, nor does what nobody expects.
bool promises_nothing_happened(int status) {
    for (const int one : {400, 401, 403, 404, 409, 412, 413, 415, 421, 422, 429, 503})
        if (status == one) return true;
    return false;
}

json::value parsed(const std::string& body) {
    json::error_code failed;
    json::value out = json::parse(body, failed);
    return failed ? json::value() : out;
}

std::string text_at(const json::value& value, const char* pointer) {
    boost::system::error_code failed;
    const json::value* found = value.find_pointer(pointer, failed);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
}

Reply unanswered(httplib::Error error) {
    Reply out;
    // Nothing was sent where there was no connection.
    if (error == httplib::Error::Connection || error == httplib::Error::ConnectionTimeout)
        out.outcome = Outcome::kRefused;
    out.problem = httplib::to_string(error);
    return out;
}

Reply answered(const httplib::Response& response) {
    Reply out;
    if (response.status == 200) {
        out.outcome = Outcome::kOk;
        out.version = response.get_header_value("ETag");
        return out;
    }
    if (promises_nothing_happened(response.status)) out.outcome = Outcome::kRefused;
    out.problem = std::to_string(response.status) + " " + text_at(parsed(response.body), "/code");
    return out;
}

}  // namespace

struct NodeClient::Connection {
    explicit Connection(const std::string& url) : client(url) {}
    httplib::Client client;
};

NodeClient::NodeClient(const std::string& url, std::uint32_t timeout_ms,
                       const Parameters& parameters)
    : url_(url),
      parameters_{parameters.reads.empty() ? "" : "?" + parameters.reads,
                  parameters.changes.empty() ? "" : "?" + parameters.changes},
      connection_(std::make_unique<Connection>(url)) {
    auto& client = connection_->client;
    const auto timeout = std::chrono::milliseconds(timeout_ms);
    client.set_connection_timeout(timeout);
    client.set_read_timeout(timeout);
    client.set_write_timeout(timeout);
    client.set_keep_alive(true);
    client.set_tcp_nodelay(true);  // head and body are two writes
}

NodeClient::~NodeClient() = default;

Reply NodeClient::write(std::uint64_t item, const std::string& value, const std::string& expected,
                        const std::string& idempotency_key) {
    const json::object body{{"entity_id", item}, {"metadata", {{"title", value}}}};
    httplib::Headers headers;
    if (!expected.empty()) headers.emplace("If-Match", expected);
    if (!idempotency_key.empty()) headers.emplace("Idempotency-Key", idempotency_key);
    const auto reply = connection_->client.Post(("/items" + parameters_.changes).c_str(), headers,
                                                json::serialize(body), "application/json");
    if (!reply) return unanswered(reply.error());
    Reply out = answered(*reply);
    if (!expected.empty() && reply->status == 412) out.outcome = Outcome::kMismatch;
    out.token = text_at(parsed(reply->body), "/token");
    return out;
}

std::string NodeClient::read_parameters(const std::string& token) const {
    return token.empty() ? parameters_.reads : "?read_consistency=eventual&token=" + token;
}

Reply NodeClient::read(std::uint64_t item, const std::string& token) {
    const auto path = "/items/" + std::to_string(item) + read_parameters(token);
    const auto reply = connection_->client.Get(path.c_str());
    if (!reply) return unanswered(reply.error());
    Reply out = answered(*reply);
    if (reply->status == 404) out.outcome = Outcome::kOk;
    if (reply->status != 200) return out;
    out.value = text_at(parsed(reply->body), "/metadata/title");
    return out;
}

Reply NodeClient::add(std::uint64_t item, std::uint64_t user, const std::string& idempotency_key) {
    const json::object body{{"entity_id", item}, {"signal", "view"}, {"user_id", user}};
    httplib::Headers headers;
    if (!idempotency_key.empty()) headers.emplace("Idempotency-Key", idempotency_key);
    const auto reply = connection_->client.Post(("/signals" + parameters_.changes).c_str(), headers,
                                                json::serialize(body), "application/json");
    if (!reply) return unanswered(reply.error());
    Reply out = answered(*reply);
    out.token = text_at(parsed(reply->body), "/token");
    return out;
}

Reply NodeClient::total(std::uint64_t item, const std::string& token) {
    const auto path = "/items/" + std::to_string(item) + "/signals" + read_parameters(token);
    const auto reply = connection_->client.Get(path.c_str());
    if (!reply) return unanswered(reply.error());
    Reply out = answered(*reply);
    if (out.outcome != Outcome::kOk) return out;
    boost::system::error_code failed;
    const json::value body = parsed(reply->body);
    const json::value* found = body.find_pointer("/signals/view/total", failed);
    // Not there while nothing was counted.
    if (found != nullptr) out.total = static_cast<std::uint64_t>(found->to_number<double>());
    return out;
}

}  // namespace tidal::history
