#include <cstdio>

#include "tests/history/check.h"
#include "tests/history/history_file.h"

namespace tidal::history {
namespace {

constexpr std::size_t kOperationsShown = 40;

std::string milliseconds(std::int64_t ns) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", static_cast<double>(ns) / 1e6);
    return text;
}

std::string operation_text(const Operation& one) {
    std::string out = "    " + milliseconds(one.start_ns) + " .. ";
    out += one.end_ns == kNeverNs ? "?" : milliseconds(one.end_ns);
    out += " ms  client " + std::to_string(one.client) + " " + name_of(one.kind);
    if (one.value) out += " \"" + *one.value + "\"";
    if (one.kind == Kind::kRead && !one.value) out += " nothing";
    if (one.kind == Kind::kTotal) out += " " + std::to_string(one.total);
    if (!one.expected.empty()) out += " if version " + one.expected;
    if (!one.version.empty()) out += " (version " + one.version + ")";
    out += std::string(": ") + name_of(one.outcome);
    if (!one.node.empty()) out += ", node " + one.node;
    return out + "\n";
}

std::string finding_text(const std::string& key, const KeyVerdict& verdict) {
    if (verdict.answer == Answer::kUndecided)
        return "key " + key + ": undecided: " + verdict.reason + "\n";
    std::string out = "key " + key + ": not linearizable: " + verdict.reason + "\n";
    if (!verdict.operations.empty())
        out += "  no order explains these, each between its start and its end:\n";
    std::size_t shown = 0;
    for (const Operation& one : verdict.operations) {
        if (shown++ == kOperationsShown) break;
        out += operation_text(one);
    }
    if (verdict.operations.size() > kOperationsShown)
        out +=
            "    and " + std::to_string(verdict.operations.size() - kOperationsShown) + " more\n";
    if (verdict.unknown_adds > 0)
        out += "    and " + std::to_string(verdict.unknown_adds) + " more adds, counted or not\n";
    return out;
}

}  // namespace

std::string to_text(const HistoryVerdict& verdict) {
    std::string out;
    for (const auto& [key, found] : verdict.findings) out += finding_text(key, found);
    std::size_t violations = 0;
    for (const auto& [key, found] : verdict.findings)
        violations += found.answer == Answer::kViolation ? 1 : 0;
    out += std::to_string(verdict.operations) + " operations on " + std::to_string(verdict.keys) +
           " keys: ";
    if (verdict.findings.empty()) return out + "linearizable\n";
    return out + std::to_string(violations) + " keys not linearizable, " +
           std::to_string(verdict.findings.size() - violations) + " undecided\n";
}

}  // namespace tidal::history
