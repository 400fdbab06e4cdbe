// ranking/internal/profile_stage_parser.h: the statements of a profile around its score: where
// candidates come from, and what a page is to keep.
#pragma once

#include <vector>

#include "ranking/profile.h"
#include "ranking/token_stream.h"

namespace tidal::ranking {

/// Each reads its part from `tokens` and leaves them at the first token behind it.

///   sources := source [limit N] | union ( source [limit N] [weight W] , ... )
///   source  := scan | recent | follows | cohort_top | text ( query ) | ordered ( NAME )
///            | window_top ( NAME , window ) | ann ( NAME [, vector | user | item] )
///            | co_engaged ( item | user ) | collection ( NAME )
Result<std::vector<Source>> parse_sources(TokenStream& tokens);

///   rules := rule { , rule }
///   rule  := max_per_creator N | max_share ( NAME [, STRING] , P% ) | min_distinct ( NAME ) N
///          | mmr ( NUMBER , NAME )
Result<std::vector<DiversityRule>> parse_diversity(TokenStream& tokens);

///   rank_base N
/// @return kRankBaseDefault where it is not there.
Result<double> parse_rank_base(TokenStream& tokens);

/// `P%`, 0 <= P <= 100.
Result<double> parse_percent(TokenStream& tokens);

}  // namespace tidal::ranking
