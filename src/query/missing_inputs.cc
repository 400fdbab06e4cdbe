#include "query/internal/missing_inputs.h"

#include <algorithm>
#include <cmath>

#include "base/edit_distance.h"
#include "query/sort.h"
#include "ranking/source_text.h"

namespace tidal::query {
namespace {

using ranking::Coordinate;
using ranking::Expr;
using ranking::Input;

const Expr* find_expression(const Expr& in, std::string_view text) {
    if (ranking::print_expression(in) == text) return &in;
    for (const Expr& each : in.args)
        if (const Expr* const found = find_expression(each, text)) return found;
    return nullptr;
}

/// Where the request's order says `text`; nullopt = nowhere.
std::optional<std::uint32_t> place_in_order(const FeedRequest& request, std::string_view text) {
    if (request.sort.empty() || text.empty()) return std::nullopt;
    const auto sort = parse_sort(request.sort);
    const Expr* const found = sort.ok() ? find_expression(sort->by, text) : nullptr;
    return found == nullptr ? std::nullopt : std::optional(found->offset);
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const auto begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

Result<void> check_degrees(const Coordinate& coordinate, double most, std::string_view what,
                           const ranking::CompiledProfile& profile,
                           std::span<const double> params) {
    if (!coordinate.param) return {};
    const double value = params[*coordinate.param];
    if (value >= -most && value <= most) return {};
    const std::string& name = profile.program.params[*coordinate.param];
    const std::string bound = ranking::print_number(most);
    return Error(ErrorCode::kInvalidArgument, "the parameter `" + name + "` is a " +
                                                  std::string(what) + ", and " +
                                                  ranking::print_number(value) + " is none")
        .with_field("params." + name)
        .with("profile", profile.profile.name_and_version())
        .with_hint("-" + bound + " to " + bound + " degrees");
}

/// As where a number stands in their place.
Result<void> check_places(const ranking::CompiledProfile& profile, std::span<const double> params) {
    for (const ranking::Feature& feature : profile.program.features) {
        if (feature.kind != ranking::FeatureKind::kDistance) continue;
        TIDAL_TRY(check_degrees(feature.latitude, 90, "latitude", profile, params));
        TIDAL_TRY(check_degrees(feature.longitude, 180, "longitude", profile, params));
    }
    return {};
}

}  // namespace

Error lacks_input(const FeedRequest& request, const ranking::CompiledProfile& profile,
                  std::string_view by, const std::string& what) {
    if (const auto place = place_in_order(request, by))
        return ranking::error_at(
            ErrorCode::kInvalidArgument, request.sort, *place,
            "the order `" + std::string(trimmed(request.sort)) + "` needs " + what);
    return Error(ErrorCode::kInvalidArgument,
                 "the profile `" + profile.profile.name + "` needs " + what)
        .with("profile", profile.profile.name_and_version());
}

std::string reader_of(const ranking::Program& program, Input input) {
    const auto need = std::ranges::find(program.needs, input, &ranking::Need::input);
    return need == program.needs.end() ? std::string() : need->by;
}

Error placed_in_order(Error error, const FeedRequest& request, std::string_view by) {
    const auto place = place_in_order(request, by);
    if (!place) return error;
    const ranking::Position at = ranking::locate(request.sort, *place);
    return std::move(error)
        .with("line", at.line)
        .with("column", at.column)
        .with("offset", at.offset);
}

Result<void> check_user(const FeedRequest& request, const ranking::CompiledProfile& profile) {
    if (request.user) return {};
    const std::string by = reader_of(profile.program, Input::kUser);
    const bool needed =
        profile.profile.cap || !by.empty() ||
        std::ranges::any_of(profile.profile.sources, [](const ranking::Source& source) {
            return source.kind == ranking::SourceKind::kFollows;
        });
    if (!needed) return {};
    return lacks_input(request, profile, by, "user_id")
        .with_field("user_id")
        .with_hint("say for which user: user_id of the request, FOR USER of a query")
        .with_reason("missing_input");
}

Result<std::vector<double>> bind_params(const FeedRequest& request,
                                        const ranking::CompiledProfile& profile) {
    const auto& wanted = profile.program.params;
    std::vector<std::string_view> known(wanted.begin(), wanted.end());
    for (const auto& declared : profile.profile.params)
        if (std::ranges::find(known, declared.name) == known.end()) known.push_back(declared.name);
    for (const auto& [name, value] : request.params) {
        if (std::ranges::find(known, name) == known.end())
            return Error(ErrorCode::kUnknownName, "the profile has no parameter `" + name + "`")
                .with_field("params." + name)
                .with("profile", profile.profile.name_and_version())
                .with_hint(known.empty() ? "it has none" : name_hint(name, known))
                .with_reason("unknown_param");
        if (!std::isfinite(value))
            return Error(ErrorCode::kInvalidArgument, "a parameter is a finite number")
                .with_field("params." + name);
    }
    std::vector<double> out;
    for (const std::string& name : wanted) {
        if (const auto given = request.params.find(name); given != request.params.end()) {
            out.push_back(given->second);
            continue;
        }
        const auto declared =
            std::ranges::find(profile.profile.params, name, &ranking::ProfileParam::name);
        if (declared == profile.profile.params.end())
            return lacks_input(request, profile, "param(" + name + ")",
                               "the parameter `" + name + "`")
                .with_field("params." + name)
                .with_hint("params." + name + " of the request, WITH " + name + " = 1 of a query")
                .with_reason("missing_param");
        out.push_back(declared->default_value);
    }
    TIDAL_TRY(check_places(profile, out));
    return out;
}

}  // namespace tidal::query
