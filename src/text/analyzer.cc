#include "text/analyzer.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uversion.h>

#include <absl/container/flat_hash_set.h>

#include <algorithm>

#include "base/codec.h"
#include "base/hash.h"
#include "text/internal/stemmer.h"
#include "text/internal/text_hash.h"
#include "text/internal/word_breaker.h"

namespace tidal::text {
namespace {

bool is_ascii(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return (c & 0x80) != 0; });
}

bool is_ascii_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

void fold_ascii(std::string_view text, std::string* out) {
    out->resize(text.size());
    std::ranges::transform(text, out->begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
}

void fold_unicode(std::string_view text, std::string* out) {
    UErrorCode status = U_ZERO_ERROR;
    const icu::Normalizer2* const folding = icu::Normalizer2::getNFKCCasefoldInstance(status);
    out->clear();
    icu::StringByteSink<std::string> sink(out);
    if (U_SUCCESS(status))
        folding->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int>(text.size())),
                               sink, nullptr, status);
    if (U_FAILURE(status)) *out = text;
}

/// Ends before the character that would pass the most.
std::string_view cut(std::string_view word) {
    if (word.size() <= kWordBytesMax) return word;
    std::size_t end = kWordBytesMax;
    while (end > 0 && (word[end] & 0xC0) == 0x80) --end;
    return word.substr(0, end);
}

}  // namespace

std::string fold(std::string_view text) {
    std::string out;
    is_ascii(text) ? fold_ascii(text, &out) : fold_unicode(text, &out);
    return out;
}

std::uint64_t fingerprint(const Analyzer::Options& options) {
    constexpr std::uint32_t kOurs = 1;  // Rises with every change of what texts become.
    Encoder out;
    out.u32(kOurs);
    UVersionInfo icu;
    u_getVersion(icu);
    for (const std::uint8_t part : icu) out.u8(part);
    out.bytes("libstemmer 2.2");  // It does not say; docs/decisions/0037.
    out.bytes(options.language);
    out.varint(options.stop_words.size());
    for (const std::string& word : options.stop_words) out.bytes(word);
    return hash64(out.view());
}

class Analyzer::Impl {
public:
    explicit Impl(const Options& options) : stemmer_(options.language) {
        for (const std::string& word : options.stop_words) stop_words_.insert(fold(word));
    }

    void analyze(std::string_view text, std::vector<Token>* out) {
        used_ = 0;
        position_ = 0;
        if (is_ascii(text)) {
            fold_ascii(text, &folded_);
            split_ascii(out);
        } else {
            fold_unicode(text, &folded_);
            breaker_.for_each(folded_,
                              [&](std::string_view word, bool pair) { add(word, pair, out); });
        }
        out->resize(used_);
    }

private:
    void split_ascii(std::vector<Token>* out) {
        const std::string_view text = folded_;
        for (std::size_t at = 0; at < text.size();) {
            while (at < text.size() && !is_ascii_word(text[at])) ++at;
            std::size_t end = at;
            while (end < text.size() && is_ascii_word(text[end])) ++end;
            if (end > at) add(text.substr(at, end - at), false, out);
            at = end;
        }
    }

    /// Tokens of earlier calls keep their memory.
    void add(std::string_view whole, bool pair, std::vector<Token>* out) {
        const std::string_view word = cut(whole);
        const std::uint32_t position = position_++;
        if (!stop_words_.empty() && stop_words_.contains(word)) return;
        if (used_ == out->size()) out->emplace_back();
        Token& token = (*out)[used_++];
        token.word = word;
        token.term = pair ? word : stemmer_.stem(word);
        token.position = position;
        token.plain =
            !pair && std::ranges::none_of(word, [](char c) { return c >= '0' && c <= '9'; });
    }

    Stemmer stemmer_;
    WordBreaker breaker_;
    absl::flat_hash_set<std::string, TextHash, TextEqual> stop_words_;
    std::string folded_;
    std::size_t used_ = 0;
    std::uint32_t position_ = 0;
};

Analyzer::Analyzer(const Options& options) : impl_(std::make_unique<Impl>(options)) {}
Analyzer::~Analyzer() = default;
Analyzer::Analyzer(Analyzer&&) noexcept = default;
Analyzer& Analyzer::operator=(Analyzer&&) noexcept = default;
void Analyzer::analyze(std::string_view text, std::vector<Token>* out) {
    impl_->analyze(text, out);
}

}  // namespace tidal::text
