#include "tests/history/history_file.h"

#include <boost/json.hpp>
#include <map>
#include <set>

namespace tidal::history {
namespace {

namespace json = boost::json;

constexpr std::pair<Kind, const char*> kKinds[] = {{Kind::kWrite, "write"},
                                                   {Kind::kRead, "read"},
                                                   {Kind::kCompareAndSet, "cas"},
                                                   {Kind::kAdd, "add"},
                                                   {Kind::kTotal, "total"}};
constexpr std::pair<Outcome, const char*> kOutcomes[] = {{Outcome::kOk, "ok"},
                                                         {Outcome::kMismatch, "mismatch"},
                                                         {Outcome::kRefused, "refused"},
                                                         {Outcome::kUnknown, "unknown"}};
constexpr std::string_view kMembers[] = {"client",  "key",     "op",    "start_ns",
                                         "end_ns",  "outcome", "value", "expected",
                                         "version", "total",   "node"};

Error bad(const std::string& what) {
    return Error(ErrorCode::kInvalidArgument, what);
}

template <typename Names, typename T>
bool find_name(const Names& names, std::string_view text, T* out) {
    for (const auto& [value, name] : names) {
        if (text != name) continue;
        *out = value;
        return true;
    }
    return false;
}

/// Reads members of one line and remembers the first that is not as it should be.
class Line {
public:
    explicit Line(const json::object& object) : object_(object) {}

    std::string text(std::string_view name, bool needed) {
        const json::value* found = find(name, needed);
        if (found == nullptr) return {};
        if (!found->is_string()) return fail(name, "is text"), std::string();
        return std::string(found->get_string());
    }
    std::int64_t number(std::string_view name, bool needed, std::int64_t otherwise) {
        const json::value* found = find(name, needed);
        if (found == nullptr) return otherwise;
        if (!found->is_int64() || found->get_int64() < 0)
            return fail(name, "is a whole number from 0"), otherwise;
        return found->get_int64();
    }
    bool has(std::string_view name) const { return object_.contains(name); }
    void fail(std::string_view name, std::string_view what) {
        if (problem_.empty()) problem_ = std::string(name) + " " + std::string(what);
    }
    Result<void> done() {
        for (const auto& member : object_) {
            bool known = false;
            for (const auto name : kMembers) known = known || member.key() == name;
            if (!known) fail(member.key(), "is not a member of an operation");
        }
        if (!problem_.empty()) return bad(problem_);
        return {};
    }

private:
    const json::value* find(std::string_view name, bool needed) {
        const json::value* found = object_.if_contains(name);
        if (found == nullptr && needed) fail(name, "is missing");
        return found;
    }
    const json::object& object_;
    std::string problem_;
};

/// What the kind and the outcome ask for beside each member alone.
void check_shape(const Operation& operation, Line* line) {
    const bool ok = operation.outcome == Outcome::kOk;
    const bool writes = changes(operation.kind) && operation.kind != Kind::kAdd;
    if (writes && !operation.value) line->fail("value", "is missing");
    if (operation.kind == Kind::kCompareAndSet && operation.expected.empty())
        line->fail("expected", "is missing");
    if (operation.kind != Kind::kCompareAndSet && operation.outcome == Outcome::kMismatch)
        line->fail("outcome", "mismatch is an answer to cas alone");
    if (operation.kind == Kind::kTotal && ok && !line->has("total"))
        line->fail("total", "is missing");
    if (operation.outcome == Outcome::kUnknown ? line->has("end_ns") : !line->has("end_ns"))
        line->fail("end_ns", "is there if, and only if, the outcome is known");
    if (operation.end_ns < operation.start_ns) line->fail("end_ns", "lies before start_ns");
}

Result<Operation> parse_line(std::string_view text) {
    json::error_code failed;
    const json::value parsed = json::parse(json::string_view(text.data(), text.size()), failed);
    if (failed || !parsed.is_object()) return bad("not a JSON object");
    Line line(parsed.get_object());
    Operation out;
    out.client = static_cast<std::uint32_t>(line.number("client", true, 0));
    out.key = line.text("key", true);
    if (!find_name(kKinds, line.text("op", true), &out.kind)) line.fail("op", "has no such name");
    if (!find_name(kOutcomes, line.text("outcome", true), &out.outcome))
        line.fail("outcome", "has no such name");
    out.start_ns = line.number("start_ns", true, 0);
    out.end_ns = line.number("end_ns", false, kNeverNs);
    if (line.has("value")) out.value = line.text("value", true);
    out.expected = line.text("expected", false);
    out.version = line.text("version", false);
    out.total = static_cast<std::uint64_t>(line.number("total", false, 0));
    out.node = line.text("node", false);
    check_shape(out, &line);
    TIDAL_TRY(line.done());
    return out;
}

/// What lines say about one key together.
class Keys {
public:
    Result<void> add(const Operation& operation) {
        const bool counter = is_counter(operation.kind);
        const auto [at, added] = counters_.emplace(operation.key, counter);
        if (at->second != counter) return bad("key is a register and a counter");
        if (changes(operation.kind) && !counter &&
            !written_.emplace(operation.key, *operation.value).second)
            return bad("value was written to the key before");
        return {};
    }

private:
    std::map<std::string, bool> counters_;
    std::set<std::pair<std::string, std::string>> written_;
};

}  // namespace

const char* name_of(Kind kind) {
    for (const auto& [value, name] : kKinds)
        if (value == kind) return name;
    return "?";
}

const char* name_of(Outcome outcome) {
    for (const auto& [value, name] : kOutcomes)
        if (value == outcome) return name;
    return "?";
}

std::string file_head() {
    return "{\"format\":\"tidal-history\",\"version\":1}\n";
}

std::string to_line(const Operation& operation) {
    json::object out{{"client", operation.client},
                     {"key", operation.key},
                     {"op", name_of(operation.kind)},
                     {"start_ns", operation.start_ns}};
    if (operation.outcome != Outcome::kUnknown) out["end_ns"] = operation.end_ns;
    out["outcome"] = name_of(operation.outcome);
    if (operation.value) out["value"] = *operation.value;
    if (!operation.expected.empty()) out["expected"] = operation.expected;
    if (!operation.version.empty()) out["version"] = operation.version;
    if (operation.kind == Kind::kTotal && operation.outcome == Outcome::kOk)
        out["total"] = operation.total;
    if (!operation.node.empty()) out["node"] = operation.node;
    return json::serialize(out) + "\n";
}

Result<History> parse_history(std::string_view text) {
    if (!text.starts_with(file_head()))
        return bad("not a history: the first line is " + file_head());
    History out;
    Keys keys;
    std::uint64_t number = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = text.substr(at, end - at);
        at = end + 1;
        if (++number == 1 || line.empty()) continue;
        auto operation = parse_line(line);
        if (!operation.ok()) return operation.take_error().with("line", number);
        if (auto added = keys.add(*operation); !added.ok())
            return Error(added.error()).with("line", number);
        out.push_back(std::move(*operation));
    }
    return out;
}

}  // namespace tidal::history
