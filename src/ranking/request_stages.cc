#include "ranking/request_stages.h"

#include <algorithm>
#include <string>

#include "ranking/internal/expression_parser.h"
#include "ranking/internal/profile_check.h"
#include "ranking/internal/profile_stage_parser.h"

namespace tidal::ranking {
namespace {

/// A stored value, whose positions do not move with time.
bool is_stored(const CompiledProfile& base, const Expr& by, const schema::Schema& schema,
               EntityKind kind) {
    if (by.kind != ExprKind::kName) return false;
    const auto& defined = base.profile.definitions;
    if (std::ranges::find(defined, by.name, &Definition::name) != defined.end()) return false;
    return by.name == "created_at" || schema.find_field(kind, by.name) != nullptr;
}

}  // namespace

Result<Expr> parse_expression_part(TokenStream& tokens) {
    std::uint32_t nodes = 0;
    return ExpressionParser(tokens, nodes).parse();
}

Result<std::vector<DiversityRule>> parse_diversity_part(TokenStream& tokens) {
    return parse_diversity(tokens);
}

Result<void> check_diversity(const std::vector<DiversityRule>& rules, std::string_view source,
                             const schema::Schema& schema, EntityKind kind) {
    Profile only;
    only.diversity = rules;
    only.text = source;
    TIDAL_TRY(check_profile(only, schema, kind));
    return {};
}

Result<std::shared_ptr<const CompiledProfile>> sorted_by(const CompiledProfile& base,
                                                         const Expr& by, bool descending,
                                                         std::string_view source,
                                                         const schema::Schema& schema,
                                                         EntityKind kind) {
    auto out = std::make_shared<CompiledProfile>();
    out->profile = base.profile;
    out->profile.score = by;
    out->profile.penalties.clear();
    out->profile.order = {.by_field = is_stored(base, by, schema, kind), .descending = descending};
    CompileInput input{.score = by,
                       .definitions = base.profile.definitions,
                       .source = source,
                       .gates = base.profile.gates,
                       .penalties = {},
                       .models = nullptr,
                       .sources = base.profile.sources,
                       .by_field = out->profile.order.by_field};
    TIDAL_ASSIGN(out->program, compile(input, schema, kind));
    input.explain = true;
    TIDAL_ASSIGN(out->explain, compile(input, schema, kind));
    out->source_orders = base.source_orders;
    out->explore_order = base.explore_order;
    return std::shared_ptr<const CompiledProfile>(std::move(out));
}

}  // namespace tidal::ranking
