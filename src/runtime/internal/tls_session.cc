#include "runtime/internal/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cassert>

namespace tidal::runtime::internal {
namespace {

constexpr std::size_t kPinBytes = 32;
constexpr std::size_t kRecordBytes = 16 * 1024;  // of one record

template <auto Free>
struct Freeing {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};
using BioPtr = std::unique_ptr<BIO, Freeing<&BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Freeing<&X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freeing<&EVP_PKEY_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Freeing<&SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Freeing<&SSL_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freeing<&GENERAL_NAMES_free>>;

/// The newest reason of the library, and an empty queue of reasons.
std::string library_reason() {
    const unsigned long number = ERR_peek_last_error();
    const char* reason = number == 0 ? nullptr : ERR_reason_error_string(number);
    ERR_clear_error();
    return reason == nullptr ? "no reason given" : reason;
}

/// What OpenSSL says of a certificate that the other side does not accept, in words that tell what
/// to do. Call with the newest error still in its queue.
Error refused_by_peer() {
    const int reason = ERR_GET_REASON(ERR_peek_last_error());
    if (reason != SSL_R_TLSV1_ALERT_UNKNOWN_CA)
        return Error(ErrorCode::kUnauthenticated, "TLS: " + library_reason());
    return Error(ErrorCode::kUnauthenticated,
                 "TLS: the peer does not take this side's certificate, which is not of its "
                 "authority (" +
                     library_reason() + ")")
        .with_hint("nodes of one cluster have one authority: is the address that of another?");
}

Error bad_option(std::string_view option, const std::string& what) {
    return Error(ErrorCode::kInvalidArgument, what).with_field("tls." + std::string(option));
}

Result<X509Ptr> read_certificate(const std::string& pem, std::string_view option) {
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate) return bad_option(option, "not a certificate in PEM: " + library_reason());
    return certificate;
}

Result<KeyPtr> read_key(const std::string& pem) {
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    if (!key) return bad_option("key", "not a private key in PEM: " + library_reason());
    return key;
}

/// The first URI among the subject's alternative names; empty when there is none.
std::string identity_of(X509* certificate) {
    const NamesPtr names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    if (!names) return {};
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_URI) continue;
        const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
        return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                           static_cast<std::size_t>(ASN1_STRING_length(uri)));
    }
    return {};
}

/// Believes the certificate of the chain whose hash is the pin, and what it signed.
int verify_by_pin(X509_STORE_CTX* chain, void* pin_string) {
    const std::string& pin = *static_cast<const std::string*>(pin_string);
    STACK_OF(X509)* sent = X509_STORE_CTX_get0_untrusted(chain);
    for (int i = 0; i < sk_X509_num(sent); ++i) {
        X509* certificate = sk_X509_value(sent, i);
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned int size = 0;
        if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1) continue;
        if (std::string_view(reinterpret_cast<const char*>(digest), size) != pin) continue;
        STACK_OF(X509)* trusted = sk_X509_new_null();
        sk_X509_push(trusted, certificate);
        X509_STORE_CTX_set0_trusted_stack(chain, trusted);
        const int verified = X509_verify_cert(chain);
        X509_STORE_CTX_set0_trusted_stack(chain, nullptr);
        sk_X509_free(trusted);
        return verified;
    }
    X509_STORE_CTX_set_error(chain, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
    return 0;
}

class OpenSslContext final : public TlsContext {
public:
    explicit OpenSslContext(const TlsOptions& options)
        : options_(options), context_(SSL_CTX_new(TLS_method())) {}

    Result<void> fill() {
        SSL_CTX* context = context_.get();
        if (context == nullptr) return Error(ErrorCode::kInternal, library_reason());
        SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(context, 0);
        SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
        // Releases a connection's 34 KiB of buffers while nothing is under way.
        SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
        int verify = SSL_VERIFY_PEER;
        if (!options_.accept_anonymous) verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
        SSL_CTX_set_verify(context, verify, nullptr);
        TIDAL_TRY(believe());
        return introduce();
    }

    SSL_CTX* get() { return context_.get(); }
    const TlsOptions& options() const override { return options_; }

private:
    Result<void> believe() {
        if (!options_.authority.empty()) {
            TIDAL_ASSIGN(const X509Ptr authority,
                         read_certificate(options_.authority, "authority"));
            X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), authority.get());
            return {};
        }
        if (options_.pin.size() != kPinBytes)
            return bad_option("pin", "a pin is the 32 bytes of a SHA-256");
        SSL_CTX_set_cert_verify_callback(context_.get(), verify_by_pin,
                                         const_cast<std::string*>(&options_.pin));
        return {};
    }

    Result<void> introduce() {
        if (options_.certificate.empty()) return {};
        TIDAL_ASSIGN(const X509Ptr certificate,
                     read_certificate(options_.certificate, "certificate"));
        TIDAL_ASSIGN(const KeyPtr key, read_key(options_.key));
        if (identity_of(certificate.get()).empty())
            return bad_option("certificate",
                              "the certificate names no node (a URI among its "
                              "subject's alternative names)");
        if (SSL_CTX_use_certificate(context_.get(), certificate.get()) != 1 ||
            SSL_CTX_use_PrivateKey(context_.get(), key.get()) != 1)
            return bad_option("key", "the key is not the certificate's: " + library_reason());
        if (options_.authority.empty()) return {};
        // Sent along for clients that know the authority by its hash only.
        TIDAL_ASSIGN(const X509Ptr authority, read_certificate(options_.authority, "authority"));
        SSL_CTX_add1_chain_cert(context_.get(), authority.get());
        return {};
    }

    const TlsOptions options_;
    const ContextPtr context_;
};

