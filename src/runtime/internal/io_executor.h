// runtime/internal/io_executor.h: an Executor on whose thread sockets live. Includes Asio: for
// asio_*.cc and io_executor.cc only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string_view>

#include "runtime/internal/thread_executor.h"

namespace tidal::runtime::internal {

/// Handlers of `io()` run between batches of posted work, and while there is none.
/// Lifetime  stop() leaves handlers that have not run to whoever owns the sockets.
class IoExecutor final : public ThreadExecutor {
public:
    explicit IoExecutor(std::string_view name);
    ~IoExecutor() override;
    const std::shared_ptr<boost::asio::io_context>& io() const { return io_; }

private:
    IoExecutor(std::string_view name, std::shared_ptr<boost::asio::io_context> io);

    const std::shared_ptr<boost::asio::io_context> io_;
};

}  // namespace tidal::runtime::internal
