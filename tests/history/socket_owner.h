// tests/history/socket_owner.h: which process has the other end of a connection of this machine.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace tidal::history {

/// Of the connection from `port` to `peer_port`, both of this machine over IPv4: the place in
/// `pids` of the process that holds its `port` end. nullopt while none of them does. Linux; sees
/// processes of the same user. Reads /proc.
std::optional<std::size_t> find_owner(std::uint16_t port, std::uint16_t peer_port,
                                      const std::vector<pid_t>& pids);

}  // namespace tidal::history
