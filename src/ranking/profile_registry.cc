#include "ranking/profile_registry.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <tuple>

#include "ranking/embedding_name.h"
#include "ranking/internal/built_in_profiles.h"
#include "ranking/internal/profile_check.h"
#include "ranking/source_text.h"

namespace tidal::ranking {
namespace {

Error unknown_profile(std::string_view name, const std::vector<std::string_view>& known) {
    return Error(ErrorCode::kUnknownName, "unknown profile `" + std::string(name) + "`")
        .with_field("profile")
        .with_hint(suggestion(name, "profiles", known))
        .with_reason("unknown_profile");
}

/// What a source is ordered by, as a statement; empty where a request has a say in it.
std::string order_text(const Source& source) {
    switch (source.kind) {
        case SourceKind::kOrdered:
            return "score decay(" + source.name + ")";
        case SourceKind::kWindowTop:
            return "score sum(" + source.name + ", " +
                   std::string(schema::window_name(source.window)) + ")";
        case SourceKind::kPopular:
            return "score popularity";
        case SourceKind::kRecent:
            return "order created_at desc";
        default:
            return {};
    }
}

/// @param statement  Of order_text().  @param name  The same for the same order.
Result<std::shared_ptr<const CompiledProfile>> compile_order(const std::string& statement,
                                                             std::string name,
                                                             const schema::Schema& schema,
                                                             EntityKind kind) {
    TIDAL_ASSIGN(Profile profile, parse_profile("profile source version 1 { " + statement + "; }"));
    profile.name = std::move(name);
    TIDAL_ASSIGN(const auto compiled, compile_profile(std::move(profile), schema, kind));
    auto own = std::make_shared<CompiledProfile>(*compiled);
    own->of_source = true;
    return std::shared_ptr<const CompiledProfile>(std::move(own));
}

Result<void> compile_source_orders(const schema::Schema& schema, EntityKind kind,
                                   CompiledProfile* out) {
    for (const Source& source : out->profile.sources) {
        auto& order = out->source_orders.emplace_back();
        const std::string statement = order_text(source);
        if (statement.empty()) continue;
        TIDAL_ASSIGN(order, compile_order(statement, print_source(source), schema, kind));
    }
    if (out->profile.explore_percent == 0) return {};
    const std::string statement = "score if(count(" + std::string(schema::kImpression) +
                                  ", all) < " + print_number(kExplorationBudget) +
                                  ", created_at, 0)";
    TIDAL_ASSIGN(out->explore_order, compile_order(statement, "explored", schema, kind));
    return {};
}

/// Whether the score orders anew what sources have ordered.
bool has_second_phase(const Profile& profile) {
    if (profile.order.by_field) return false;
    if (std::ranges::any_of(profile.sources,
                            [](const Source& source) { return source.kind == SourceKind::kScan; }))
        return false;
    const bool fused = profile.score.kind == ExprKind::kName && profile.score.name == "fused";
    return !fused || !profile.order.descending || !profile.penalties.empty();
}

/// @param input  Of the whole profile.
Result<void> compile_by_ranks(CompileInput input, const schema::Schema& schema, EntityKind kind,
                              CompiledProfile* out) {
    if (!has_second_phase(out->profile)) return {};
    Expr fused;
    fused.kind = ExprKind::kName;
    fused.name = "fused";
    auto first = std::make_shared<CompiledProfile>();
    first->profile = out->profile;
    first->profile.score = fused;
    first->profile.penalties.clear();
    first->profile.order = {};
    CompileInput of_ranks = input;
    of_ranks.penalties = {};
    of_ranks.fused = true;
    of_ranks.explain = false;
    auto program = compile(of_ranks, schema, kind);
    // The ranks of many sources may cost more than the score does: then it keeps its second phase.
    if (!program.ok() && program.error().code() == ErrorCode::kTooLarge) return {};
    if (!program.ok()) return program.take_error();
    first->program = std::move(*program);
    first->source_orders = out->source_orders;
    first->explore_order = out->explore_order;
    out->by_ranks = std::move(first);
    return {};
}

}  // namespace

Result<std::shared_ptr<const CompiledProfile>> compile_profile(Profile profile,
                                                               const schema::Schema& schema,
                                                               EntityKind kind,
                                                               const ModelSet& models) {
    auto out = std::make_shared<CompiledProfile>();
    out->profile = std::move(profile);
    out->models = models;
    const auto named = [&](Error error) {
        return std::move(error).with("profile", out->profile.name_and_version());
    };
    auto checked = check_profile(out->profile, schema, kind);
    if (!checked) return named(checked.take_error());
    // What is computed has no positions that stay, whatever the statement that names it.
    ProfileOrder& order = out->profile.order;
    order.by_field = order.by_field && is_stored(out->profile.score.name, schema, kind);
    CompileInput input{.score = out->profile.score,
                       .definitions = out->profile.definitions,
                       .source = out->profile.text,
                       .gates = out->profile.gates,
                       .penalties = out->profile.penalties,
                       .models = &models,
                       .sources = out->profile.sources,
                       .by_field = out->profile.order.by_field};
    auto program = compile(input, schema, kind);
    if (!program) return named(program.take_error());
    out->program = std::move(program).value();
    input.explain = true;
    auto explain = compile(input, schema, kind);
    if (!explain) return named(explain.take_error());
    out->explain = std::move(explain).value();
    for (const Source& source : out->profile.sources)
        if (lacks_embeddings(source, out->profile.sources, schema, kind))
            out->program.warnings.push_back("`" + print_source(source) +
                                            "` is empty: there is no embedding slot");
    assert(out->program.params == out->explain.params);
    if (auto orders = compile_source_orders(schema, kind, out.get()); !orders)
        return named(orders.take_error());
    if (auto first = compile_by_ranks(input, schema, kind, out.get()); !first)
        return named(first.take_error());
    return std::shared_ptr<const CompiledProfile>(std::move(out));
}

void ProfileRegistry::add(Entry entry, const schema::Schema& schema, const ModelSet& models) {
    for (std::size_t kind = 0; kind < kEntityKindCount; ++kind)
        entry.by_kind.push_back(
            compile_profile(entry.profile, schema, static_cast<EntityKind>(kind), models));
    entries_.push_back(std::move(entry));
}

ProfileRegistry::ProfileRegistry(const schema::Schema& schema,
                                 std::span<const StoredProfile> stored, const ModelSet& models) {
    for (const BuiltInProfile& built_in : built_in_profiles()) {
        auto profile = parse_profile(built_in.text);
        assert(profile.ok() && "a built-in profile parses");
        add({.profile = std::move(profile).value(), .built_in = true, .by_kind = {}}, schema,
            models);
    }
    for (const StoredProfile& each : stored) {
        auto profile = parse_profile(each.text);
        if (profile.ok()) {
            add({.profile = std::move(profile).value(), .built_in = false, .by_kind = {}}, schema,
                models);
            continue;
        }
        // Written by a version of the program that knew more words: listed, with the reason.
        Entry entry;
        entry.readable = false;
        entry.profile.name = each.name;
        entry.profile.version = each.version;
        entry.profile.text = each.text;
        for (std::size_t kind = 0; kind < kEntityKindCount; ++kind)
            entry.by_kind.emplace_back(Error(profile.error()));
        entries_.push_back(std::move(entry));
    }
    std::ranges::sort(entries_, [](const Entry& a, const Entry& b) {
        return std::tie(a.profile.name, a.profile.version) <
               std::tie(b.profile.name, b.profile.version);
    });
}

Result<const ProfileRegistry::Entry*> ProfileRegistry::locate(std::string_view name) const {
    const auto at = name.find('@');
    const std::string_view bare = name.substr(0, at);
    std::optional<std::uint32_t> version;
    if (at != std::string_view::npos) {
        const auto digits = name.substr(at + 1);
        std::uint32_t number = 0;
        const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size())
            return Error(ErrorCode::kInvalidArgument, "a profile's version is a number")
                .with_field("profile")
                .with_hint("for example " + std::string(bare) + "@1");
        version = number;
    }
    const Entry* found = nullptr;
    for (const Entry& entry : entries_)
        if (entry.profile.name == bare && (!version || *version == entry.profile.version))
            found = &entry;
    if (found != nullptr) return found;
    std::vector<std::string_view> names;
    std::string versions;
    for (const Entry& entry : entries_) {
        if (names.empty() || names.back() != entry.profile.name)
            names.push_back(entry.profile.name);
        if (entry.profile.name == bare) versions += " " + std::to_string(entry.profile.version);
    }
    if (!versions.empty()) return unknown_profile(name, {}).with_hint("versions of it:" + versions);
    return unknown_profile(bare, names);
}

