#include "cluster/internal/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace tidal::cluster::internal {
namespace {

BioPtr reading(const std::string& pem) {
    return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

Error not_pem(std::string_view what) {
    ERR_clear_error();
    return Error(ErrorCode::kInvalidArgument, "not " + std::string(what) + " in PEM");
}

template <typename Write>
std::string written(Write write) {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    write(bio.get());
    std::string text(static_cast<std::size_t>(BIO_pending(bio.get())), '\0');
    BIO_read(bio.get(), text.data(), static_cast<int>(text.size()));
    return text;
}

}  // namespace

Error openssl_failed(std::string_view what) {
    const unsigned long number = ERR_peek_last_error();
    const char* reason = number == 0 ? nullptr : ERR_reason_error_string(number);
    ERR_clear_error();
    return Error(ErrorCode::kInternal, std::string(what) + " failed: " +
                                           (reason == nullptr ? "no reason given" : reason));
}

Result<X509Ptr> certificate_from_pem(const std::string& pem) {
    X509Ptr certificate(PEM_read_bio_X509(reading(pem).get(), nullptr, nullptr, nullptr));
    if (!certificate) return not_pem("a certificate");
    return certificate;
}

Result<KeyPtr> private_key_from_pem(const std::string& pem) {
    KeyPtr key(PEM_read_bio_PrivateKey(reading(pem).get(), nullptr, nullptr, nullptr));
    if (!key) return not_pem("a private key");
    return key;
}

Result<KeyPtr> public_key_from_pem(const std::string& pem) {
    KeyPtr key(PEM_read_bio_PUBKEY(reading(pem).get(), nullptr, nullptr, nullptr));
    if (!key) return not_pem("a public key");
    return key;
}

std::string to_pem(X509* certificate) {
    return written([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
}

std::string private_to_pem(EVP_PKEY* key) {
    return written([&](BIO* bio) {
        PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    });
}

std::string public_to_pem(EVP_PKEY* key) {
    return written([&](BIO* bio) { PEM_write_bio_PUBKEY(bio, key); });
}

}  // namespace tidal::cluster::internal
