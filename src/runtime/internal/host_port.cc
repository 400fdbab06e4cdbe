#include "runtime/internal/host_port.h"

#include <charconv>

namespace tidal::runtime::internal {

namespace {

bool is_port(std::string_view text) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && number <= 65535;
}

}  // namespace

Result<HostPort> parse_host_port(std::string_view address) {
    const auto colon = address.rfind(':');
    const auto host = address.substr(0, colon);
    if (colon == std::string_view::npos || host.empty() || !is_port(address.substr(colon + 1)))
        return Error(ErrorCode::kInvalidArgument, "not an address of the form host:port")
            .with("address", address);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    return HostPort{std::string(bracketed ? host.substr(1, host.size() - 2) : host),
                    std::string(address.substr(colon + 1))};
}

}  // namespace tidal::runtime::internal