Result<std::shared_ptr<const CompiledProfile>> ProfileRegistry::find(std::string_view name,
                                                                     EntityKind kind) const {
    TIDAL_ASSIGN(const Entry* const found, locate(name));
    const auto& compiled = found->by_kind[static_cast<std::size_t>(kind)];
    if (compiled) return *compiled;
    return Error(ErrorCode::kUnknownName, "profile `" + found->profile.name +
                                              "` is not available: " + compiled.error().message())
        .with_field("profile")
        .with_hint(compiled.error().hint())
        .with_reason("profile_unavailable");
}

ProfileListing ProfileRegistry::describe(const Entry& entry, EntityKind kind) {
    ProfileListing listing{.name = entry.profile.name,
                           .version = entry.profile.version,
                           .about = entry.profile.about,
                           .text = entry.profile.text,
                           .normalized = entry.readable ? print_profile(entry.profile) : "",
                           .built_in = entry.built_in,
                           .available = false,
                           .reason = "",
                           .warnings = {}};
    const auto& compiled = entry.by_kind[static_cast<std::size_t>(kind)];
    listing.available = compiled.ok();
    if (compiled) {
        listing.warnings = (*compiled)->program.warnings;
    } else {
        listing.reason = compiled.error().message();
    }
    return listing;
}

Result<ProfileListing> ProfileRegistry::listing(std::string_view name, EntityKind kind) const {
    TIDAL_ASSIGN(const Entry* const found, locate(name));
    return describe(*found, kind);
}

std::vector<ProfileListing> ProfileRegistry::list(EntityKind kind) const {
    std::vector<ProfileListing> out;
    for (const Entry& entry : entries_) out.push_back(describe(entry, kind));
    return out;
}

}  // namespace tidal::ranking
