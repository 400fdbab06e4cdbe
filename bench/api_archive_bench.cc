// What forgetting users costs the archive: bytes and time of a log file of signals as a segment,
// with records as logged and with users sealed, and reading it back.
//   build/release/bin/api_archive_bench [USERS]
#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "api/internal/archived_record.h"
#include "runtime/seeded_random.h"
#include "wal/archive_segment.h"

namespace tidal {
namespace {

using Clock = std::chrono::steady_clock;
using audience::ArchiveKeys;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}
template <typename T>
T must(Result<T> result) {
    if (!result.ok()) {
        std::fprintf(stderr, "%s\n", result.error().to_string().c_str());
        std::exit(1);
    }
    return std::move(*result);
}

struct LoggedBatch {
    wal::BatchHeader header;
    std::string payload;
};

/// A log file of one shard: some are liked and like far more than others.
std::vector<LoggedBatch> make_file(std::uint64_t users, std::string_view context) {
    runtime::SeededRandom random(1);
    const auto skewed = [&](std::uint64_t count) {
        const double u = static_cast<double>(random.u64() >> 11) * 0x1p-53;
        return static_cast<std::uint64_t>(std::pow(static_cast<double>(count), u));
    };
    std::vector<LoggedBatch> file;
    std::uint64_t bytes = 0, index = 1;
    while (bytes < wal::kLogFileBytes) {
        Encoder payload, one;
        LoggedBatch batch;
        batch.header.region = kFirstRegion;
        batch.header.shard = ShardId(1);
        batch.header.incarnation = Incarnation(1);
        batch.header.first_index = LogIndex(index);
        batch.header.count = 64;
        for (std::uint32_t i = 0; i < batch.header.count; ++i, ++index) {
            record::Record record;
            record.envelope.stamp =
                HybridTime::from(1'767'225'600'000 + static_cast<UnixMillis>(index / 50), 0);
            record.envelope.event_time_ms = record.envelope.stamp.wall_ms();
            record.envelope.schema_version = SchemaVersion(1);
            record.envelope.apply_version = ApplyVersion(1);
            record.envelope.epoch = Epoch(1);
            record.body = record::SignalBody{SignalTypeId(static_cast<std::uint16_t>(index % 9)),
                                             EntityId(skewed(200'000)),
                                             record::kWeightOne,
                                             EntityId(skewed(users)),
                                             std::nullopt,
                                             std::string(context)};
            batch.header.stamp = record.envelope.stamp;
            one.clear();
            record::encode_record(record, kFirstRegion, &one);
            payload.bytes(one.view());
        }
        batch.payload = payload.take();
        bytes += wal::kBatchHeaderBytes + batch.payload.size();
        file.push_back(std::move(batch));
    }
    return file;
}

class Keys {
public:
    explicit Keys(std::uint64_t users) {
        runtime::SeededRandom random(2);
        for (std::uint64_t user = 0; user <= users; ++user) {
            const std::uint64_t alias = record::alias_in(ShardId(1), random.u64());
            const std::string secret = *random.secret_bytes(record::kArchiveSecretBytes);
            keys_[EntityId(user)] = {alias, secret};
            owners_[alias] = {EntityId(user), secret};
        }
    }
    api::KeyOf key_of() const {
        return [this](const EntityId& user, HybridTime) { return &keys_.at(user); };
    }
    api::OwnerOf owner_of() const {
        return [this](std::uint64_t alias) -> Result<const ArchiveKeys::Owner*> {
            return &owners_.at(alias);
        };
    }

private:
    absl::flat_hash_map<EntityId, ArchiveKeys::Key> keys_;
    absl::flat_hash_map<std::uint64_t, ArchiveKeys::Owner> owners_;
};

template <typename Each>
std::string each_record(const LoggedBatch& batch, Each each) {
    Encoder out;
    Decoder in(batch.payload);
    for (std::uint32_t i = 0; i < batch.header.count; ++i)
        out.bytes(each(LogIndex(batch.header.first_index.value() + i), in.bytes()));
    return out.take();
}

std::size_t segment_bytes(const std::vector<LoggedBatch>& file, bool sealed) {
    wal::SegmentBuilder builder(wal::key_of(file.front().header), sealed);
    for (const LoggedBatch& batch : file) {
        std::string bytes;
        wal::encode_batch(batch.header, batch.payload, &bytes);
        builder.add(batch.header, bytes);
    }
    return builder.finish().size();
}

void measure(const char* name, std::uint64_t users, std::string_view context) {
    const auto file = make_file(users, context);
    const std::uint64_t signals = file.back().header.last_index().value();
    const Keys keys(users);
    const auto cipher = must(api::ArchiveCipher::make());
    const api::ArchivedRecords records(cipher);
    auto begin = Clock::now();
    const std::size_t plain = segment_bytes(file, false);
    const double plain_s = seconds_since(begin);

    begin = Clock::now();
    std::vector<LoggedBatch> sealed;
    record::Record scratch;
    const auto key_of = keys.key_of();
    for (const LoggedBatch& batch : file)
        sealed.push_back({batch.header, each_record(batch, [&](LogIndex index, auto bytes) {
                              if (!record::decode_record(bytes, kFirstRegion, &scratch).ok())
                                  std::exit(1);
                              return must(
                                  records.seal(batch.header, index, bytes, &scratch, key_of));
                          })});
    const double seal_s = seconds_since(begin);
    const std::size_t stored = segment_bytes(sealed, true);
    begin = Clock::now();
    std::size_t opened = 0;
    const auto owner_of = keys.owner_of();
    for (const LoggedBatch& batch : sealed)
        opened += each_record(batch, [&](LogIndex index, auto bytes) {
                      return must(records.open(batch.header, index, bytes, &scratch, owner_of));
                  }).size();
    const double open_s = seconds_since(begin);
    const auto per = [&](double value) { return value / static_cast<double>(signals); };
    std::printf("%-14s %8llu %7.1f %7.1f %8.2f %8.2f %8.2f\n", name,
                static_cast<unsigned long long>(signals), per(static_cast<double>(plain)),
                per(static_cast<double>(stored)), per(plain_s * 1e6), per(seal_s * 1e6),
                per(open_s * 1e6));
    if (opened == 0) std::exit(1);
}

}  // namespace
}  // namespace tidal

int main(int argc, char** argv) {
    const std::uint64_t users = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
    std::printf("a log file of 16 MiB, %llu users; bytes and us a signal\n",
                static_cast<unsigned long long>(users));
    std::printf("%-14s %8s %7s %7s %8s %8s %8s\n", "signals", "count", "logged", "sealed",
                "pack us", "seal us", "open us");
    tidal::measure("plain", users, "");
    tidal::measure("with context", users, "{\"position\":3,\"profile\":\"for_you@1\"}");
}
