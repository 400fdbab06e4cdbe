#include "ranking/request_stages.h"

#include <algorithm>
#include <string>

#include "ranking/internal/expression_parser.h"
#include "ranking/internal/profile_check.h"
#include "ranking/internal/profile_stage_parser.h"

namespace tidal::ranking {
namespace {

/// By a stored value, unless the profile defines the name.
bool is_by_field(const CompiledProfile& base, const Expr& by, const schema::Schema& schema,
                 EntityKind kind) {
    const auto& defined = base.profile.definitions;
    return by.kind == ExprKind::kName && is_stored(by.name, schema, kind) &&
           std::ranges::find(defined, by.name, &Definition::name) == defined.end();
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
    out->profile.order = {.by_field = is_by_field(base, by, schema, kind),
                          .descending = descending};
    CompileInput input{.score = by,
                       .definitions = base.profile.definitions,
                       .source = source,
                       .gates = base.profile.gates,
                       .penalties = {},
                       .models = &base.models,
                       .sources = base.profile.sources,
                       .by_field = out->profile.order.by_field};
    TIDAL_ASSIGN(out->program, compile(input, schema, kind));
    input.explain = true;
    TIDAL_ASSIGN(out->explain, compile(input, schema, kind));
    out->models = base.models;
    out->source_orders = base.source_orders;
    out->explore_order = base.explore_order;
    return std::shared_ptr<const CompiledProfile>(std::move(out));
}

}  // namespace tidal::ranking
