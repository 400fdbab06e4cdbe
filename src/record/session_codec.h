// record/session_codec.h: parts of sessions and lists of cohorts; in records and in rows.
#pragma once

#include "base/codec.h"
#include "record/record.h"

namespace tidal::record {

void encode_limits(const SessionLimits& limits, Encoder* out);
/// Fails the decoder where a number leaves its type; ranges are check_record()'s.
SessionLimits decode_limits(Decoder* in);

void encode_annotations(const Annotations& annotations, Encoder* out);
/// Fails the decoder above kAnnotationsMax.
Annotations decode_annotations(Decoder* in);

void encode_cohorts(const std::vector<CohortId>& cohorts, Encoder* out);
/// Fails the decoder above kCohortsMax.
void decode_cohorts(Decoder* in, std::vector<CohortId>* cohorts);

/// Ranges of limits, sizes and order of annotations: empty, or what is wrong.
std::string_view wrong_with(const SessionLimits& limits);
std::string_view wrong_with(const Annotations& annotations);

}  // namespace tidal::record
