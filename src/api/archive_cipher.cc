#include "api/internal/archive_cipher.h"

#include <cassert>

#include "record/record.h"

namespace tidal::api {
namespace {

constexpr std::size_t kTagBytes = 16;

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}

}  // namespace

Result<ArchiveCipher> ArchiveCipher::make() {
    CipherPtr cipher(EVP_CIPHER_fetch(nullptr, "AES-128-SIV", nullptr));
    if (cipher == nullptr)
        return Error(ErrorCode::kInternal, "OpenSSL has no AES-128-SIV")
            .with_hint("it comes with the default provider of OpenSSL 3");
    return ArchiveCipher(std::move(cipher));
}

Result<std::string> ArchiveCipher::seal(std::string_view secret, std::string_view along,
                                        std::string_view text) const {
    assert(secret.size() == record::kArchiveSecretBytes && !text.empty());
    std::string out(kTagBytes + text.size(), '\0');
    const ContextPtr context(EVP_CIPHER_CTX_new());
    unsigned char* const body = bytes_of(out) + kTagBytes;
    int size = 0;
    const bool done =
        EVP_EncryptInit_ex2(context.get(), cipher_.get(), bytes_of(secret), nullptr, nullptr) ==
            1 &&
        EVP_EncryptUpdate(context.get(), nullptr, &size, bytes_of(along),
                          static_cast<int>(along.size())) == 1 &&
        EVP_EncryptUpdate(context.get(), body, &size, bytes_of(text),
                          static_cast<int>(text.size())) == 1 &&
        EVP_EncryptFinal_ex(context.get(), body + size, &size) == 1 &&
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, bytes_of(out)) == 1;
    if (!done) return Error(ErrorCode::kInternal, "a record could not be sealed");
    return out;
}

Result<std::string> ArchiveCipher::open(std::string_view secret, std::string_view along,
                                        std::string_view sealed) const {
    const auto damaged = [] {
        return Error(ErrorCode::kCorruption,
                     "what the archive has sealed does not open with its user's key");
    };
    assert(secret.size() == record::kArchiveSecretBytes);
    if (sealed.size() <= kTagBytes) return damaged();
    std::string tag(sealed.substr(0, kTagBytes));
    const std::string_view body = sealed.substr(kTagBytes);
    std::string out(body.size(), '\0');
    const ContextPtr context(EVP_CIPHER_CTX_new());
    int size = 0;
    const bool done =
        EVP_DecryptInit_ex2(context.get(), cipher_.get(), bytes_of(secret), nullptr, nullptr) ==
            1 &&
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1 &&
        EVP_DecryptUpdate(context.get(), nullptr, &size, bytes_of(along),
                          static_cast<int>(along.size())) == 1 &&
        EVP_DecryptUpdate(context.get(), bytes_of(out), &size, bytes_of(body),
                          static_cast<int>(body.size())) == 1 &&
        EVP_DecryptFinal_ex(context.get(), bytes_of(out) + size, &size) == 1;
    if (!done) return damaged();
    return out;
}

}  // namespace tidal::api
