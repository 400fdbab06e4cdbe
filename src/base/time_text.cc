#include "base/time_text.h"

#include <array>
#include <cstdint>
#include <cstdio>

#include "base/calendar.h"

namespace tidal {
namespace {

struct Date {
    std::int64_t year;
    int month;  // 1..12
    int day;    // 1..31
};

// Days since 1970-01-01 of the proleptic Gregorian calendar and back: Howard Hinnant,
// "chrono-compatible low-level date algorithms" (days_from_civil, civil_from_days).
std::int64_t days_from_date(const Date& date) {
    const std::int64_t year = date.year - (date.month <= 2 ? 1 : 0);
    const std::int64_t era = floor_divide(year, 400);
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year =
        (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
    const std::int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

Date date_from_days(std::int64_t days) {
    days += 719468;
    const std::int64_t era = floor_divide(days, 146097);
    const std::int64_t day_of_era = days - era * 146097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const std::int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
    const int day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    const int month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

int days_in_month(std::int64_t year, int month) {
    constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

// Reads from the left; the first thing that does not fit is kept as the error.
class Reader {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    // Exactly `width` digits, in [low, high].
    int number(int width, int low, int high, const char* expected) {
        if (failed()) return 0;
        int value = 0;
        const std::size_t begin = at_;
        for (int i = 0; i < width; ++i) {
            if (at_ >= text_.size() || text_[at_] < '0' || text_[at_] > '9') return fail(expected);
            value = value * 10 + (text_[at_++] - '0');
        }
        if (value < low || value > high) {
            at_ = begin;
            return fail(expected);
        }
        return value;
    }
    void one_of(std::string_view choices, const char* expected) {
        if (!accept(choices)) fail(expected);
    }
    bool accept(std::string_view choices) {
        if (expected_ != nullptr || at_ >= text_.size()) return false;
        if (choices.find(text_[at_]) == std::string_view::npos) return false;
        ++at_;
        return true;
    }
    // ".5" is 500; digits beyond the third are read and dropped.
    int fraction_ms() {
        if (!accept(".")) return 0;
        int value = number(1, 0, 9, "digits after the point") * 100;
        for (int scale = 10; expected_ == nullptr && at_ < text_.size(); scale /= 10) {
            if (text_[at_] < '0' || text_[at_] > '9') break;
            value += (text_[at_++] - '0') * scale;
        }
        return value;
    }
    int fail(const char* expected) {
        if (expected_ == nullptr) expected_ = expected;
        return 0;
    }
    bool failed() const { return expected_ != nullptr; }
    const char* expected() const { return expected_; }
    std::size_t at() const { return at_; }
    bool at_end() const { return at_ == text_.size(); }
    void rewind(std::size_t at) { at_ = at; }

private:
    std::string_view text_;
    std::size_t at_ = 0;
    const char* expected_ = nullptr;
};

UnixMillis read_time(Reader& in) {
    Date date{};
    date.year = in.number(4, 0, 9999, "a year of four digits");
    in.one_of("-", "'-' after the year");
    date.month = in.number(2, 1, 12, "a month 01..12");
    in.one_of("-", "'-' after the month");
    const int days = in.failed() ? 31 : days_in_month(date.year, date.month);
    date.day = in.number(2, 1, days, "a day of that month");
    in.one_of("Tt ", "'T' between date and time");
    const int hour = in.number(2, 0, 23, "an hour 00..23");
    in.one_of(":", "':' after the hour");
    const int minute = in.number(2, 0, 59, "a minute 00..59");
    in.one_of(":", "':' after the minute");
    const std::size_t second_at = in.at();
    const int second = in.number(2, 0, 60, "a second 00..59");
    const int fraction_ms = in.fraction_ms();
    std::int64_t offset_minutes = 0;
    if (!in.accept("Zz")) {
        const bool west = in.accept("-");
        if (!west) in.one_of("+", "'Z' or an offset like +02:00");
        offset_minutes = in.number(2, 0, 23, "offset hours 00..23") * 60;
        in.one_of(":", "':' within the offset");
        offset_minutes += in.number(2, 0, 59, "offset minutes 00..59");
        if (west) offset_minutes = -offset_minutes;
    }
    if (!in.at_end()) in.fail("the end of the time");
    if (in.failed()) return 0;

    const UnixMillis minute_ms = day_start(days_from_date(date)) + hour * kHourMs +
                                 minute * kMinuteMs - offset_minutes * kMinuteMs;
    if (second < 60) return minute_ms + second * kSecondMs + fraction_ms;
    if (floor_divide(minute_ms + kMinuteMs, kDayMs) * kDayMs != minute_ms + kMinuteMs) {
        in.rewind(second_at);
        in.fail("a second 00..59 (60 only at 23:59 UTC)");
    }
    return minute_ms + kMinuteMs;
}

}  // namespace

std::string format_time(UnixMillis time) {
    if (time < kTimeTextMin || time > kTimeTextMax) return std::to_string(time);
    const std::int64_t day = day_index(time);
    const Date date = date_from_days(day);
    const auto ms_of_day = static_cast<int>(time - day_start(day));
    const int seconds = ms_of_day / 1000;
    std::string out = "0000-00-00T00:00:00";
    const auto put = [&out](std::size_t at, std::size_t digits, int number) {
        for (std::size_t i = digits; i-- > 0; number /= 10)
            out[at + i] = static_cast<char>('0' + number % 10);
    };
    put(0, 4, static_cast<int>(date.year));
    put(5, 2, date.month);
    put(8, 2, date.day);
    put(11, 2, seconds / 3600);
    put(14, 2, seconds / 60 % 60);
    put(17, 2, seconds % 60);
    if (ms_of_day % 1000 != 0) {
        out += ".000";
        put(20, 3, ms_of_day % 1000);
    }
    return out + "Z";
}

Result<UnixMillis> parse_time(std::string_view text, std::string_view field) {
    Reader in(text);
    const UnixMillis time = read_time(in);
    if (in.failed()) {
        return Error(ErrorCode::kInvalidArgument,
                     std::string("not a time of RFC 3339: expected ") + in.expected())
            .with_field(field)
            .with("byte_offset", in.at())
            .with_hint("write it like 2026-01-31T09:00:00Z, or as integer Unix milliseconds");
    }
    return time;
}

}  // namespace tidal
