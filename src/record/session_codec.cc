#include "record/session_codec.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace tidal::record {
namespace {

template <typename Number>
Number decode_number(Decoder* in) {
    const std::uint64_t value = in->varint();
    if (value > std::numeric_limits<Number>::max()) in->fail();
    return static_cast<Number>(value);
}

bool is_rate(std::uint32_t number) {
    return number >= 1 && number <= kSessionRateMax;
}

}  // namespace

void encode_limits(const SessionLimits& limits, Encoder* out) {
    out->bytes(limits.policy);
    out->varint(limits.signals.size());
    for (const SignalTypeId signal : limits.signals) out->varint(signal.value());
    out->varint(limits.per_minute);
    out->varint(limits.burst);
    out->varint(limits.duration_ms);
}

SessionLimits decode_limits(Decoder* in) {
    SessionLimits out;
    out.policy = in->bytes();
    const std::size_t count = in->count(1);
    for (std::size_t i = 0; i < count && !in->failed(); ++i)
        out.signals.emplace_back(decode_number<SignalTypeId::number_type>(in));
    out.per_minute = decode_number<std::uint32_t>(in);
    out.burst = decode_number<std::uint32_t>(in);
    out.duration_ms = in->varint();
    return out;
}

void encode_annotations(const Annotations& annotations, Encoder* out) {
    out->varint(annotations.size());
    for (const auto& [key, value] : annotations) {
        out->bytes(key);
        out->bytes(value);
    }
}

Annotations decode_annotations(Decoder* in) {
    Annotations out;
    const std::size_t count = in->count(2);
    if (count > kAnnotationsMax) in->fail();
    for (std::size_t i = 0; i < count && !in->failed(); ++i) {
        std::string key(in->bytes());
        out.emplace_back(std::move(key), std::string(in->bytes()));
    }
    return out;
}

void encode_cohorts(const std::vector<CohortId>& cohorts, Encoder* out) {
    out->varint(cohorts.size());
    for (const CohortId cohort : cohorts) out->varint(cohort.value());
}

void decode_cohorts(Decoder* in, std::vector<CohortId>* cohorts) {
    cohorts->clear();
    const std::size_t count = in->count(1);
    if (count > kCohortsMax) return in->fail();
    for (std::size_t i = 0; i < count && !in->failed(); ++i)
        cohorts->emplace_back(decode_number<CohortId::number_type>(in));
}

std::string_view wrong_with(const SessionLimits& limits) {
    if (limits.policy.empty() || limits.policy.size() > kTokenBytesMax)
        return "policy: has 1 to 255 bytes";
    if (std::ranges::adjacent_find(limits.signals, std::greater_equal<>()) != limits.signals.end())
        return "signals: are sorted, each once";
    if (!is_rate(limits.per_minute)) return "per_minute: is 1 to 60000";
    if (!is_rate(limits.burst)) return "burst: is 1 to 60000";
    if (limits.duration_ms < kSessionDurationMsMin || limits.duration_ms > kSessionDurationMsMax)
        return "duration: is 1s to 24h";
    return {};
}

std::string_view wrong_with(const Annotations& annotations) {
    if (annotations.size() > kAnnotationsMax) return "are at most 32";
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < annotations.size(); ++i) {
        const auto& [key, value] = annotations[i];
        bytes += key.size() + value.size();
        if (key.empty()) return "a key is not empty";
        if (i > 0 && annotations[i - 1].first >= key) return "are sorted, each once";
    }
    return bytes <= kAnnotationBytesMax ? std::string_view() : "have at most 1 KiB together";
}

}  // namespace tidal::record