class OpenSslSession final : public TlsSession {
public:
    OpenSslSession(std::shared_ptr<TlsContext> context, TlsRole role)
        : context_(std::move(context)),
          ssl_(SSL_new(static_cast<OpenSslContext&>(*context_).get())),
          in_(BIO_new(BIO_s_mem())),
          out_(BIO_new(BIO_s_mem())) {
        SSL_set_bio(ssl_.get(), in_, out_);  // which owns them from now on
        if (role == TlsRole::kServer) {
            SSL_set_accept_state(ssl_.get());
        } else {
            SSL_set_connect_state(ssl_.get());
        }
    }

    Result<void> receive(std::string_view bytes, std::string* plain) override {
        ERR_clear_error();
        if (!bytes.empty()) BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
        if (!established_) TIDAL_TRY(shake_hands());
        return established_ ? read_all(plain) : Result<void>();
    }

    Result<void> send(std::string_view plain) override {
        assert(established_);
        ERR_clear_error();
        std::size_t written = 0;
        if (plain.empty()) return {};
        if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) == 1) return {};
        return Error(ErrorCode::kIo, "TLS: " + library_reason());
    }

    std::string take_output() override {
        std::string bytes(static_cast<std::size_t>(BIO_pending(out_)), '\0');
        if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
        return bytes;
    }

    bool established() const override { return established_; }
    const std::string& peer_identity() const override { return peer_identity_; }

private:
    Result<void> shake_hands() {
        const int done = SSL_do_handshake(ssl_.get());
        if (done != 1) {
            if (SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_READ) return {};
            return handshake_failed();
        }
        const X509Ptr peer(SSL_get1_peer_certificate(ssl_.get()));
        if (peer) {
            peer_identity_ = identity_of(peer.get());
            if (peer_identity_.empty())
                return Error(ErrorCode::kUnauthenticated, "the peer's certificate names no node");
        }
        established_ = true;
        return {};
    }

    Error handshake_failed() {
        const long verified = SSL_get_verify_result(ssl_.get());
        if (verified == X509_V_OK) {
            if (ERR_GET_REASON(ERR_peek_last_error()) >= SSL_AD_REASON_OFFSET)
                return refused_by_peer();
            return Error(ErrorCode::kUnauthenticated, "TLS handshake failed: " + library_reason());
        }
        return Error(ErrorCode::kUnauthenticated,
                     "TLS handshake failed: " + library_reason() +
                         ": the peer's certificate: " + X509_verify_cert_error_string(verified))
            .with_hint("nodes of one cluster have one authority: is the address that of another?");
    }

    Result<void> read_all(std::string* plain) {
        if (!record_) record_ = std::make_unique_for_overwrite<char[]>(kRecordBytes);
        while (true) {
            std::size_t got = 0;
            const int read = SSL_read_ex(ssl_.get(), record_.get(), kRecordBytes, &got);
            if (read == 1) {
                plain->append(record_.get(), got);
                continue;
            }
            const int error = SSL_get_error(ssl_.get(), read);
            if (error == SSL_ERROR_WANT_READ) return {};
            if (error == SSL_ERROR_ZERO_RETURN)
                return Error(ErrorCode::kUnavailable, "the peer closed the connection");
            // In TLS 1.3 the server looks at a certificate after the client is through.
            if (ERR_GET_REASON(ERR_peek_last_error()) >= SSL_AD_REASON_OFFSET)
                return refused_by_peer();
            return Error(ErrorCode::kCorruption, "TLS: " + library_reason());
        }
    }

    const std::shared_ptr<TlsContext> context_;
    const SslPtr ssl_;
    BIO* const in_;
    BIO* const out_;
    std::unique_ptr<char[]> record_;  // the latest read; its memory is kept
    bool established_ = false;
    std::string peer_identity_;
};

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::create(const TlsOptions& options) {
    auto context = std::make_shared<OpenSslContext>(options);
    TIDAL_TRY(context->fill());
    return std::shared_ptr<TlsContext>(std::move(context));
}

std::unique_ptr<TlsSession> TlsSession::create(std::shared_ptr<TlsContext> context, TlsRole role) {
    return std::make_unique<OpenSslSession>(std::move(context), role);
}

}  // namespace tidal::runtime::internal
