#include "api/session_policy.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "api/resolve.h"
#include "base/edit_distance.h"
#include "record/session_codec.h"
#include "schema/duration.h"

namespace tidal::api {
namespace {

constexpr std::string_view kRules[] = {"signals", "per_minute", "burst", "duration"};

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
        text.remove_suffix(1);
    return text;
}

Error wrong(std::string_view what, std::string_view hint) {
    return Error(ErrorCode::kInvalidArgument, std::string(what)).with_hint(hint);
}

Result<std::uint32_t> rate(std::string_view rule, std::string_view text) {
    std::uint32_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error == std::errc() && end == text.data() + text.size() && out >= 1 &&
        out <= record::kSessionRateMax)
        return out;
    return wrong(std::string(rule) + " is a number of signals", "1 to 60000");
}

Result<std::vector<std::string>> names(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const std::size_t comma = std::min(text.find(','), text.size());
        const std::string name(trimmed(text.substr(0, comma)));
        if (auto named = schema::check_name(name); !named) return named.take_error();
        if (std::ranges::find(out, name) != out.end())
            return wrong("signal `" + name + "` is named twice", "each once");
        out.push_back(name);
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    if (out.empty()) return wrong("signals names none", "signals view, like");
    return out;
}

Result<void> read_rule(std::string_view rule, std::string_view text, PolicyRules* out) {
    if (rule == "signals") {
        TIDAL_ASSIGN(out->signals, names(text));
    } else if (rule == "per_minute") {
        TIDAL_ASSIGN(out->per_minute, rate(rule, text));
    } else if (rule == "burst") {
        TIDAL_ASSIGN(out->burst, rate(rule, text));
    } else if (rule == "duration") {
        TIDAL_ASSIGN(const std::int64_t ms, schema::parse_duration_ms(text));
        out->duration_ms = static_cast<std::uint64_t>(ms);
        if (out->duration_ms < record::kSessionDurationMsMin ||
            out->duration_ms > record::kSessionDurationMsMax)
            return wrong("a session lasts from a second to a day", "1s to 24h");
    } else {
        return wrong("unknown rule `" + std::string(rule) + "`", name_hint(rule, kRules));
    }
    return {};
}

}  // namespace

Result<PolicyRules> parse_policy(std::string_view text) {
    if (text.size() > kPolicyBytesMax)
        return Error(ErrorCode::kTooLarge, "a policy has at most 16 KiB").with_field("text");
    PolicyRules out;
    std::set<std::string, std::less<>> seen;
    for (std::uint64_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        line = trimmed(line.substr(0, line.find('#')));
        if (line.empty()) continue;
        const std::size_t space = std::min(line.find_first_of(" \t"), line.size());
        const std::string_view rule = line.substr(0, space);
        Result<void> read;
        if (!seen.emplace(rule).second)
            read = wrong("`" + std::string(rule) + "` is said twice", "each rule once");
        else
            read = read_rule(rule, trimmed(line.substr(space)), &out);
        if (!read.ok()) return read.take_error().with_field("text").with("line", number);
    }
    return out;
}

std::string print_policy(const PolicyRules& rules) {
    std::string out;
    for (const std::string& signal : rules.signals)
        out += (out.empty() ? "signals " : ", ") + signal;
    if (!out.empty()) out += "\n";
    out += "per_minute " + std::to_string(rules.per_minute) + "\n";
    out += "burst " + std::to_string(rules.burst) + "\n";
    const auto duration_ms = static_cast<std::int64_t>(rules.duration_ms);
    return out + "duration " + schema::print_duration(duration_ms) + "\n";
}

StoredPolicy default_policy() {
    StoredPolicy out;
    out.name = kDefaultPolicy;
    out.text = print_policy(out.rules);
    return out;
}

Result<record::SessionLimits> limits_of(const StoredPolicy& policy, const schema::Schema& schema) {
    record::SessionLimits out;
    out.policy = policy.name + "@" + std::to_string(policy.version);
    for (const std::string& name : policy.rules.signals) {
        const schema::SignalSpec* spec = schema.find_signal(name);
        if (spec == nullptr) return unknown_signal(schema, name);
        out.signals.push_back(spec->id);
    }
    std::ranges::sort(out.signals);
    out.per_minute = policy.rules.per_minute;
    out.burst = policy.rules.burst;
    out.duration_ms = policy.rules.duration_ms;
    return out;
}

}  // namespace tidal::api
