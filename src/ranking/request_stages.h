// ranking/request_stages.h: what a request may say in the place of its profile: another order,
// other rules of diversity. The languages are those of profiles.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "ranking/profile_registry.h"
#include "ranking/token_stream.h"

namespace tidal::ranking {

/// Each reads its part from `tokens` and leaves them at the first token behind it.
/// @return kInvalidArgument with line, column and offset; kTooLarge as parse_profile.
Result<Expr> parse_expression_part(TokenStream& tokens);
Result<std::vector<DiversityRule>> parse_diversity_part(TokenStream& tokens);

/// @param source  The text the offsets of `rules` count in.
/// @return kUnknownName, kInvalidArgument with line, column and offset; kUnsupported for mmr.
Result<void> check_diversity(const std::vector<DiversityRule>& rules, std::string_view source,
                             const schema::Schema& schema, EntityKind kind);

/// `base` with its score, penalties and order replaced; its definitions may be used.
/// @param source  The text the offsets of `by` count in.
/// @return As compile(); kUnsupported for what rankings do not read.
Result<std::shared_ptr<const CompiledProfile>> sorted_by(const CompiledProfile& base,
                                                         const Expr& by, bool descending,
                                                         std::string_view source,
                                                         const schema::Schema& schema,
                                                         EntityKind kind);

}  // namespace tidal::ranking
