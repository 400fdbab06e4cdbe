#include "http/internal/request_parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>

namespace tidal::http {
namespace {

namespace beast = boost::beast;
using beast::error_code;
using beast::string_view;

// A chunk's size line with its extensions, or the trailer, has no business being longer.
constexpr std::size_t kChunkHeaderBytesMax = 4096;

std::string_view to_std(string_view text) {
    return {text.data(), text.size()};
}

}  // namespace

/// Beast's parser filling our types, so that no header is copied twice.
class RequestParser::Impl final : public beast::http::basic_parser<true> {
public:
    explicit Impl(std::size_t header_bytes_max) : header_bytes_max_(header_bytes_max) {
        header_limit(static_cast<std::uint32_t>(header_bytes_max));
        body_limit(boost::none);  // the connection counts
    }

    Result<Step> put_bytes(std::string_view bytes);
    Result<void> finish_head();

    Request request_;
    std::string body_;
    std::size_t header_bytes_ = 0;
    std::uint16_t status_ = 400;
    bool head_told_ = false;
    bool other_encoding_ = false;
    bool http_1_0_ = false;

private:
    Error malformed(std::string_view what, std::uint16_t status = 400);
    Result<void> split_target();

    void on_request_impl(beast::http::verb, string_view method, string_view target, int version,
                         error_code&) override {
        request_.method = method_from_name(to_std(method));
        target_ = to_std(target);
        http_1_0_ = version == 10;
    }
    void on_response_impl(int, string_view, int, error_code&) override {}
    void on_field_impl(beast::http::field name, string_view text, string_view value,
                       error_code&) override {
        if (head_told_) return;  // a trailer field: nothing of ours reads them
        if (name == beast::http::field::transfer_encoding &&
            !equal_ignoring_case(to_std(value), "chunked"))
            other_encoding_ = true;
        request_.headers.add(std::string(text), std::string(value));
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
    std::size_t on_body_impl(string_view body, error_code&) override {
        body_.append(body.data(), body.size());
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t size, string_view, error_code&) override {
        chunk_left_ = size;
    }
    std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override {
        body_.append(body.data(), body.size());
        chunk_left_ -= body.size();
        return body.size();
    }
    void on_finish_impl(error_code&) override {}

    const std::size_t header_bytes_max_;
    std::string target_;
    std::uint64_t chunk_left_ = 0;
};

Error RequestParser::Impl::malformed(std::string_view what, std::uint16_t status) {
    status_ = status;
    const ErrorCode code = status == 431 ? ErrorCode::kTooLarge : ErrorCode::kInvalidArgument;
    return Error(code, "the request is no HTTP/1.1: " + std::string(what))
        .with_reason(status == 431 ? "header_too_large" : "malformed_request");
}

Result<RequestParser::Step> RequestParser::Impl::put_bytes(std::string_view bytes) {
    Step step;
    const auto finished = [&] {
        step.progress = is_done() ? Progress::kDone : Progress::kBody;
        return step;
    };
    if (is_done()) return finished();  // a request without a body, after its head was told
    // Beast asserts five bytes of a chunk header once it has seen a first chunk of size 0; no body
    // ends in fewer.
    if (head_told_ && chunked() && chunk_left_ == 0 && bytes.size() < 5) return step;
    eager(head_told_);
    error_code ec;
    step.consumed = put({bytes.data(), bytes.size()}, ec);
    if (!head_told_) header_bytes_ += step.consumed;
    const bool need_more = ec == beast::http::error::need_more;
    // Beast's limit is of the request line and of the fields each, ours of both together.
    const std::size_t pending = is_header_done() ? 0 : bytes.size() - step.consumed;
    if (ec == beast::http::error::header_limit ||
        ((!ec || need_more) && !head_told_ && header_bytes_ + pending > header_bytes_max_))
        return malformed(
            "the header is larger than " + std::to_string(header_bytes_max_) + " bytes", 431);
    if (ec == beast::http::error::bad_version) return malformed("unknown version", 505);
    if (ec && !need_more) return malformed(ec.message());
    if (is_header_done() && !head_told_) {
        head_told_ = true;
        TIDAL_TRY(finish_head());
        step.progress = Progress::kHead;
        return step;
    }
    if (is_done() || !body_.empty()) return finished();
    if (head_told_ && bytes.size() - step.consumed > kChunkHeaderBytesMax)
        return malformed("a chunk header or trailer is too long");
    return step;
}

Result<void> RequestParser::Impl::split_target() {
    std::string_view target = target_;
    // Absolute form: a proxy's way of asking. Our answer does not depend on the authority.
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (target.size() < scheme.size() ||
            !equal_ignoring_case(target.substr(0, scheme.size()), scheme))
            continue;
        const std::size_t slash = target.find('/', scheme.size());
        target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
    }
    if (target == "*" && request_.method == Method::kOptions) target = "/";
    if (target.empty() || target.front() != '/') return malformed("the target is no path");
    target = target.substr(0, target.find('#'));
    const std::size_t mark = target.find('?');
    request_.raw_path = target.substr(0, mark);
    auto path = percent_decode(request_.raw_path, false);
    if (!path) return malformed("the path has a broken % escape or is not UTF-8");
    request_.path = std::move(*path);
    if (mark == std::string_view::npos) return {};
    request_.raw_query = target.substr(mark + 1);
    TIDAL_ASSIGN(request_.query, QueryParameters::parse(request_.raw_query));
    return {};
}

Result<void> RequestParser::Impl::finish_head() {
    TIDAL_TRY(split_target());
    const std::size_t hosts = request_.headers.count("Host");
    if (hosts > 1 || (hosts == 0 && !http_1_0_)) return malformed("one Host header is expected");
    if (other_encoding_) return malformed("only Transfer-Encoding: chunked is understood", 501);
    if (chunked() && http_1_0_) return malformed("HTTP/1.0 has no Transfer-Encoding");
    if (!chunked()) request_.body_bytes_declared = content_length().value_or(0);
    return {};
}

RequestParser::RequestParser(std::size_t header_bytes_max)
    : impl_(std::make_unique<Impl>(header_bytes_max)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;

Result<RequestParser::Step> RequestParser::put(std::string_view bytes) {
    return impl_->put_bytes(bytes);
}
Request& RequestParser::request() {
    return impl_->request_;
}
std::string RequestParser::take_body() {
    return std::exchange(impl_->body_, {});
}
bool RequestParser::done() const {
    return impl_->head_told_ && impl_->is_done();
}
bool RequestParser::started() const {
    return impl_->got_some();
}
bool RequestParser::keep_alive() const {
    return impl_->keep_alive();
}
bool RequestParser::is_http_1_0() const {
    return impl_->http_1_0_;
}
bool RequestParser::has_body() const {
    return impl_->chunked() || impl_->request_.body_bytes_declared > 0;
}
bool RequestParser::is_chunked() const {
    return impl_->chunked();
}
bool RequestParser::expects_continue() const {
    return !impl_->http_1_0_ &&
           equal_ignoring_case(impl_->request_.headers.find("Expect").value_or(""), "100-continue");
}
std::uint16_t RequestParser::status() const {
    return impl_->status_;
}

}  // namespace tidal::http
