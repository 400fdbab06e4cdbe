#include "query/groups.h"

#include <algorithm>

#include "query/internal/query_words.h"
#include "ranking/source_text.h"

namespace tidal::query {

using schema::FieldType;

Result<GroupRequest> parse_group_part(ranking::TokenStream* tokens) {
    GroupRequest out;
    out.offset = tokens->peek().offset;
    TIDAL_ASSIGN(out.field, take_name(tokens, "the name of a field"));
    if (!accept_keyword(tokens, "top")) return out;
    TIDAL_ASSIGN(const std::uint64_t top, take_whole_number(tokens, 1, kGroupTopMax));
    out.top = static_cast<std::uint32_t>(top);
    return out;
}

Result<GroupRequest> parse_group(std::string_view text) {
    ranking::TokenStream tokens(text);
    TIDAL_ASSIGN(GroupRequest out, parse_group_part(&tokens));
    if (tokens.peek().kind != ranking::TokenKind::kEnd) return tokens.expected("TOP or the end");
    return out;
}

std::string print_group(const GroupRequest& group) {
    return print_query_name(group.field) +
           (group.top == 1 ? "" : " TOP " + std::to_string(group.top));
}

Result<BoundGroup> bind_group(const GroupRequest& request, std::string_view source,
                              const schema::Schema& schema, EntityKind kind) {
    BoundGroup out;
    out.top = request.top;
    if (request.field == "creator_id" && kind == EntityKind::kItem) {
        out.kind = BoundGroup::Kind::kCreator;
        return out;
    }
    const schema::FieldSpec* const field = schema.find_field(kind, request.field);
    if (field == nullptr) {
        std::vector<std::string_view> known{"creator_id"};
        for (const auto& spec : schema.kind(kind).fields) known.push_back(spec.name);
        return ranking::error_at(ErrorCode::kUnknownName, source, request.offset,
                                 "unknown field `" + request.field + "`")
            .with_hint(ranking::suggestion(request.field, "fields", known))
            .with_reason("unknown_field");
    }
    switch (field->type) {
        case FieldType::kKeyword:
        case FieldType::kBool:
            out.field = field->id;
            return out;
        case FieldType::kInt:
        case FieldType::kFloat:
        case FieldType::kTimestamp:
        case FieldType::kDuration:
            out.kind = BoundGroup::Kind::kNumber;
            out.column = {.kind = entity::NumberSource::Kind::kField, .field = field->id};
            return out;
        default:
            break;
    }
    return ranking::error_at(ErrorCode::kInvalidArgument, source, request.offset,
                             "`" + request.field + "` (" +
                                 std::string(schema::field_type_name(field->type)) +
                                 ") has no one value to group by")
        .with_hint("keyword, bool and number fields, and creator_id");
}

ShardGroups::ShardGroups(const BoundGroup& group, const ShardOrder& order,
                         entity::EntityTable& entities)
    : group_(group), order_(order), entities_(entities) {
    if (group.kind == BoundGroup::Kind::kKeyword) keywords_.emplace(group.field, entities);
}

ShardGroups::Group* ShardGroups::group_of(Slot slot) {
    const auto next = static_cast<std::uint32_t>(groups_.size());
    std::uint32_t at = next;
    switch (group_.kind) {
        case BoundGroup::Kind::kKeyword: {
            const std::uint32_t found = keywords_->number_of(slot);
            if (found == 0) return nullptr;
            for (std::uint32_t number = next + 1; number <= found; ++number)
                groups_.push_back({keywords_->name(number), {}});
            at = found - 1;
            break;
        }
        case BoundGroup::Kind::kNumber: {
            const entity::NumberView numbers = entities_.numbers(group_.column);
            if (slot.value() >= numbers.size()) return nullptr;
            const double number = numbers[slot.value()];
            if (number != number) return nullptr;
            at = by_number_.emplace(number, next).first->second;
            if (at == next) groups_.push_back({ranking::print_number(number), {}});
            break;
        }
        case BoundGroup::Kind::kCreator: {
            const EntityId* const creator = entities_.creator_of(slot);
            if (creator == nullptr) return nullptr;
            at = by_creator_.emplace(*creator, next).first->second;
            if (at == next) groups_.push_back({creator->to_string(), {}});
            break;
        }
    }
    return &groups_[at];
}

bool ShardGroups::offer(double key, Slot slot) {
    Group* const group = group_of(slot);
    if (group == nullptr) return keywords_ && keywords_->changed(slot);
    auto& best = group->best;
    const auto before = [&](const std::pair<double, Slot>& a, const std::pair<double, Slot>& b) {
        return order_.before(order_.place(a.first, a.second), order_.place(b.first, b.second));
    };
    const std::pair<double, Slot> entry{key, slot};
    if (best.size() == group_.top && !before(entry, best.back())) return true;
    best.insert(std::ranges::upper_bound(best, entry, before), entry);
    if (best.size() > group_.top) best.pop_back();
    return true;
}

std::optional<std::string> ShardGroups::name_of(Slot slot) {
    const Group* const group = group_of(slot);
    if (group == nullptr) return std::nullopt;
    return group->name;
}

Result<std::optional<std::string>> ShardGroups::read_name(Slot slot) {
    if (keywords_) return keywords_->read(slot);
    return name_of(slot);
}

}  // namespace tidal::query
