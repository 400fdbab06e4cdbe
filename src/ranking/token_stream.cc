#include "ranking/token_stream.h"

#include <array>
#include <cassert>
#include <charconv>
#include <limits>

#include "ranking/source_text.h"

namespace tidal::ranking {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name(char c) {
    return is_name_start(c) || is_digit(c);
}

std::string describe(const Token& token) {
    if (token.kind == TokenKind::kEnd) return "the end of the text";
    if (token.kind == TokenKind::kInvalid && (token.text[0] == '\'' || token.text[0] == '"'))
        return "a quote that is never closed";
    constexpr std::size_t kShownBytesMax = 40;
    if (token.text.size() <= kShownBytesMax) return "`" + std::string(token.text) + "`";
    std::size_t cut = kShownBytesMax;
    while (cut > 0 && (static_cast<unsigned char>(token.text[cut]) & 0xc0) == 0x80) --cut;
    return "`" + std::string(token.text.substr(0, cut)) + "...`";
}

}  // namespace

TokenStream::TokenStream(std::string_view source) : source_(source) {
    current_ = scan();
}

Token TokenStream::take() {
    Token out = current_;
    current_ = scan();
    return out;
}

bool TokenStream::at_symbol(std::string_view symbol) const {
    return current_.kind == TokenKind::kSymbol && current_.text == symbol;
}

bool TokenStream::at_word(std::string_view word) const {
    return current_.kind == TokenKind::kName && current_.text == word;
}

bool TokenStream::accept_symbol(std::string_view symbol) {
    if (!at_symbol(symbol)) return false;
    take();
    return true;
}

bool TokenStream::accept_word(std::string_view word) {
    if (!at_word(word)) return false;
    take();
    return true;
}

Result<void> TokenStream::expect_symbol(std::string_view symbol) {
    if (accept_symbol(symbol)) return {};
    return expected("`" + std::string(symbol) + "`");
}

Error TokenStream::expected(std::string_view what) const {
    return error(ErrorCode::kInvalidArgument, current_.offset,
                 "expected " + std::string(what) + ", found " + describe(current_))
        .with_reason("syntax_error");
}

Error TokenStream::error(ErrorCode code, std::uint32_t offset, std::string message) const {
    return error_at(code, source_, offset, std::move(message));
}

void TokenStream::skip_blanks() {
    while (next_ < source_.size()) {
        const char c = source_[next_];
        if (c == '#') {
            const auto end = source_.find('\n', next_);
            next_ = end == std::string_view::npos ? source_.size() : end;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            ++next_;
        } else {
            return;
        }
    }
}

Token TokenStream::scan() {
    skip_blanks();
    const std::size_t begin = next_;
    Token out;
    out.offset = static_cast<std::uint32_t>(begin);
    if (begin == source_.size()) return out;
    const char c = source_[begin];
    if (is_digit(c)) return scan_number();
    if (c == '\'' || c == '"') return scan_quoted(c);
    if (!is_name_start(c)) return scan_symbol();
    while (next_ < source_.size() && is_name(source_[next_])) ++next_;
    out.kind = TokenKind::kName;
    out.text = source_.substr(begin, next_ - begin);
    return out;
}

Token TokenStream::scan_number() {
    const std::size_t begin = next_;
    const auto digits = [&](std::size_t at) {
        while (at < source_.size() && is_digit(source_[at])) ++at;
        return at;
    };
    const auto digit_at = [&](std::size_t at) {
        return at < source_.size() && is_digit(source_[at]);
    };
    std::size_t end = digits(begin);
    if (end < source_.size() && source_[end] == '.' && digit_at(end + 1)) end = digits(end + 1);
    if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
        std::size_t exponent = end + 1;
        if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-'))
            ++exponent;
        if (digit_at(exponent)) end = digits(exponent);
    }
    Token out;
    out.kind = TokenKind::kNumber;
    out.offset = static_cast<std::uint32_t>(begin);
    const auto parsed = std::from_chars(source_.data() + begin, source_.data() + end, out.number);
    if (parsed.ec == std::errc::result_out_of_range)
        out.number = std::numeric_limits<double>::infinity();
    if (end < source_.size() && is_name_start(source_[end])) {
        while (end < source_.size() && is_name(source_[end])) ++end;
        out.kind = TokenKind::kDuration;
    }
    out.text = source_.substr(begin, end - begin);
    next_ = end;
    return out;
}

Token TokenStream::scan_quoted(char quote) {
    Token out;
    out.offset = static_cast<std::uint32_t>(next_);
    std::size_t end = next_ + 1;
    while (end < source_.size()) {
        if (source_[end] != quote) {
            ++end;
        } else if (end + 1 < source_.size() && source_[end + 1] == quote) {
            end += 2;
        } else {
            out.kind = quote == '"' ? TokenKind::kQuotedName : TokenKind::kString;
            out.text = source_.substr(next_, end + 1 - next_);
            next_ = end + 1;
            return out;
        }
    }
    out.kind = TokenKind::kInvalid;
    out.text = source_.substr(next_);
    next_ = source_.size();
    return out;
}

Token TokenStream::scan_symbol() {
    constexpr std::array<std::string_view, 4> kTwo{"<=", ">=", "==", "!="};
    constexpr std::string_view kOne = "+-*/^(),;{}@<>=%";
    Token out;
    out.offset = static_cast<std::uint32_t>(next_);
    out.kind = TokenKind::kSymbol;
    const auto rest = source_.substr(next_);
    std::size_t length = 0;
    for (const auto two : kTwo)
        if (rest.starts_with(two)) length = 2;
    if (length == 0 && kOne.find(rest[0]) != std::string_view::npos) length = 1;
    if (length == 0) {
        out.kind = TokenKind::kInvalid;
        length = 1;  // The whole UTF-8 character, so that the message is valid text.
        while (length < rest.size() && (static_cast<unsigned char>(rest[length]) & 0xc0) == 0x80)
            ++length;
    }
    out.text = rest.substr(0, length);
    next_ += length;
    return out;
}

std::string unquote(const Token& token) {
    assert(token.text.size() >= 2);
    const char mark = token.text.front();
    std::string out;
    for (std::size_t i = 1; i + 1 < token.text.size(); ++i) {
        out += token.text[i];
        if (token.text[i] == mark) ++i;
    }
    return out;
}

std::string quote(std::string_view text, char quote) {
    std::string out(1, quote);
    for (const char c : text) {
        out += c;
        if (c == quote) out += c;
    }
    out += quote;
    return out;
}

}  // namespace tidal::ranking
