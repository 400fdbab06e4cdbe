#include "cluster/certificates.h"

#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "cluster/internal/openssl.h"

namespace tidal::cluster {
namespace {

using internal::KeyPtr;
using internal::openssl_failed;
using internal::X509Ptr;

constexpr UnixMillis kEarlierMs = 3'600'000;
constexpr std::int64_t kDayMs = 86'400'000;
constexpr int kSerialBytes = 16;

using StorePtr = std::unique_ptr<X509_STORE, internal::Freeing<&X509_STORE_free>>;
using ChainPtr = std::unique_ptr<X509_STORE_CTX, internal::Freeing<&X509_STORE_CTX_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, internal::Freeing<&BN_free>>;

Result<KeyPtr> generate_key() {
    KeyPtr key(EVP_EC_gen("P-256"));
    if (!key) return openssl_failed("making a key");
    return key;
}

Result<void> set_serial(X509* certificate) {
    unsigned char bytes[kSerialBytes];
    if (RAND_bytes(bytes, kSerialBytes) != 1) return openssl_failed("drawing a number");
    bytes[0] &= 0x7f;  // positive
    const NumberPtr number(BN_bin2bn(bytes, kSerialBytes, nullptr));
    BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate));
    return {};
}

void set_name(X509_NAME* name, const std::string& common_name) {
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>("tidalDB"), -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                               0);
}

Result<void> add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    if (extension == nullptr) return openssl_failed("an extension of a certificate");
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return {};
}

Result<X509Ptr> begin_certificate(EVP_PKEY* key, const std::string& common_name, UnixMillis now_ms,
                                  std::int64_t days) {
    X509Ptr certificate(X509_new());
    if (!certificate) return openssl_failed("making a certificate");
    X509_set_version(certificate.get(), X509_VERSION_3);
    TIDAL_TRY(set_serial(certificate.get()));
    ASN1_TIME_set(X509_getm_notBefore(certificate.get()), (now_ms - kEarlierMs) / 1000);
    ASN1_TIME_set(X509_getm_notAfter(certificate.get()), (now_ms + days * kDayMs) / 1000);
    X509_set_pubkey(certificate.get(), key);
    set_name(X509_get_subject_name(certificate.get()), common_name);
    return certificate;
}

std::string first_uri(X509* certificate) {
    std::string out;
    auto* names = static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names) && out.empty(); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI) continue;
        const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
        out.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                   static_cast<std::size_t>(ASN1_STRING_length(uri)));
    }
    GENERAL_NAMES_free(names);
    return out;
}

}  // namespace

Result<KeyAndCertificate> create_authority(const std::string& cluster_id, UnixMillis now_ms) {
    TIDAL_ASSIGN(const KeyPtr key, generate_key());
    TIDAL_ASSIGN(const X509Ptr certificate,
                 begin_certificate(key.get(), "cluster " + cluster_id, now_ms, kAuthorityDays));
    X509* raw = certificate.get();
    X509_set_issuer_name(raw, X509_get_subject_name(raw));
    TIDAL_TRY(add_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
    TIDAL_TRY(add_extension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign"));
    TIDAL_TRY(add_extension(raw, raw, NID_subject_key_identifier, "hash"));
    if (X509_sign(raw, key.get(), EVP_sha256()) == 0) return openssl_failed("signing");
    return KeyAndCertificate{internal::private_to_pem(key.get()), internal::to_pem(raw)};
}

Result<std::string> create_key() {
    TIDAL_ASSIGN(const KeyPtr key, generate_key());
    return internal::private_to_pem(key.get());
}

Result<std::string> public_key_of(const std::string& key) {
    TIDAL_ASSIGN(const KeyPtr whole, internal::private_key_from_pem(key));
    return internal::public_to_pem(whole.get());
}

Result<std::string> issue_certificate(const KeyAndCertificate& authority,
                                      const std::string& public_key, const NodeIdentity& node,
                                      UnixMillis now_ms) {
    TIDAL_ASSIGN(const KeyPtr signer, internal::private_key_from_pem(authority.key));
    TIDAL_ASSIGN(const X509Ptr issuer, internal::certificate_from_pem(authority.certificate));
    TIDAL_ASSIGN(const KeyPtr holder, internal::public_key_from_pem(public_key));
    if (X509_check_private_key(issuer.get(), signer.get()) != 1)
        return Error(ErrorCode::kInvalidArgument, "the authority's key is not its certificate's");
    TIDAL_ASSIGN(const X509Ptr certificate,
                 begin_certificate(holder.get(), "node " + std::to_string(node.node.value()),
                                   now_ms, kNodeCertificateDays));
    X509* raw = certificate.get();
    X509_set_issuer_name(raw, X509_get_subject_name(issuer.get()));
    TIDAL_TRY(add_extension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE"));
    TIDAL_TRY(add_extension(raw, issuer.get(), NID_key_usage, "critical,digitalSignature"));
    TIDAL_TRY(add_extension(raw, issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth"));
    TIDAL_TRY(add_extension(raw, issuer.get(), NID_subject_key_identifier, "hash"));
    TIDAL_TRY(add_extension(raw, issuer.get(), NID_authority_key_identifier, "keyid:always"));
    TIDAL_TRY(
        add_extension(raw, issuer.get(), NID_subject_alt_name, "URI:" + certificate_name(node)));
    if (X509_sign(raw, signer.get(), EVP_sha256()) == 0) return openssl_failed("signing");
    return internal::to_pem(raw);
}

Result<void> check_certificate(const std::string& certificate, const std::string& authority,
                               const NodeIdentity& node, UnixMillis now_ms) {
    TIDAL_ASSIGN(const X509Ptr leaf, internal::certificate_from_pem(certificate));
    TIDAL_ASSIGN(const X509Ptr root, internal::certificate_from_pem(authority));
    const StorePtr store(X509_STORE_new());
    X509_STORE_add_cert(store.get(), root.get());
    const ChainPtr chain(X509_STORE_CTX_new());
    X509_STORE_CTX_init(chain.get(), store.get(), leaf.get(), nullptr);
    X509_STORE_CTX_set_time(chain.get(), 0, now_ms / 1000);
    if (X509_verify_cert(chain.get()) != 1)
        return Error(ErrorCode::kUnauthenticated,
                     std::string("the certificate does not count: ") +
                         X509_verify_cert_error_string(X509_STORE_CTX_get_error(chain.get())));
    if (const std::string named = first_uri(leaf.get()); named != certificate_name(node))
        return Error(ErrorCode::kUnauthenticated, "the certificate is for another node")
            .with("names", named)
            .with("expected", certificate_name(node));
    return {};
}

Result<std::string> certificate_hash(const std::string& certificate) {
    TIDAL_ASSIGN(const X509Ptr parsed, internal::certificate_from_pem(certificate));
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (X509_digest(parsed.get(), EVP_sha256(), digest, &size) != 1)
        return openssl_failed("hashing a certificate");
    return std::string(reinterpret_cast<const char*>(digest), size);
}

}  // namespace tidal::cluster
