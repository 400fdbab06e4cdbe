// text/internal/stemmer.h: libstemmer, and the stems it gave lately.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <libstemmer.h>

#include <memory>
#include <string>
#include <string_view>

#include "text/internal/text_hash.h"

namespace tidal::text {

class Stemmer {
public:
    /// @param language  As libstemmer names it; one it does not know leaves words as they are.
    explicit Stemmer(const std::string& language);

    /// @param word  Folded. Valid until the next call.
    std::string_view stem(std::string_view word);

private:
    struct Delete {
        void operator()(sb_stemmer* stemmer) const { sb_stemmer_delete(stemmer); }
    };
    /// Words of which stems are kept; about 4 MB.
    static constexpr std::size_t kKeptMax = 32'768;

    std::unique_ptr<sb_stemmer, Delete> stemmer_;
    absl::flat_hash_map<std::string, std::string, TextHash, TextEqual> kept_;
};

}  // namespace tidal::text
