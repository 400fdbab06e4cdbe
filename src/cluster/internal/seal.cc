#include "cluster/internal/seal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "cluster/internal/openssl.h"

namespace tidal::cluster::internal {
namespace {

constexpr std::size_t kStartBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kKeyBytes = 32;

using CipherPtr = std::unique_ptr<EVP_CIPHER_CTX, Freeing<&EVP_CIPHER_CTX_free>>;
using KdfPtr = std::unique_ptr<EVP_KDF, Freeing<&EVP_KDF_free>>;
using KdfContextPtr = std::unique_ptr<EVP_KDF_CTX, Freeing<&EVP_KDF_CTX_free>>;

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}

Error not_sealed_so() {
    return Error(ErrorCode::kUnauthenticated, "sealed with another key, or changed on the way");
}

}  // namespace

std::string mac_of(std::string_view key, std::string_view bytes) {
    std::string out(EVP_MAX_MD_SIZE, '\0');
    unsigned int size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(bytes), bytes.size(),
         bytes_of(out), &size);
    out.resize(size);
    return out;
}

bool equal_secrets(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Result<std::string> derive_key(std::string_view key, std::string_view salt, std::string_view use) {
    const KdfPtr kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
    const KdfContextPtr context(EVP_KDF_CTX_new(kdf.get()));
    const auto octets = [](const char* name, std::string_view value) {
        return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(value.data()),
                                                 value.size());
    };
    std::string digest = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
        octets(OSSL_KDF_PARAM_KEY, key), octets(OSSL_KDF_PARAM_SALT, salt),
        octets(OSSL_KDF_PARAM_INFO, use), OSSL_PARAM_construct_end()};
    std::string out(kKeyBytes, '\0');
    if (EVP_KDF_derive(context.get(), bytes_of(out), out.size(), params) != 1)
        return openssl_failed("deriving a key");
    return out;
}

Result<std::string> seal(std::string_view key, std::string_view along, std::string_view text) {
    std::string out(kStartBytes + text.size() + kTagBytes, '\0');
    if (RAND_bytes(bytes_of(out), kStartBytes) != 1) return openssl_failed("drawing a number");
    const CipherPtr cipher(EVP_CIPHER_CTX_new());
    int size = 0;
    unsigned char* body = bytes_of(out) + kStartBytes;
    const bool done =
        EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key),
                           bytes_of(out)) == 1 &&
        EVP_EncryptUpdate(cipher.get(), nullptr, &size, bytes_of(along),
                          static_cast<int>(along.size())) == 1 &&
        EVP_EncryptUpdate(cipher.get(), body, &size, bytes_of(text),
                          static_cast<int>(text.size())) == 1 &&
        EVP_EncryptFinal_ex(cipher.get(), body + size, &size) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, body + text.size()) == 1;
    if (!done) return openssl_failed("sealing");
    return out;
}

Result<std::string> unseal(std::string_view key, std::string_view along, std::string_view sealed) {
    if (sealed.size() < kStartBytes + kTagBytes) return not_sealed_so();
    const std::string_view body =
        sealed.substr(kStartBytes, sealed.size() - kStartBytes - kTagBytes);
    std::string tag(sealed.substr(sealed.size() - kTagBytes));
    std::string out(body.size(), '\0');
    const CipherPtr cipher(EVP_CIPHER_CTX_new());
    int size = 0;
    const bool done =
        EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key),
                           bytes_of(sealed)) == 1 &&
        EVP_DecryptUpdate(cipher.get(), nullptr, &size, bytes_of(along),
                          static_cast<int>(along.size())) == 1 &&
        EVP_DecryptUpdate(cipher.get(), bytes_of(out), &size, bytes_of(body),
                          static_cast<int>(body.size())) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
        EVP_DecryptFinal_ex(cipher.get(), bytes_of(out) + size, &size) == 1;
    if (!done) return not_sealed_so();
    return out;
}

}  // namespace tidal::cluster::internal
