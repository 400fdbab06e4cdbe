#include "record/value.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"

namespace tidal::record {
namespace {

using schema::FieldSpec;
using schema::FieldType;

// 0001-01-01 and 9999-12-31: the years RFC 3339 can write.
constexpr std::int64_t kTimestampMin = -62'135'596'800'000;
constexpr std::int64_t kTimestampMax = 253'402'300'799'999;

Error invalid(const FieldSpec& field, std::string_view message) {
    return Error(ErrorCode::kInvalidArgument, field.name + ": " + std::string(message))
        .with_field(field.name)
        .with("type", schema::field_type_name(field.type));
}

Result<void> check_text(const FieldSpec& field, const std::string& text, std::size_t bytes_max) {
    if (text.size() > bytes_max)
        return invalid(field, "too long").with("bytes", text.size()).with("bytes_max", bytes_max);
    return check_utf8(text, field.name);
}

Result<void> check_keywords(const FieldSpec& field, const std::vector<std::string>& words) {
    if (words.size() > kKeywordsMax)
        return invalid(field, "too many keywords").with("count_max", kKeywordsMax);
    if (std::adjacent_find(words.begin(), words.end(), std::greater_equal<>()) != words.end())
        return invalid(field, "keywords must be sorted, each once");
    for (const std::string& word : words) TIDAL_TRY(check_text(field, word, kKeywordBytesMax));
    return {};
}

Result<void> check_geo(const FieldSpec& field, const GeoPoint& point) {
    // Written so that NaN fails.
    if (point.latitude >= -90 && point.latitude <= 90 && point.longitude >= -180 &&
        point.longitude <= 180)
        return {};
    return invalid(field, "latitude is -90..90, longitude -180..180");
}

/// Which alternative holds a type's values.
std::size_t alternative_of(FieldType type) {
    switch (type) {
        case FieldType::kText:
        case FieldType::kKeyword:
        case FieldType::kJson:
            return 0;
        case FieldType::kKeywords:
            return 1;
        case FieldType::kInt:
        case FieldType::kTimestamp:
        case FieldType::kDuration:
            return 2;
        case FieldType::kFloat:
            return 3;
        case FieldType::kBool:
            return 4;
        case FieldType::kGeo:
            return 5;
    }
    return std::variant_npos;
}

std::string_view wanted_form(FieldType type) {
    static constexpr std::string_view kForms[] = {
        "a string is expected",       "a list of strings is expected",
        "a whole number is expected", "a number is expected",
        "true or false is expected",  "a latitude and a longitude are expected"};
    return kForms[alternative_of(type)];
}

}  // namespace

Result<void> check_value(const FieldSpec& field, const Value& value) {
    if (value.index() != alternative_of(field.type)) return invalid(field, wanted_form(field.type));
    switch (field.type) {
        case FieldType::kText:
        case FieldType::kJson:
            return check_text(field, std::get<std::string>(value), kTextBytesMax);
        case FieldType::kKeyword:
            return check_text(field, std::get<std::string>(value), kKeywordBytesMax);
        case FieldType::kKeywords:
            return check_keywords(field, std::get<std::vector<std::string>>(value));
        case FieldType::kTimestamp: {
            const auto ms = std::get<std::int64_t>(value);
            if (ms < kTimestampMin || ms > kTimestampMax)
                return invalid(field, "year outside 1..9999");
            return {};
        }
        case FieldType::kFloat:
            if (!std::isfinite(std::get<double>(value))) return invalid(field, "must be finite");
            return {};
        case FieldType::kGeo:
            return check_geo(field, std::get<GeoPoint>(value));
        case FieldType::kInt:
        case FieldType::kDuration:
        case FieldType::kBool:
            return {};
    }
    return {};
}

void encode_value(const Value& value, Encoder* out) {
    out->u8(static_cast<std::uint8_t>(value.index()));
    switch (value.index()) {
        case 0:
            out->bytes(std::get<0>(value));
            break;
        case 1:
            out->varint(std::get<1>(value).size());
            for (const std::string& word : std::get<1>(value)) out->bytes(word);
            break;
        case 2:
            out->svarint(std::get<2>(value));
            break;
        case 3:
            out->f64(std::get<3>(value));
            break;
        case 4:
            out->u8(std::get<4>(value) ? 1 : 0);
            break;
        default:
            out->f64(std::get<5>(value).latitude);
            out->f64(std::get<5>(value).longitude);
    }
}

Value decode_value(Decoder* in) {
    switch (in->u8()) {
        case 0:
            return std::string(in->bytes());
        case 1: {
            const std::size_t count = in->count(1);
            if (count > kKeywordsMax) in->fail();
            std::vector<std::string> words(in->failed() ? 0 : count);
            for (std::string& word : words) word = in->bytes();
            return words;
        }
        case 2:
            return in->svarint();
        case 3:
            return in->f64();
        case 4: {
            const std::uint8_t bit = in->u8();
            if (bit > 1) in->fail();
            return bit == 1;
        }
        case 5: {
            const double latitude = in->f64();
            return GeoPoint{latitude, in->f64()};
        }
        default:
            in->fail();
            return std::string();
    }
}

}  // namespace tidal::record
