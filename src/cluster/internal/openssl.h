// cluster/internal/openssl.h: owners of OpenSSL's objects, and its reasons as Errors.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace tidal::cluster::internal {

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

/// kInternal, with the library's newest reason.
Error openssl_failed(std::string_view what);

Result<X509Ptr> certificate_from_pem(const std::string& pem);
Result<KeyPtr> private_key_from_pem(const std::string& pem);
Result<KeyPtr> public_key_from_pem(const std::string& pem);
std::string to_pem(X509* certificate);
std::string private_to_pem(EVP_PKEY* key);
std::string public_to_pem(EVP_PKEY* key);

}  // namespace tidal::cluster::internal
