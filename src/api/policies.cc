// Policies of sessions, kept by the metadata shard.
#include <algorithm>

#include "api/database.h"
#include "api/internal/cluster_node.h"
#include "api/internal/sessions.h"
#include "base/edit_distance.h"

namespace tidal::api {
namespace {

constexpr auto kPolicyKind = record::CatalogKind::kPolicy;
constexpr std::uint64_t kPolicyCatchUpMs = 2'000;

}  // namespace

std::vector<StoredPolicy> policies_in(const std::vector<shard::CatalogEntry>& entries) {
    std::vector<StoredPolicy> out;
    for (const shard::CatalogEntry& entry : entries) {
        if (entry.kind != kPolicyKind) continue;
        auto rules = parse_policy(entry.text);
        if (!rules.ok()) continue;  // of a version of the program that knew more rules
        out.push_back(
            {entry.name, entry.version, entry.stamp.wall_ms(), entry.text, std::move(*rules)});
    }
    if (std::ranges::find(out, kDefaultPolicy, &StoredPolicy::name) == out.end())
        out.push_back(default_policy());
    std::ranges::sort(out, {}, &StoredPolicy::name);
    return out;
}

std::shared_ptr<const std::vector<StoredPolicy>> Database::policies() const {
    const std::lock_guard lock(mutex_);
    return policies_;
}

Result<StoredPolicy> Database::policy(std::string_view name) const {
    const auto known = policies();
    std::vector<std::string_view> names;
    for (const StoredPolicy& each : *known) {
        if (each.name == name) return each;
        names.push_back(each.name);
    }
    return Error(ErrorCode::kUnknownName, "unknown policy `" + std::string(name) + "`")
        .with_field("policy")
        .with_reason("unknown_policy")
        .with_hint(name_hint(name, names));
}

/// One that is unknown here may have been put on another node a moment ago.
void Database::with_policy(const std::string& name,
                           absl::AnyInvocable<void(Result<StoredPolicy>)> done) {
    auto known = policy(name);
    if (known.ok() || cluster_ == nullptr) return done(std::move(known));
    cluster_->fences().pass({}, {kMetaShard}, kPolicyCatchUpMs,
                            [this, name, done = std::move(done)](Result<FenceReply>) mutable {
                                publish_if_changed();
                                done(policy(name));
                            });
}

void Database::put_policy(const std::string& name, std::string text, bool dry_run,
                          CatalogDone done) {
    change_catalog(
        dry_run, [this, name, text = std::move(text)] { return make_policy(name, text); },
        std::move(done));
}

Result<Database::CatalogChange> Database::make_policy(const std::string& name,
                                                      const std::string& text) {
    if (auto named = schema::check_name(name); !named) return named.take_error().with_field("name");
    TIDAL_ASSIGN(PolicyRules rules, parse_policy(text));
    const StoredPolicy policy{name, 1, 0, text, std::move(rules)};
    if (auto fits = limits_of(policy, *schema()); !fits.ok())
        return fits.take_error().with_field("text");
    bool known = false;
    for (const shard::CatalogEntry& entry : catalog_entries())
        if (entry.kind == kPolicyKind && entry.name == name) known = entry.text == text;
    std::uint32_t version = shards_[0]->with_state(
        [&](shard::ShardState& state) { return state.catalog().newest(kPolicyKind, name); });
    // The built-in one is the first version of its name.
    if (version == 0 && name == kDefaultPolicy) version = 1;
    if (!known) ++version;
    return CatalogChange{{kPolicyKind, name, version, text}, {}};
}

}  // namespace tidal::api
