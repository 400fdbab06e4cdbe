// ranking/token_stream.h: words, numbers and symbols of the small languages, one token ahead.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal::ranking {

/// Longest text any of the languages accepts.
inline constexpr std::size_t kTextBytesMax = 16 * 1024;
/// Deepest nesting of parentheses, calls, signs and powers.
inline constexpr std::uint32_t kDepthMax = 64;

enum class TokenKind : std::uint8_t {
    kEnd,
    kName,        ///< [A-Za-z_][A-Za-z0-9_]*
    kQuotedName,  ///< "anything", "" inside stands for one quote.
    kNumber,      ///< 12, 0.5, 1e-3; never signed.
    kDuration,    ///< A number with letters behind it: 24h, 7d.
    kString,      ///< 'anything', '' inside stands for one quote.
    kSymbol,      ///< + - * / ^ ( ) , ; { } @ % < <= > >= = == !=
    kInvalid,     ///< A character of no token, or a quote that is not closed.
};

struct Token {
    TokenKind kind = TokenKind::kEnd;
    std::string_view text;  ///< As written, quotes included. Lives as long as the source.
    std::uint32_t offset = 0;
    double number = 0;  ///< Of kNumber; infinite when out of range.
};

/// `#` starts a comment up to the end of the line. Lifetime: borrows the source.
class TokenStream {
public:
    explicit TokenStream(std::string_view source);

    const Token& peek() const { return current_; }
    Token take();

    bool at_symbol(std::string_view symbol) const;
    bool at_word(std::string_view word) const;  ///< Names only, case as written.
    bool accept_symbol(std::string_view symbol);
    bool accept_word(std::string_view word);
    Result<void> expect_symbol(std::string_view symbol);

    /// "expected <what>, found <the current token>", at the current token.
    Error expected(std::string_view what) const;
    Error error(ErrorCode code, std::uint32_t offset, std::string message) const;
    std::string_view source() const { return source_; }

private:
    Token scan();
    void skip_blanks();
    Token scan_number();
    Token scan_quoted(char quote);
    Token scan_symbol();

    std::string_view source_;
    std::size_t next_ = 0;
    Token current_;
};

/// What a quoted token stands for.
std::string unquote(const Token& token);
/// `text` between `quote`s, doubled where they occur inside.
std::string quote(std::string_view text, char quote);

}  // namespace tidal::ranking
