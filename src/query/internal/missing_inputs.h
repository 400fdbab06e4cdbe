// query/internal/missing_inputs.h: what a request must bring, and what of it asks for that.
#pragma once

#include <string>
#include <string_view>

#include "query/feed.h"

namespace tidal::query {

/// "the profile `hot` needs ...", or where the request's order reads the input, "the order `...`
/// needs ..." with the place in its text. Without field, hint and reason.
/// @param by  What reads the input, as the language writes it; "" = no expression does.
Error lacks_input(const FeedRequest& request, const ranking::CompiledProfile& profile,
                  std::string_view by, const std::string& what);
/// Which expression of the program reads the input first; "" = none does.
std::string reader_of(const ranking::Program& program, ranking::Input input);
/// The place where the request's order reads what `error` is about; without one, `error`.
Error placed_in_order(Error error, const FeedRequest& request, std::string_view by);

/// What the profile reads of a request's user. @return kInvalidArgument, reason "missing_input".
Result<void> check_user(const FeedRequest& request, const ranking::CompiledProfile& profile);
/// The values the program wants: from the request, else the profile's default.
/// @return kUnknownName  reason "unknown_param"; kInvalidArgument  reason "missing_param", or a
///         value that its place does not take. The field is "params.x".
Result<std::vector<double>> bind_params(const FeedRequest& request,
                                        const ranking::CompiledProfile& profile);

}  // namespace tidal::query
