#include "ranking/profile.h"
#include "ranking/token_stream.h"

namespace tidal::ranking {
namespace {

std::string_view anchor_name(Anchor anchor) {
    constexpr std::string_view kNames[] = {"vector", "user", "item"};
    return kNames[static_cast<std::size_t>(anchor)];
}

/// Read back as one name without quotes.
bool is_word(const std::string& text) {
    TokenStream tokens(text);
    return tokens.peek().kind == TokenKind::kName && tokens.take().text == text;
}

std::string print_member(const Source& source) {
    std::string out = print_source(source);
    if (source.limit) out += " limit " + std::to_string(*source.limit);
    if (source.weight != 1) out += " weight " + print_number(source.weight);
    if (source.when_cold) out += " when cold";
    return out;
}

std::string print_sources(const std::vector<Source>& sources) {
    if (sources.size() == 1) return print_member(sources[0]);
    std::string out = "union(";
    for (std::size_t i = 0; i < sources.size(); ++i)
        out += (i == 0 ? "" : ", ") + print_member(sources[i]);
    return out + ")";
}

std::string print_cap(const DailyCap& cap) {
    return cap.param.empty() ? print_number(cap.items) : "param(" + cap.param + ")";
}

std::string line(const std::string& text) {
    return "    " + text + ";\n";
}

}  // namespace

std::string print_source(const Source& source) {
    const std::string kind(source_kind_name(source.kind));
    switch (source.kind) {
        case SourceKind::kWindowTop:
            return kind + "(" + source.name + ", " +
                   std::string(schema::window_name(source.window)) + ")";
        case SourceKind::kAnn:
            return kind + "(" + (source.name.empty() ? "" : source.name + ", ") +
                   std::string(anchor_name(source.anchor)) + ")";
        case SourceKind::kCoEngaged:
            return kind + "(" + std::string(anchor_name(source.anchor)) + ")";
        case SourceKind::kText:
            return kind + "(query)";
        case SourceKind::kOrdered:
            return kind + "(" + source.name + ")";
        case SourceKind::kCollection:
            return kind + "(" + (is_word(source.name) ? source.name : quote(source.name, '\'')) +
                   ")";
        default:
            return kind;
    }
}

std::string print_diversity_rule(const DiversityRule& rule) {
    switch (rule.kind) {
        case DiversityKind::kMaxPerCreator:
            return "max_per_creator " + std::to_string(rule.count);
        case DiversityKind::kMaxShare:
            return "max_share(" + rule.name + ", " +
                   (rule.value ? quote(*rule.value, '\'') + ", " : "") +
                   print_number(rule.percent) + "%)";
        case DiversityKind::kMinDistinct:
            return "min_distinct(" + rule.name + ") " + std::to_string(rule.count);
        case DiversityKind::kMmr:
            return "mmr(" + print_number(rule.lambda) +
                   (rule.name.empty() ? "" : ", " + rule.name) + ")";
    }
    return "";
}

std::string print_profile(const Profile& profile) {
    std::string out = "profile " + profile.name + " version " + std::to_string(profile.version);
    out += " {\n";
    if (!profile.about.empty()) out += line("about " + quote(profile.about, '\''));
    std::string candidates = "candidates " + print_sources(profile.sources);
    if (profile.rank_base != kRankBaseDefault)
        candidates += " rank_base " + print_number(profile.rank_base);
    out += line(candidates);
    for (const auto& param : profile.params)
        out += line("param " + param.name + " = " + print_number(param.default_value));
    for (const auto& definition : profile.definitions)
        out += line("let " + definition.name + " = " + print_expression(definition.value));
    for (const Expr& gate : profile.gates) out += line("require " + print_expression(gate));
    if (!profile.order.by_field) out += line("score " + print_expression(profile.score));
    for (const Penalty& penalty : profile.penalties)
        out += line("penalty " + print_number(penalty.factor) + " when " +
                    print_expression(penalty.when));
    out += line("order " + (profile.order.by_field ? profile.score.name : std::string("score")) +
                (profile.order.descending ? " desc" : " asc"));
    std::string rules;
    for (const DiversityRule& rule : profile.diversity)
        rules += (rules.empty() ? "" : ", ") + print_diversity_rule(rule);
    if (!rules.empty()) out += line("diversity " + rules);
    if (profile.explore_percent != 0)
        out += line("explore " + print_number(profile.explore_percent) + "%");
    if (profile.cap) out += line("cap " + print_cap(*profile.cap) + " per day");
    return out + "}\n";
}

}  // namespace tidal::ranking
