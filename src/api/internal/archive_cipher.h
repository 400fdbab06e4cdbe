// api/internal/archive_cipher.h: what is a user's, unreadable without their secret.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal::api {

/// AES-SIV (RFC 5297) with record::kArchiveSecretBytes of key. It needs no nonce, so that nothing
/// has to be drawn or remembered: a record sealed twice, by a repeated sealing or another replica,
/// gives the same bytes, and another record in the same place gives nothing away but that it is
/// another. Threads: any.
class ArchiveCipher {
public:
    /// kInternal where the library lacks it.
    static Result<ArchiveCipher> make();

    /// @param along  Has to be the same for open(); not in the result.
    /// @param text   Not empty.
    Result<std::string> seal(std::string_view secret, std::string_view along,
                             std::string_view text) const;
    /// kCorruption for anything but seal()'s bytes under the same secret and `along`.
    Result<std::string> open(std::string_view secret, std::string_view along,
                             std::string_view sealed) const;

private:
    struct Free {
        void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
        void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
    };
    using CipherPtr = std::unique_ptr<EVP_CIPHER, Free>;
    using ContextPtr = std::unique_ptr<EVP_CIPHER_CTX, Free>;

    explicit ArchiveCipher(CipherPtr cipher) : cipher_(std::move(cipher)) {}

    CipherPtr cipher_;
};

}  // namespace tidal::api
