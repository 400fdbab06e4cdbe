#include "entity/internal/columns.h"

#include <cassert>

#include "record/value.h"

namespace tidal::entity {
namespace {

constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();
constexpr record::GeoPoint kNowhere{kAbsent, kAbsent};

bool is_number(schema::FieldType type) {
    using enum schema::FieldType;
    return type == kInt || type == kFloat || type == kBool || type == kTimestamp ||
           type == kDuration;
}

bool is_keyword(schema::FieldType type) {
    using enum schema::FieldType;
    return type == kKeyword || type == kKeywords || type == kBool;
}

record::Value value_of(std::string_view encoded) {
    Decoder in(encoded);
    return record::decode_value(&in);
}

double number_of(std::string_view encoded) {
    const record::Value value = value_of(encoded);
    if (const auto* integer = std::get_if<std::int64_t>(&value))
        return static_cast<double>(*integer);
    if (const auto* real = std::get_if<double>(&value)) return *real;
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1.0 : 0.0;
    return kAbsent;
}

record::GeoPoint place_of(std::string_view encoded) {
    const record::Value value = value_of(encoded);
    const auto* place = std::get_if<record::GeoPoint>(&value);
    return place != nullptr ? *place : kNowhere;
}

/// Calls `visit` with each keyword of a value; a bool counts as "true" or "false".
template <typename Visitor>
void for_each_keyword(std::string_view encoded, Visitor visit) {
    const record::Value value = value_of(encoded);
    if (const auto* one = std::get_if<std::string>(&value)) {
        visit(std::string_view(*one));
    } else if (const auto* many = std::get_if<std::vector<std::string>>(&value)) {
        for (const std::string& keyword : *many) visit(std::string_view(keyword));
    } else if (const auto* flag = std::get_if<bool>(&value)) {
        visit(std::string_view(*flag ? "true" : "false"));
    }
}

}  // namespace

void encode_id_value(const EntityId& id, Encoder* out) {
    out->u8(id.is_text() ? 1 : 0);
    if (id.is_text())
        out->raw(id.text());
    else
        out->u64(id.number());
}

EntityId decode_id_value(std::string_view encoded) {
    Decoder in(encoded);
    if (in.u8() != 0) return EntityId(std::string(in.rest()));
    return EntityId(in.u64());
}

void encode_time_value(UnixMillis time_ms, Encoder* out) {
    out->svarint(time_ms);
}

UnixMillis decode_time_value(std::string_view encoded) {
    return Decoder(encoded).svarint();
}

void Columns::set_fields(const std::vector<schema::FieldSpec>& fields) {
    for (std::size_t i = fields_.size(); i < fields.size(); ++i) {
        FieldColumn& column = fields_.emplace_back();
        column.type = fields[i].type;
        if (is_number(column.type)) column.numbers.resize(slot_count(), kAbsent);
        if (column.type == schema::FieldType::kGeo) column.places.resize(slot_count(), kNowhere);
    }
}

void Columns::resize(std::uint32_t slot_count) {
    created_at_.resize(slot_count, 0);
    publish_at_.resize(slot_count, kNoPublishTime);
    expires_at_.resize(slot_count, kNoExpiryTime);
    always_open_.resize((std::size_t{slot_count} + 63) / 64);
    creator_of_.resize(slot_count, nullptr);
    for (FieldColumn& column : fields_) {
        if (is_number(column.type)) column.numbers.resize(slot_count, kAbsent);
        if (column.type == schema::FieldType::kGeo) column.places.resize(slot_count, kNowhere);
        if (column.texts != nullptr) column.texts->resize(slot_count);
    }
}

/// Once its times are known.
void Columns::note_open(std::uint32_t slot, bool live) {
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    std::uint64_t& word = always_open_[slot / 64];
    const bool timed = publish_at_[slot] != kNoPublishTime || expires_at_[slot] != kNoExpiryTime;
    word = live && !timed ? word | bit : word & ~bit;
}

template <bool kLoading>
void Columns::change_keywords(FieldColumn& column, std::uint32_t slot, std::string_view encoded,
                              bool add) {
    for_each_keyword(encoded, [&](std::string_view keyword) {
        if (kLoading)
            column.keywords.load(keyword, slot);
        else if (add)
            column.keywords.add(keyword, slot);
        else
            column.keywords.remove(keyword, slot);
    });
}

template <bool kLoading>
void Columns::put(CellKey key, std::uint32_t slot, std::string_view encoded) {
    switch (key) {
        case kCreatorCell: {
            const EntityId creator = decode_id_value(encoded);
            creator_of_[slot] =
                kLoading ? creators_.load(creator, slot) : creators_.add(creator, slot);
            return;
        }
        case kCreatedAtCell:
            created_at_[slot] = decode_time_value(encoded);
            return;
        case kPublishAtCell:
            publish_at_[slot] = decode_time_value(encoded);
            return;
        case kExpiresAtCell:
            expires_at_[slot] = decode_time_value(encoded);
            return;
        default:
            break;
    }
    assert(key - kFieldCells < fields_.size());
    FieldColumn& column = fields_[key - kFieldCells];
    if (kLoading)
        column.present.load(slot);
    else
        column.present.add(slot);
    if (is_number(column.type)) column.numbers[slot] = number_of(encoded);
    if (column.type == schema::FieldType::kGeo) column.places[slot] = place_of(encoded);
    if (is_keyword(column.type)) change_keywords<kLoading>(column, slot, encoded, true);
    if (column.texts != nullptr) column.texts->put(slot, std::get<std::string>(value_of(encoded)));
}

void Columns::take(CellKey key, std::uint32_t slot, std::string_view encoded) {
    switch (key) {
        case kCreatorCell:
            creator_of_[slot] = nullptr;
            creators_.remove(decode_id_value(encoded), slot);
            return;
        case kCreatedAtCell:
            return;  // set_default_created_at follows
        case kPublishAtCell:
            publish_at_[slot] = kNoPublishTime;
            return;
        case kExpiresAtCell:
            expires_at_[slot] = kNoExpiryTime;
            return;
        default:
            break;
    }
    assert(key - kFieldCells < fields_.size());
    FieldColumn& column = fields_[key - kFieldCells];
    column.present.remove(slot);
    if (is_number(column.type)) column.numbers[slot] = kAbsent;
    if (column.type == schema::FieldType::kGeo) column.places[slot] = kNowhere;
    if (is_keyword(column.type)) change_keywords<false>(column, slot, encoded, false);
    if (column.texts != nullptr) column.texts->remove(slot);
}

void Columns::set_default_created_at(const Row& row) {
    const Cell* given = row.find(kCreatedAtCell);
    if (given == nullptr || !given->value)
        created_at_[row.slot.value()] = row.state == RowState::kLive ? row.generation.wall_ms() : 0;
}

void Columns::load(const Row& live_row) {
    const std::uint32_t slot = live_row.slot.value();
    live_.load(slot);
    for (const Cell& cell : live_row.cells) {
        if (!cell.value) continue;
        put<true>(cell.key, slot, *cell.value);
        tell_listener(slot, {cell.key, std::nullopt, cell.value});
    }
    note_open(slot, true);
    set_default_created_at(live_row);
}

void Columns::finish_load() {
    live_.finish_load(slot_count());
    creators_.finish_load(slot_count());
    for (FieldColumn& column : fields_) {
        column.keywords.finish_load(slot_count());
        column.present.finish_load(slot_count());
    }
}

void Columns::apply(const Row& after, std::span<const CellDifference> differences) {
    const std::uint32_t slot = after.slot.value();
    if (after.state == RowState::kLive)
        live_.add(slot);
    else
        live_.remove(slot);
    for (const CellDifference& difference : differences) {
        if (difference.before) take(difference.key, slot, *difference.before);
        if (difference.after) put<false>(difference.key, slot, *difference.after);
        note_ordered(difference.key, slot);
        tell_listener(slot, difference);
    }
    note_open(slot, after.state == RowState::kLive);
    set_default_created_at(after);
    note_ordered(kCreatedAtCell, slot);  // Whose default changes without a difference.
}

void Columns::tell_listener(std::uint32_t slot, const CellDifference& difference) {
    if (listener_ == nullptr || difference.key < kFieldCells ||
        fields_[difference.key - kFieldCells].type != schema::FieldType::kText)
        return;
    const auto text = [](const std::optional<std::string_view>& encoded) {
        return encoded ? std::get<std::string>(value_of(*encoded)) : std::string();
    };
    listener_->text_changed(Slot(slot),
                            FieldId(static_cast<std::uint16_t>(difference.key - kFieldCells)),
                            text(difference.before), text(difference.after));
}

void Columns::note_ordered(CellKey key, std::uint32_t slot) {
    OrderedColumn* ordered = nullptr;
    if (key == kCreatedAtCell)
        ordered = ordered_times_[0].get();
    else if (key == kPublishAtCell)
        ordered = ordered_times_[1].get();
    else if (key == kExpiresAtCell)
        ordered = ordered_times_[2].get();
    else if (key != kCreatorCell)
        ordered = fields_[key - kFieldCells].ordered.get();
    if (ordered != nullptr) ordered->note(slot);
}

std::span<const double> Columns::numbers(FieldId field) const {
    if (field.value() >= fields_.size()) return {};
    if (const TextColumn* const texts = built_texts(field)) return texts->prefixes();
    return fields_[field.value()].numbers;
}

std::span<const record::GeoPoint> Columns::places(FieldId field) const {
    if (field.value() >= fields_.size()) return {};
    return fields_[field.value()].places;
}

NumberView Columns::view(const NumberSource& source) const {
    switch (source.kind) {
        case NumberSource::Kind::kField:
            return NumberView(numbers(source.field));
        case NumberSource::Kind::kCreatedAt:
            return {created_at_, kNoPublishTime};
        case NumberSource::Kind::kPublishAt:
            return {publish_at_, kNoPublishTime};
        case NumberSource::Kind::kExpiresAt:
            break;
    }
    return {expires_at_, kNoExpiryTime};
}

OrderedColumn* Columns::ordered(const NumberSource& source) const {
    std::unique_ptr<OrderedColumn>* at = nullptr;
    if (source.kind != NumberSource::Kind::kField) {
        at = &ordered_times_[static_cast<std::size_t>(source.kind) - 1];
    } else {
        if (numbers(source.field).empty() || built_texts(source.field)) return nullptr;
        at = &fields_[source.field.value()].ordered;
    }
    if (*at == nullptr) *at = std::make_unique<OrderedColumn>();
    return at->get();
}

TextColumn* Columns::texts(FieldId field) {
    if (field.value() >= fields_.size()) return nullptr;
    FieldColumn& column = fields_[field.value()];
    if (column.type != schema::FieldType::kText && column.type != schema::FieldType::kKeyword)
        return nullptr;
    if (column.texts == nullptr) {
        column.texts = std::make_unique<TextColumn>();
        column.texts->resize(slot_count());
    }
    return column.texts.get();
}

const TextColumn* Columns::built_texts(FieldId field) const {
    return field.value() < fields_.size() ? fields_[field.value()].texts.get() : nullptr;
}

const Roaring* Columns::keyword(FieldId field, std::string_view value) const {
    if (field.value() >= fields_.size()) return nullptr;
    return fields_[field.value()].keywords.find(value);
}

const Roaring* Columns::present(FieldId field) const {
    if (field.value() >= fields_.size()) return nullptr;
    return &fields_[field.value()].present.bitmap();
}

}  // namespace tidal::entity
