#include "ranking/internal/profile_check.h"

#include <vector>

#include "ranking/embedding_name.h"
#include "ranking/internal/compiler.h"
#include "ranking/source_text.h"

namespace tidal::ranking {
namespace {

class ProfileCheck {
public:
    ProfileCheck(const Profile& profile, const schema::Schema& schema, EntityKind kind)
        : profile_(profile), schema_(schema), kind_(kind) {}

    Result<void> run() const {
        for (const Source& source : profile_.sources) TIDAL_TRY(check(source));
        for (const DiversityRule& rule : profile_.diversity) TIDAL_TRY(check(rule));
        TIDAL_TRY(check_cap());
        if (profile_.explore_percent != 0 && kind_ != EntityKind::kItem)
            return Error(ErrorCode::kInvalidArgument, "`explore` is for items")
                .with_hint("impressions are counted of items");
        if (profile_.explore_percent != 0 && schema_.find_signal(schema::kImpression) == nullptr)
            return Error(ErrorCode::kUnknownName,
                         "`explore` counts the signal `impression`, which the schema lacks")
                .with_hint("it is there by itself, but for schemas with 64 signals of their own")
                .with_reason("unknown_signal");
        return {};
    }

private:
    Result<void> check_cap() const {
        if (!profile_.cap) return {};
        const DailyCap& cap = *profile_.cap;
        if (kind_ != EntityKind::kItem)
            return fail(ErrorCode::kInvalidArgument, cap.offset, "`cap` is for items")
                .with_hint("what of items was shown to a user is counted");
        if (cap.param.empty()) return {};
        for (const ProfileParam& param : profile_.params)
            if (param.name == cap.param) return {};
        return unknown("parameter", cap.param, cap.offset, profile_.params)
            .with_reason("unknown_param");
    }

    Error fail(ErrorCode code, std::uint32_t offset, std::string message) const {
        if (profile_.text.empty()) return Error(code, std::move(message));
        return error_at(code, profile_.text, offset, std::move(message));
    }

    template <typename Spec>
    Error unknown(const std::string& what, const std::string& name, std::uint32_t offset,
                  const std::vector<Spec>& specs) const {
        std::vector<std::string_view> known;
        for (const Spec& spec : specs) known.push_back(spec.name);
        return fail(ErrorCode::kUnknownName, offset, "unknown " + what + " `" + name + "`")
            .with_hint(suggestion(name, what + "s", known));
    }

    Result<void> slot(const std::string& name, std::uint32_t offset) const {
        if (find_embedding(schema_, kind_, name) != nullptr) return {};
        auto [message, hint] = no_embedding(schema_, kind_, name);
        return fail(ErrorCode::kUnknownName, offset, std::move(message))
            .with_hint(hint)
            .with_reason("unknown_slot");
    }

    Result<void> ledger(const Source& source) const {
        const auto* signal = schema_.find_signal(source.name);
        if (signal == nullptr)
            return unknown("signal", source.name, source.offset, schema_.signals)
                .with_reason("unknown_signal");
        if (signal->target == kind_) return {};
        return fail(ErrorCode::kInvalidArgument, source.offset,
                    "`" + print_source(source) + "` gives no entities of kind " +
                        std::string(entity_kind_name(kind_)))
            .with_hint("the target of the signal is " +
                       std::string(entity_kind_name(signal->target)));
    }

    Result<void> check(const Source& source) const {
        switch (source.kind) {
            case SourceKind::kScan:
            case SourceKind::kRecent:
            case SourceKind::kText:
                return {};
            case SourceKind::kOrdered:
            case SourceKind::kWindowTop:
                return ledger(source);
            case SourceKind::kAnn:
                if (lacks_embeddings(source, profile_.sources, schema_, kind_)) return {};
                TIDAL_TRY(slot(source.name, source.offset));
                if (source.anchor != Anchor::kUser) return {};
                break;
            case SourceKind::kFollows:
            case SourceKind::kCoEngaged:
            case SourceKind::kCohortTop:
            case SourceKind::kCollection:
            case SourceKind::kPopular:
                break;
        }
        if (kind_ == EntityKind::kItem) return {};
        return fail(ErrorCode::kInvalidArgument, source.offset,
                    "`" + print_source(source) + "` gives items only");
    }

    Result<void> check(const DiversityRule& rule) const {
        if (rule.kind == DiversityKind::kMmr) return slot(rule.name, rule.offset);
        if (rule.kind == DiversityKind::kMaxPerCreator) {
            if (kind_ == EntityKind::kItem) return {};
            return fail(ErrorCode::kInvalidArgument, rule.offset, "only items have a creator");
        }
        const auto* field = schema_.find_field(kind_, rule.name);
        if (field == nullptr)
            return unknown("field", rule.name, rule.offset, schema_.kind(kind_).fields)
                .with_reason("unknown_field");
        if (field->type == schema::FieldType::kKeyword ||
            field->type == schema::FieldType::kKeywords || field->type == schema::FieldType::kBool)
            return {};
        return fail(ErrorCode::kInvalidArgument, rule.offset,
                    "field `" + rule.name + "` has no values to count but is " +
                        std::string(schema::field_type_name(field->type)))
            .with_hint("diversity reads keyword, keywords and bool fields");
    }

    const Profile& profile_;
    const schema::Schema& schema_;
    const EntityKind kind_;
};

}  // namespace

Result<void> check_profile(const Profile& profile, const schema::Schema& schema, EntityKind kind) {
    return ProfileCheck(profile, schema, kind).run();
}

bool is_stored(std::string_view name, const schema::Schema& schema, EntityKind kind) {
    if (name == "created_at") return true;
    const schema::FieldSpec* const field = schema.find_field(kind, name);
    return field != nullptr && (is_score_number(field->type) || is_order_text(field->type));
}

}  // namespace tidal::ranking
