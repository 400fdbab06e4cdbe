# tidal_precompile(target GROUP [TESTS]): headers that most files of the target share are read once for
# all targets of the group; reading them is more than half of what a file costs. Nothing else: a header
# still includes what it uses (tests/tooling compiles each with those of the modules below,
# -DTIDAL_PRECOMPILE=OFF everything without any).
#   external  the standard library, containers of absl and roaring
#   base      that, and results
#   query     what a ranked query needs: schema, records, profiles, bitmaps
#   api       the database
# TESTS adds GoogleTest and RapidCheck, for targets that tidal_compile_quickly() was called for.
option(TIDAL_PRECOMPILE "precompile the headers most files share" ON)

set(TIDAL_PRECOMPILED_external
  <algorithm> <array> <bit> <cassert> <charconv> <cmath> <cstdint> <cstring> <deque> <functional> <limits> <map>
  <memory> <mutex> <optional> <set> <span> <string> <string_view> <utility> <variant> <vector>
  <absl/container/flat_hash_map.h> <absl/functional/any_invocable.h>
  <absl/container/btree_map.h> <roaring/roaring.hh>)
set(TIDAL_PRECOMPILED_base ${TIDAL_PRECOMPILED_external} [["base/codec.h"]] [["base/result.h"]])
set(TIDAL_PRECOMPILED_query ${TIDAL_PRECOMPILED_base}
  [["query/feed.h"]] [["ranking/profile.h"]] [["record/record.h"]] [["schema/schema.h"]])
set(TIDAL_PRECOMPILED_api ${TIDAL_PRECOMPILED_query} [["api/database.h"]])
set(TIDAL_PRECOMPILED_tests <fstream> <sstream> <gmock/gmock.h> <gtest/gtest.h> <rapidcheck/gtest.h>)

# What the compilers and ccache need to reuse them: no times in the files, no text of theirs in the hash.
if(TIDAL_PRECOMPILE)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(tidal_options INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
  else()
    target_compile_options(tidal_options INTERFACE -fpch-preprocess)
  endif()
endif()

function(tidal_precompile target group)
  if(NOT TIDAL_PRECOMPILE)
    return()
  endif()
  set(shared precompiled_${group})
  set(headers ${TIDAL_PRECOMPILED_${group}})
  if("TESTS" IN_LIST ARGN)
    string(APPEND shared _tests)
    list(APPEND headers ${TIDAL_PRECOMPILED_tests})
    set(libraries GTest::gmock)  # Its macros must be those of the tests.
  endif()
  if(NOT TARGET ${shared})
    set(empty ${CMAKE_BINARY_DIR}/precompiled.cc)
    if(NOT EXISTS ${empty})
      file(WRITE ${empty} "")
    endif()
    add_library(${shared} OBJECT ${empty})
    target_link_libraries(${shared} PRIVATE tidal_options ${libraries})
    if("TESTS" IN_LIST ARGN)
      tidal_compile_quickly(${shared})
    endif()
    target_precompile_headers(${shared} PRIVATE ${headers})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # g++ reads the old one for ccache's preprocessed text, which then finds the old one again.
      set_target_properties(${shared} PROPERTIES CXX_COMPILER_LAUNCHER "")
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${shared})
endfunction()
