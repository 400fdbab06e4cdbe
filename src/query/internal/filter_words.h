// query/internal/filter_words.h: what the readers and writers of filters and queries share.
#pragma once

#include <string>
#include <string_view>

#include "query/filter.h"
#include "ranking/source_text.h"
#include "ranking/token_stream.h"

namespace tidal::query {

inline constexpr std::string_view kFriendsEngaged = "friends_engaged";

std::string lower(std::string_view text);
/// A word that no field is called without double quotes.
bool is_filter_word(std::string_view text);
/// The name of a field, state or signal as a filter writes it.
std::string print_filter_name(std::string_view name);
/// As parse_filter, from where `tokens` stand to the first token that is no part of a filter.
Result<FilterNode> parse_filter_part(ranking::TokenStream* tokens);
/// One value as filters write it: a string, a number, TRUE, FALSE or a duration.
Result<Literal> parse_value_part(ranking::TokenStream* tokens);
std::string print_literal(const Literal& value);

}  // namespace tidal::query
