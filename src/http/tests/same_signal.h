// http/tests/same_signal.h: whether two ways to read a signal read the same.
#pragma once

#include <tuple>

#include "api/types.h"

namespace tidal::http {

inline bool is_same_signal(const api::SignalWrite& a, const api::SignalWrite& b) {
    const auto all = [](const api::SignalWrite& one) {
        return std::tie(one.id, one.signal, one.weight, one.at_ms, one.user_id, one.creator_id,
                        one.session_id, one.sequence, one.under_policy, one.context,
                        one.idempotency_key);
    };
    return all(a) == all(b);
}

}  // namespace tidal::http
