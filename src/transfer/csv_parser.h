// transfer/csv_parser.h: delimited text, fed in pieces of any size.
//
// Source: RFC 4180, with LF accepted beside CRLF, any one-byte delimiter, and UTF-8 throughout.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidal::transfer {

/// Where a row stood in its file. All count from 1.
struct RowPlace {
    std::uint64_t line = 0;  ///< Physical line it begins on; a quoted field may span several.
    std::uint64_t row =
        0;  ///< Rows so far, the header and rejected ones included, blank lines not.
    bool after_blank = false;  ///< A blank line lies between it and the row before, if any.
};

/// A row that was left out, and why. Views are valid during the call.
struct RejectedRow {
    RowPlace place;
    std::uint32_t column = 0;      ///< Field it is about, from 1; 0 = the whole row.
    std::string_view column_name;  ///< Empty when not known.
    std::string_view reason;
    std::string_view text;  ///< The row as it stood, without its line end; at most kRowBytesMax.
};

inline constexpr std::size_t kRowBytesMax = 1024 * 1024;
inline constexpr std::size_t kColumnsMax = 4096;

/// Splits bytes into rows. A bad row is reported and skipped up to its line end; parsing goes on.
/// A quote that is never closed costs at most kRowBytesMax. Memory: one row. Not thread-safe.
class CsvParser {
public:
    struct Options {
        char delimiter = ',';
        bool quoting = true;  ///< Off: a quote is a character like any other.
    };
    /// Views are valid during the call.
    class Handler {
    public:
        virtual ~Handler() = default;
        /// False stops the parser for good.
        virtual bool on_row(std::span<const std::string_view> fields, const RowPlace& place,
                            std::string_view text) = 0;
        virtual void on_rejected(const RejectedRow& rejected) = 0;
    };

    CsvParser(const Options& options, Handler& handler) : options_(options), handler_(handler) {}

    void feed(std::string_view bytes);
    /// The last row needs no line end.
    void finish();

private:
    enum class State : std::uint8_t {
        kFieldStart,
        kUnquoted,
        kQuoted,
        kQuoteInQuoted,
        kCarriageReturn,
        kSkipLine
    };

    void take(char c);
    void take_field_start(char c);
    void take_unquoted(char c);
    void take_quoted(char c);
    void take_quote_in_quoted(char c);
    void end_field();
    void end_row();
    void end_skipped();
    void refuse(const char* reason);
    void begin_row();
    void next_row();
    /// The first field, from 1, that is not UTF-8; 0 = none.
    std::uint32_t find_bad_text() const;

    const Options options_;
    Handler& handler_;
    State state_ = State::kFieldStart;
    std::string raw_;                      ///< The row as it stands.
    std::string content_;                  ///< Fields without quotes, one after the other.
    std::vector<std::size_t> field_ends_;  ///< In content_.
    std::vector<std::string_view> fields_;
    std::uint64_t line_ = 1;  ///< Being read.
    RowPlace place_{1, 1};
    std::uint32_t refused_column_ = 0;
    const char* refused_reason_ = nullptr;
    unsigned bom_seen_ = 0;
    bool at_start_ = true;
    bool stopped_ = false;
};

}  // namespace tidal::transfer
