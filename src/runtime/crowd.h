// runtime/crowd.h: who comes in where long work makes room, in a simulation.
#pragma once

namespace tidal::runtime {

/// Threads wait at a lock, where who holds it sees them. On the one timeline of a simulation nobody
/// ever waits: here the seed says that somebody does, and who waits goes on when let in.
class Crowd {
public:
    virtual ~Crowd() = default;
    /// Whether somebody is to be taken for waiting.
    virtual bool waits() = 0;
    /// Other executors, of this and other nodes, go on for a while; the node may be dead
    /// afterwards. From a piece of work, with nothing locked.
    virtual void come_in() = 0;
};

}  // namespace tidal::runtime
