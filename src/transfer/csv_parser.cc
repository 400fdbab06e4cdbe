#include "transfer/csv_parser.h"

#include "base/utf8.h"

namespace tidal::transfer {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

void CsvParser::feed(std::string_view bytes) {
    for (const char c : bytes) {
        if (stopped_) return;
        if (at_start_) {
            // Spreadsheets write a mark before the first field; it may come in pieces.
            if (c == kByteOrderMark[bom_seen_]) {
                if (++bom_seen_ == kByteOrderMark.size()) at_start_ = false;
                continue;
            }
            at_start_ = false;
            for (unsigned i = 0; i < bom_seen_; ++i) take(kByteOrderMark[i]);
        }
        take(c);
    }
}

void CsvParser::finish() {
    if (stopped_) return;
    if (at_start_ && bom_seen_ > 0)
        for (unsigned i = 0; i < bom_seen_; ++i) take(kByteOrderMark[i]);
    at_start_ = false;
    if (state_ == State::kQuoted) {
        refuse("a quote is opened and never closed");
        end_skipped();
    } else if (state_ == State::kSkipLine) {
        end_skipped();
    } else if (!raw_.empty()) {
        end_row();
    }
    stopped_ = true;
}

void CsvParser::take(char c) {
    // The first line end after a refusal ends the bad row, wherever a stray quote would have led.
    if (state_ == State::kSkipLine) {
        if (c == '\n')
            end_skipped();
        else if (raw_.size() < kRowBytesMax)
            raw_.push_back(c);
        if (c == '\n') ++line_;
        return;
    }
    if (raw_.size() >= kRowBytesMax) {
        refuse("longer than 1 MiB");
        return take(c);
    }
    if (c == '\0') {
        refuse("NUL byte");
        return take(c);
    }
    switch (state_) {
        case State::kFieldStart:
            take_field_start(c);
            break;
        case State::kUnquoted:
            take_unquoted(c);
            break;
        case State::kQuoted:
            take_quoted(c);
            break;
        case State::kQuoteInQuoted:
            take_quote_in_quoted(c);
            break;
        case State::kCarriageReturn:
            if (c == '\n') {
                end_row();
            } else {
                raw_.push_back('\r');
                refuse("carriage return inside a row");
                return take(c);
            }
            break;
        case State::kSkipLine:
            break;
    }
    if (c == '\n') ++line_;
    if (raw_.empty()) place_.line = line_;
}

void CsvParser::take_field_start(char c) {
    if (options_.quoting && c == '"') {
        raw_.push_back(c);
        state_ = State::kQuoted;
        return;
    }
    state_ = State::kUnquoted;
    take_unquoted(c);
}

void CsvParser::take_unquoted(char c) {
    if (c == '\n') return end_row();
    if (c == '\r') {
        state_ = State::kCarriageReturn;
        return;
    }
    raw_.push_back(c);
    if (c == options_.delimiter) return end_field();
    if (options_.quoting && c == '"')
        return refuse("quote inside a field that does not begin with one");
    content_.push_back(c);
}

void CsvParser::take_quoted(char c) {
    raw_.push_back(c);
    if (c == '"')
        state_ = State::kQuoteInQuoted;
    else
        content_.push_back(c);
}

void CsvParser::take_quote_in_quoted(char c) {
    if (c == '"') {
        raw_.push_back(c);
        content_.push_back(c);
        state_ = State::kQuoted;
        return;
    }
    if (c != '\n' && c != '\r' && c != options_.delimiter) {
        raw_.push_back(c);
        return refuse("text after a closing quote");
    }
    take_unquoted(c);
}

void CsvParser::end_field() {
    if (field_ends_.size() + 1 >= kColumnsMax) return refuse("more than 4096 fields");
    field_ends_.push_back(content_.size());
    state_ = State::kFieldStart;
}

std::uint32_t CsvParser::find_bad_text() const {
    if (!find_utf8_error(raw_)) return 0;  // the usual case, in one pass
    for (std::size_t i = 0; i < fields_.size(); ++i)
        if (find_utf8_error(fields_[i])) return static_cast<std::uint32_t>(i + 1);
    return 1;  // only across a delimiter, which is one byte of ASCII: cannot be
}

void CsvParser::end_row() {
    if (raw_.empty()) {  // blank line
        place_.after_blank = true;
        return begin_row();
    }
    field_ends_.push_back(content_.size());
    fields_.clear();
    std::size_t begin = 0;
    for (const std::size_t end : field_ends_) {
        fields_.push_back(std::string_view(content_).substr(begin, end - begin));
        begin = end;
    }
    if (const std::uint32_t column = find_bad_text(); column != 0)
        handler_.on_rejected({place_, column, {}, "not UTF-8", raw_});
    else if (!handler_.on_row(fields_, place_, raw_))
        stopped_ = true;
    next_row();
}

void CsvParser::refuse(const char* reason) {
    refused_reason_ = reason;
    refused_column_ = static_cast<std::uint32_t>(field_ends_.size() + 1);
    state_ = State::kSkipLine;
}

void CsvParser::end_skipped() {
    if (!raw_.empty() && raw_.back() == '\r') raw_.pop_back();
    handler_.on_rejected({place_, refused_column_, {}, refused_reason_, raw_});
    next_row();
    place_.line = line_ + 1;
}

void CsvParser::next_row() {
    ++place_.row;
    place_.after_blank = false;
    begin_row();
}

void CsvParser::begin_row() {
    raw_.clear();
    content_.clear();
    field_ends_.clear();
    state_ = State::kFieldStart;
}

}  // namespace tidal::transfer
