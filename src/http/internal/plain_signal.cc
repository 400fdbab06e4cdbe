#include "http/internal/plain_signal.h"

#include <charconv>
#include <cstdint>
#include <string>

namespace tidal::http {
namespace {

/// A whole number or a text.
struct PlainValue {
    bool is_text = false;
    std::uint64_t number = 0;
    std::string_view text;

    api::IdInput id() const {
        if (is_text) return std::string(text);
        return number;
    }
};

/// The tokens of a flat object, from the front. What is not as plain fails, and what comes then is
/// not looked at.
class PlainTokens {
public:
    explicit PlainTokens(std::string_view json)
        : at_(json.data()), end_(json.data() + json.size()) {}

    bool mark(char which) {
        skip_space();
        if (at_ == end_ || *at_ != which) return false;
        ++at_;
        return true;
    }
    bool text(std::string_view* out) {
        if (!mark('"')) return false;
        const char* const begin = at_;
        while (at_ != end_ && *at_ != '"') {
            const auto byte = static_cast<unsigned char>(*at_);
            if (byte < 0x20 || byte >= 0x80 || byte == '\\') return false;
            ++at_;
        }
        *out = {begin, static_cast<std::size_t>(at_ - begin)};
        return mark('"');
    }
    bool value(PlainValue* out) {
        skip_space();
        out->is_text = at_ != end_ && *at_ == '"';
        return out->is_text ? text(&out->text) : number(&out->number);
    }
    bool ends() {
        skip_space();
        return at_ == end_;
    }

private:
    void skip_space() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\t')) ++at_;
    }
    /// What follows it, whoever reads on will see: a fraction or an exponent is no mark of theirs.
    bool number(std::uint64_t* out) {
        const auto [end, error] = std::from_chars(at_, end_, *out);
        if (error != std::errc() || (*at_ == '0' && end - at_ > 1)) return false;
        at_ = end;
        return true;
    }

    const char* at_;
    const char* const end_;
};

enum Member : std::uint16_t {
    kUnknown = 0,
    kEntityId = 1 << 0,
    kSignal = 1 << 1,
    kWeight = 1 << 2,
    kAt = 1 << 3,
    kUserId = 1 << 4,
    kCreatorId = 1 << 5,
    kSessionId = 1 << 6,
    kContext = 1 << 7,
    kIdempotencyKey = 1 << 8,
    kSequence = 1 << 9,
};

/// By its length first, which tells nearly all of them apart. An undo is rare and not known here.
Member member_named(std::string_view key) {
    switch (key.size()) {
        case 2:
            return key == "at" ? kAt : kUnknown;
        case 6:
            return key == "signal" ? kSignal : key == "weight" ? kWeight : kUnknown;
        case 7:
            return key == "user_id" ? kUserId : key == "context" ? kContext : kUnknown;
        case 8:
            return key == "sequence" ? kSequence : kUnknown;
        case 9:
            return key == "entity_id" ? kEntityId : kUnknown;
        case 10:
            return key == "creator_id" ? kCreatorId : key == "session_id" ? kSessionId : kUnknown;
        case 15:
            return key == "idempotency_key" ? kIdempotencyKey : kUnknown;
        default:
            return kUnknown;
    }
}

/// False where the value is of another type than the member's, or a time in words.
bool put(Member member, const PlainValue& value, api::SignalWrite* write) {
    switch (member) {
        case kEntityId:
            write->id = value.id();
            return true;
        case kUserId:
            write->user_id = value.id();
            return true;
        case kCreatorId:
            write->creator_id = value.id();
            return true;
        case kSignal:
            write->signal = value.text;
            return value.is_text && !value.text.empty();
        case kContext:
            write->context = value.text;
            return value.is_text;
        case kIdempotencyKey:
            write->idempotency_key = value.text;
            return value.is_text;
        case kSessionId:
            write->session_id =
                value.is_text ? std::string(value.text) : std::to_string(value.number);
            return true;
        case kWeight:
            write->weight = static_cast<double>(value.number);
            return !value.is_text;
        case kAt:
            write->at_ms = static_cast<UnixMillis>(value.number);
            return !value.is_text && value.number <= INT64_MAX;
        case kSequence:
            write->sequence = value.number;
            return !value.is_text && value.number > 0;
        case kUnknown:
            return false;
    }
    return false;
}

}  // namespace

bool read_plain_signal(std::string_view json, api::Write* out) {
    auto& write = out->emplace<api::SignalWrite>();
    PlainTokens tokens(json);
    if (!tokens.mark('{')) return false;
    unsigned seen = 0;
    do {
        std::string_view key;
        PlainValue value;
        if (!tokens.text(&key) || !tokens.mark(':') || !tokens.value(&value)) return false;
        const Member member = member_named(key);
        if ((seen & member) != 0 || !put(member, value, &write)) return false;
        seen |= member;
    } while (tokens.mark(','));
    constexpr unsigned kNeeded = kEntityId | kSignal;
    return tokens.mark('}') && tokens.ends() && (seen & kNeeded) == kNeeded;
}

}  // namespace tidal::http
