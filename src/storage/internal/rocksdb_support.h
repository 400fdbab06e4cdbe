// storage/internal/rocksdb_support.h: options, errors and background errors of the real row engine.
#pragma once

#include <rocksdb/listener.h>
#include <rocksdb/options.h>

#include <atomic>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/internal/rocksdb_rows.h"

namespace tidal::storage::internal {

/// Takes note of what stopped the database. Its own recovery is off: it polls every few seconds,
/// answers Resume with "busy" meanwhile, and brings nothing back after a hard error (see reopen()).
class ErrorListener final : public rocksdb::EventListener {
public:
    enum class Worst { kNone, kSoft, kHard };

    Worst worst() const { return worst_; }
    void set_worst(Worst worst) { worst_ = worst; }
    void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
        const bool hard = status->severity() >= rocksdb::Status::Severity::kHardError;
        if (hard || worst_ == Worst::kNone) worst_ = hard ? Worst::kHard : Worst::kSoft;
    }
    void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                              bool* automatic) override {
        *automatic = false;
    }

private:
    std::atomic<Worst> worst_ = Worst::kNone;
};

/// The environment must outlive the database.
rocksdb::Options rocksdb_options(rocksdb::Env* environment,
                                 const std::shared_ptr<ErrorListener>& listener, RowsAccess access);

/// kDiskFull, kCorruption, kUnsupported, kOverloaded, or kIo for all else.
Error rocksdb_error(const rocksdb::Status& status, std::string_view what);
/// The same, and kConflict when another process has the directory.
Error rocksdb_open_error(const rocksdb::Status& status, const std::string& directory);

/// RocksDB promises statuses; what it throws all the same (allocation) stops here.
template <typename Body>
auto guarded(Body body) -> decltype(body()) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return Error(ErrorCode::kOverloaded, "row engine: out of memory");
    } catch (const std::exception& error) {
        return Error(ErrorCode::kInternal, std::string("row engine: ") + error.what());
    }
}

}  // namespace tidal::storage::internal
