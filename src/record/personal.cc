#include "record/personal.h"

namespace tidal::record {
namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
    using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

Personal of_signal(const SignalBody& body) {
    return body.user ? Personal::kParts : Personal::kNothing;
}
Personal of_kind(EntityKind kind) {
    return kind == EntityKind::kUser ? Personal::kWhole : Personal::kNothing;
}

SignalBody* signal_of(Body* body) {
    if (auto* of_session = std::get_if<SessionSignalBody>(body)) return &of_session->signal;
    return std::get_if<SignalBody>(body);
}

}  // namespace

Personal personal(const Body& body) {
    return std::visit(
        Overloaded{
            [](const SignalBody& b) { return of_signal(b); },
            [](const SessionSignalBody& b) { return of_signal(b.signal); },
            [](const RelayBody&) { return Personal::kParts; },
            [](const UpsertBody& b) { return of_kind(b.kind); },
            [](const EmbeddingBody& b) { return of_kind(b.kind); },
            [](const DeleteBody& b) {
                return b.kind == EntityKind::kUser ? Personal::kNever : Personal::kNothing;
            },
            [](const SessionBody& b) { return b.user ? Personal::kWhole : Personal::kNothing; },
            [](const RelationshipBody&) { return Personal::kWhole; },
            [](const SavedSearchBody&) { return Personal::kWhole; },
            [](const DeliveryBody&) { return Personal::kWhole; },
            [](const ArchiveKeysBody&) { return Personal::kNever; },
            [](const EraseUserBody&) { return Personal::kNever; },
            // What names no user: items' own records, time, routing, catalogue, marks.
            [](const UndoBody&) { return Personal::kNothing; },
            [](const SessionUndoBody&) { return Personal::kNothing; },
            [](const SchemaBody&) { return Personal::kNothing; },
            [](const ShardConfigBody&) { return Personal::kNothing; },
            [](const TickBody&) { return Personal::kNothing; },
            [](const RelayAckBody&) { return Personal::kNothing; },
            [](const ImportMarkBody&) { return Personal::kNothing; },
            [](const CatalogBody&) { return Personal::kNothing; },
            [](const CollectionMemberBody&) { return Personal::kNothing; },
        },
        body);
}

void visit_users(const Record& record, const UserVisitor& visit) {
    const HybridTime stamp = record.envelope.stamp;
    const auto each = [&](const EntityId& user) { visit(user, stamp); };
    const auto one = [&](const std::optional<EntityId>& user) {
        if (user) each(*user);
    };
    std::visit(Overloaded{
                   [&](const SignalBody& b) { one(b.user); },
                   [&](const SessionSignalBody& b) { one(b.signal.user); },
                   [&](const RelayBody& b) {
                       for (const RelayRow& row : b.rows)
                           if (is_of_session(row.effect)) visit(*row.user, row.stamp);
                   },
                   [&](const UpsertBody& b) {
                       if (b.kind == EntityKind::kUser) each(b.id);
                   },
                   [&](const EmbeddingBody& b) {
                       if (b.kind == EntityKind::kUser) each(b.id);
                   },
                   [&](const SessionBody& b) { one(b.user); },
                   [&](const RelationshipBody& b) {
                       each(b.user);
                       if (target_kind(b.kind) == EntityKind::kUser) each(b.target);
                   },
                   [&](const SavedSearchBody& b) { each(b.user); },
                   [&](const DeliveryBody& b) { each(b.user); },
                   [](const auto&) {},
               },
               record.body);
}

bool PersonalTexts::empty() const {
    return session.empty() && session_sequence == 0 && idempotency_key.empty() && context.empty();
}

PersonalTexts take_texts(Record* signal) {
    SignalBody* const body = signal_of(&signal->body);
    Envelope& envelope = signal->envelope;
    return {std::exchange(envelope.session, {}), std::exchange(envelope.session_sequence, 0),
            std::exchange(envelope.idempotency_key, {}), std::exchange(body->context, {})};
}

void put_texts(PersonalTexts texts, Record* signal) {
    SignalBody* const body = signal_of(&signal->body);
    signal->envelope.session = std::move(texts.session);
    signal->envelope.session_sequence = texts.session_sequence;
    signal->envelope.idempotency_key = std::move(texts.idempotency_key);
    body->context = std::move(texts.context);
}

std::string encode_texts(const PersonalTexts& texts) {
    Encoder out;
    out.bytes(texts.session);
    out.varint(texts.session_sequence);
    out.bytes(texts.idempotency_key);
    out.bytes(texts.context);
    return out.take();
}

Result<PersonalTexts> decode_texts(std::string_view bytes) {
    Decoder in(bytes);
    PersonalTexts texts;
    texts.session = in.bytes();
    texts.session_sequence = in.varint();
    texts.idempotency_key = in.bytes();
    texts.context = in.bytes();
    TIDAL_TRY(in.finish("texts of a signal"));
    if (texts.session.size() > kTokenBytesMax || texts.idempotency_key.size() > kTokenBytesMax ||
        texts.context.size() > kContextBytesMax)
        return Error(ErrorCode::kCorruption, "texts of a signal: longer than any may be");
    return texts;
}

void replace_users(Record* record, const UserReplacer& with) {
    if (SignalBody* const body = signal_of(&record->body)) {
        if (!body->user) return;
        body->user = with(*body->user, record->envelope.stamp);
        record->envelope.user_erased = !body->user;
        return;
    }
    auto& rows = std::get<RelayBody>(record->body).rows;
    for (RelayRow& row : rows) {
        if (is_of_session(row.effect))
            row.user = with(*row.user, row.stamp);
        else
            row.user.reset();
    }
    std::erase_if(rows, [](const RelayRow& row) {
        return row.effect == RelayEffect::kTaste || row.effect == RelayEffect::kErasure ||
               (is_of_session(row.effect) && !row.user);
    });
}

}  // namespace tidal::record
