// record/personal.h: what of a record is of users, for those who keep it where a user can be
// forgotten. Why: docs/decisions/0049-archive-keys.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "record/record.h"

namespace tidal::record {

enum class Personal : std::uint8_t {
    kNothing,  ///< It names no user.
    kParts,    ///< A signal of a user, or relay rows: what it counts is not theirs alone.
    kWhole,    ///< It is about one user, or two.
    kNever,    ///< Keys, and the end of a user: nothing of it is kept.
};
Personal personal(const Body& body);

/// Who is named, and by what was committed when: an effect that arrives late says what its user
/// did before.
using UserVisitor = std::function<void(const EntityId& user, HybridTime stamp)>;
/// Of kParts and kWhole. A friend comes after the user whose friend it is.
void visit_users(const Record& record, const UserVisitor& visit);

/// What a client said beside a signal.
struct PersonalTexts {
    std::string session;
    std::uint64_t session_sequence = 0;
    std::string idempotency_key;
    std::string context;
    bool empty() const;
};
/// Out of a signal of kParts, which is left without them.
PersonalTexts take_texts(Record* signal);
void put_texts(PersonalTexts texts, Record* signal);
std::string encode_texts(const PersonalTexts& texts);
/// kCorruption for what encode_texts() does not write.
Result<PersonalTexts> decode_texts(std::string_view bytes);

/// Nobody, or who stands in a user's place.
using UserReplacer = std::function<std::optional<EntityId>(const EntityId& user, HybridTime stamp)>;
/// Of kParts. A signal without its user says that it had one; a relay row goes where it would say
/// nothing without its user; and with it whose creator or taste it changed, which the signal that
/// it came from says.
void replace_users(Record* record, const UserReplacer& with);

}  // namespace tidal::record
