#include "text/internal/stemmer.h"

namespace tidal::text {

Stemmer::Stemmer(const std::string& language)
    : stemmer_(sb_stemmer_new(language.empty() ? "english" : language.c_str(), nullptr)) {}

std::string_view Stemmer::stem(std::string_view word) {
    if (stemmer_ == nullptr) return word;
    if (const auto known = kept_.find(word); known != kept_.end()) return known->second;
    const auto* stem =
        sb_stemmer_stem(stemmer_.get(), reinterpret_cast<const sb_symbol*>(word.data()),
                        static_cast<int>(word.size()));
    if (stem == nullptr) return word;  // Out of memory, says libstemmer.
    if (kept_.size() >= kKeptMax) kept_.clear();
    const auto size = static_cast<std::size_t>(sb_stemmer_length(stemmer_.get()));
    const std::string_view text(reinterpret_cast<const char*>(stem), size);
    // A stemmer that leaves nothing would make all such words one.
    return kept_.emplace(word, text.empty() ? word : text).first->second;
}

}  // namespace tidal::text
