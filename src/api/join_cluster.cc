#include "api/join_cluster.h"

#include <memory>
#include <utility>

#include "api/cluster_directory.h"
#include "cluster/certificates.h"
#include "cluster/join.h"
#include "cluster/peer_packet.h"
#include "runtime/secret.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kAskAgainNs = 1'000'000'000;
constexpr std::size_t kNonceBytes = 16;

/// Where the answer is waited for: an endpoint, and the newest answer that came.
class Mailbox {
public:
    static Result<std::shared_ptr<Mailbox>> open(runtime::Runtime& runtime,
                                                 runtime::Executor& executor,
                                                 const JoinOptions& options,
                                                 const cluster::JoinToken& token) {
        auto tls = std::make_shared<runtime::TlsOptions>();
        tls->pin = token.authority_hash;
        auto box = std::make_shared<Mailbox>();
        TIDAL_ASSIGN(
            box->endpoint_,
            runtime.network().listen(
                {.address = options.listen, .advertised = {}, .tls = std::move(tls)}, executor,
                [weak = std::weak_ptr(box)](const runtime::Sender&, std::string bytes) {
                    if (const auto self = weak.lock()) self->take(bytes);
                }));
        return box;
    }
    Result<void> ask(const std::string& seed, const std::string& request) {
        return endpoint_->send(seed, cluster::encode_packet(cluster::Join{false, request}));
    }
    std::string take_answer() { return std::exchange(answer_, {}); }
    std::string refusal() { return endpoint_->stats().newest_refusal; }
    void close() { endpoint_.reset(); }

private:
    void take(const std::string& bytes) {
        auto packet = cluster::decode_packet(bytes);
        if (!packet.ok()) return;
        if (auto* join = std::get_if<cluster::Join>(&*packet); join != nullptr && join->answer)
            answer_ = std::move(join->bytes);
    }
    // The executor's.
    std::unique_ptr<runtime::Endpoint> endpoint_;
    std::string answer_;
};

Result<void> check_address(const std::string& address, std::string_view field) {
    if (!address.empty() && address.size() <= cluster::kAddressBytesMax) return {};
    return Error(ErrorCode::kInvalidArgument, "an address has 1 to 300 bytes").with_field(field);
}

/// What is asked, and with which key.
struct Asking {
    cluster::JoinToken token;
    cluster::JoinRequest request;
    std::string key, bytes;
};

Result<Asking> prepare(runtime::Runtime& runtime, const JoinOptions& options) {
    Asking asking;
    TIDAL_ASSIGN(asking.token, cluster::parse_join_token(options.token));
    TIDAL_TRY(check_address(options.peer_advertise, "peer_advertise"));
    TIDAL_ASSIGN(const bool used, holds_database(runtime.disk()));
    if (used)
        return Error(ErrorCode::kConflict, "the data directory is in use")
            .with_reason("directory_in_use")
            .with_hint("name an empty one; `tidal-server start` runs a member of a cluster");
    if (options.seeds.empty())
        return Error(ErrorCode::kInvalidArgument, "no member to ask").with_field("seed");
    TIDAL_ASSIGN(asking.key, cluster::create_key());
    asking.request.token_id = asking.token.id;
    TIDAL_ASSIGN(asking.request.nonce, runtime::secret_bytes(kNonceBytes));
    asking.request.instance_id = new_instance_id(runtime.random());
    TIDAL_ASSIGN(asking.request.public_key, cluster::public_key_of(asking.key));
    asking.request.address = options.peer_advertise;
    asking.request.http_address = options.http_address;
    asking.bytes = cluster::encode_join_request(asking.request, asking.token.key);
    return asking;
}

Error nobody_answered(const JoinOptions& options, const std::string& heard) {
    std::string seeds;
    for (const std::string& seed : options.seeds) seeds += (seeds.empty() ? "" : ", ") + seed;
    Error error(ErrorCode::kTimeout, "no member of the cluster let this node in");
    error.with("asked", seeds);
    if (!heard.empty()) error.with("heard", heard);
    // Who showed another authority than the token names is no member, and never will be.
    const bool foreign = heard.find("certificate") != std::string::npos;
    return std::move(error).with_hint(foreign
                                          ? "who answers there is of another cluster than the token"
                                          : "the seed is the peer address of a running member");
}

}  // namespace

runtime::Task<Result<Identity>> join_cluster(runtime::Runtime& runtime, runtime::Executor& executor,
                                             JoinOptions options) {
    TIDAL_CO_TRY(co_await runtime::schedule(executor));
    TIDAL_CO_ASSIGN(const Asking asking, prepare(runtime, options));
    TIDAL_CO_ASSIGN(const auto box, Mailbox::open(runtime, executor, options, asking.token));
    const std::uint64_t deadline_ns =
        runtime.clock().monotonic_ns() + options.timeout_ms * 1'000'000;
    std::string heard;
    for (std::size_t turn = 0; runtime.clock().monotonic_ns() < deadline_ns; ++turn) {
        const std::string& seed = options.seeds[turn % options.seeds.size()];
        if (auto sent = box->ask(seed, asking.bytes); !sent.ok()) heard = sent.error().to_string();
        TIDAL_CO_TRY(co_await runtime::sleep_for(executor, kAskAgainNs));
        const std::string answer = box->take_answer();
        if (answer.empty()) {
            if (std::string refusal = box->refusal(); !refusal.empty()) heard = std::move(refusal);
            continue;
        }
        auto accepted = cluster::open_join_answer(answer, asking.token, asking.request,
                                                  asking.bytes, runtime.clock().wall_ms());
        if (!accepted.ok() && accepted.error().code() == ErrorCode::kUnavailable) {
            heard = accepted.error().to_string();
            continue;
        }
        box->close();
        if (!accepted.ok()) co_return accepted.take_error();
        co_return write_joined(runtime, *accepted, asking.key, options.log);
    }
    box->close();
    co_return nobody_answered(options, heard);
}

}  // namespace tidal::api
