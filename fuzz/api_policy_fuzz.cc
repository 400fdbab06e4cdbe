// Any text as a policy of sessions: one that is read prints as itself, and is of a schema or
// refused.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/session_policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    static const schema::Schema kSchema = *schema::parse_schema(schema::default_schema_yaml());
    const auto rules = api::parse_policy({reinterpret_cast<const char*>(data), size});
    if (!rules.ok()) return 0;
    const auto again = api::parse_policy(api::print_policy(*rules));
    if (!again.ok() ? again.error().code() != ErrorCode::kTooLarge : !(*again == *rules))
        std::abort();
    api::StoredPolicy policy;
    policy.rules = *rules;
    (void)api::limits_of(policy, kSchema);
    return 0;
}
