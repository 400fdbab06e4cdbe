# tidal_module(NAME n [CONCURRENCY test...] [PRECOMPILED group] [DEPS module...] [LIBS library...] [TEST_DEPS ...])
#   One static library from the *.cc of the calling folder. DEPS are the tidalDB modules it may
#   use; `tests/*.cc` become `n_test`; `n_link_test` links the whole module with DEPS alone, so
#   that an upward call fails to link. A folder of headers only becomes an interface library.
#   `tests/*_fuzz.cc` are fuzz targets, one each.
#   CONCURRENCY names the tests (files, without `_test.cc`) that have threads: `n_test` of the `tsan` preset has
#   no others and is labelled `concurrency`; one simulated thread has nothing to race with.
#   PRECOMPILED: see precompiled.cmake; `base` where nothing is said.
# tidal_program(NAME n OUTPUT o [DEPS ...] [LIBS ...]) is the same for an executable; its `tests/`
#   become `n_test`, which sees only what TEST_DEPS and TEST_LIBS name.

add_library(tidal_options INTERFACE)
target_include_directories(tidal_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
# As a folder of another project it brings its language level, but no opinion on the other's code.
target_compile_features(tidal_options INTERFACE cxx_std_20)
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(tidal_options INTERFACE
    -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    -Wno-missing-field-initializers)
endif()
target_compile_options(tidal_options INTERFACE -ffp-contract=off -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these in its own standard library under optimisation and sanitizers.
  target_compile_options(tidal_options INTERFACE
    -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread
    -Wno-array-bounds -Wno-tsan)
endif()
if(TIDAL_SANITIZE)
  # Code of tests (tidal_compile_quickly) has neither UBSan nor optimisation: with them rapidcheck's templates
  # take three times as long to compile.
  target_compile_options(tidal_options INTERFACE -fsanitize=${TIDAL_SANITIZE} -fno-sanitize-recover=all
    "$<$<BOOL:$<TARGET_PROPERTY:TIDAL_QUICKLY>>:-O0;-fno-sanitize=undefined>")
  target_link_options(tidal_options INTERFACE -fsanitize=${TIDAL_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND TIDAL_SANITIZE MATCHES undefined)
    # clang 14 cannot place UBSan's function signatures in coroutines ("difference across sections").
    target_compile_options(tidal_options INTERFACE -fno-sanitize=function)
  endif()
endif()
if(TIDAL_FUZZ)
  target_compile_options(tidal_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
find_program(LLD ld.lld)
if(LLD)
  target_link_options(tidal_options INTERFACE -fuse-ld=lld)
endif()

# What tests/tooling checks: TIDAL_FOLDERS, and per folder its target and what it declared.
function(tidal_record_dependencies target)
  cmake_parse_arguments(R "" "PRECOMPILED" "DEPS;TEST_DEPS" ${ARGN})
  get_filename_component(parent ${CMAKE_CURRENT_SOURCE_DIR} DIRECTORY)
  get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  if(NOT parent STREQUAL "${PROJECT_SOURCE_DIR}/src")
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY TIDAL_FOLDERS ${folder})
  set_property(GLOBAL PROPERTY TIDAL_TARGET_${folder} ${target})
  set_property(GLOBAL PROPERTY TIDAL_PRECOMPILED_OF_${folder} ${R_PRECOMPILED})
  set_property(GLOBAL PROPERTY TIDAL_DEPS_${folder} "${R_DEPS}")
  set_property(GLOBAL PROPERTY TIDAL_TEST_DEPS_${folder} "${R_TEST_DEPS}")
endfunction()

function(tidal_sources_of name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc ${CMAKE_CURRENT_SOURCE_DIR}/internal/*.cc)
  set(${name} ${sources} PARENT_SCOPE)
endfunction()

# Compiles the sources of a target together, some in one go, where TIDAL_UNITY says so: what they include, and
# what the compiler makes of it, is then done once. So no two files of a module may give different things the
# same name in their anonymous namespaces. What includes itself for each kind of processor stays alone, and
# what holds bugs that a test links in its place (tidal_planted_sources).
option(TIDAL_UNITY "compile the sources of a module together" OFF)
function(tidal_compile_together target)
  if(NOT TIDAL_UNITY)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # It takes a grouped source for a header, whose anonymous namespaces others might include too.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
  foreach(source ${ARGN})
    file(STRINGS ${source} alone REGEX "^#include [<\"](hwy/foreach_target|[a-z]+/internal/planted).h[>\"]")
    if(alone)
      set_source_files_properties(${source} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
  endforeach()
endfunction()

# Says that a target is code of tests.
function(tidal_compile_quickly target)
  set_target_properties(${target} PROPERTIES TIDAL_QUICKLY ON)
endfunction()

# tidal_simulation(test SEEDS variable=n COST cost TIMEOUT seconds): the test runs clusters or nodes from seeds.
# All of its seeds run in the release preset; sanitizers, under which a seed takes ten times as long, get n.
function(tidal_simulation test)
  cmake_parse_arguments(S "" "SEEDS;COST;TIMEOUT" "" ${ARGN})
  set_tests_properties(${test} PROPERTIES LABELS "unit;simulation" COST ${S_COST} TIMEOUT ${S_TIMEOUT})
  if(TIDAL_SANITIZE)
    set_tests_properties(${test} PROPERTIES ENVIRONMENT "${S_SEEDS}")
  endif()
endfunction()

# Of the files of tests, those named and those that all share; none where none is named.
function(tidal_tests_of_threads list)
  set(left "")
  if(ARGN)
    set(left ${${list}})
    list(FILTER left EXCLUDE REGEX "_test\\.cc$")
    foreach(name ${ARGN})
      set(file ${CMAKE_CURRENT_SOURCE_DIR}/tests/${name}_test.cc)
      if(NOT EXISTS ${file})
        message(FATAL_ERROR "CONCURRENCY names ${name}: no ${file}")
      endif()
      list(APPEND left ${file})
    endforeach()
  endif()
  set(${list} ${left} PARENT_SCOPE)
endfunction()

# tidal_tests(n [CONCURRENCY ...] [DEPS ...] [LIBS ...] [LABELS ...]): tests/*.cc of the calling folder.
function(tidal_tests name)
  cmake_parse_arguments(T "" "PRECOMPILED" "CONCURRENCY;DEPS;LIBS;LABELS" ${ARGN})
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tests/*.cc)
  set(fuzz_targets ${tests})
  list(FILTER tests EXCLUDE REGEX "_fuzz\\.cc$")
  list(FILTER fuzz_targets INCLUDE REGEX "_fuzz\\.cc$")
  foreach(fuzz_target ${fuzz_targets})
    get_filename_component(fuzz_name ${fuzz_target} NAME_WE)
    tidal_fuzz_target(${fuzz_target} CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/testdata/fuzz/${fuzz_name} DEPS ${T_DEPS} LIBS ${T_LIBS})
  endforeach()
  if(TIDAL_SANITIZE MATCHES thread)
    tidal_tests_of_threads(tests ${T_CONCURRENCY})
  endif()
  if(TIDAL_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE
      tidal_options ${T_DEPS} ${T_LIBS} ${RAPIDCHECK_LIBRARY} GTest::gmock_main)
    tidal_precompile(${name}_test ${T_PRECOMPILED} TESTS)
    target_compile_definitions(${name}_test PRIVATE
      TIDAL_TESTDATA_DIR="${CMAKE_CURRENT_SOURCE_DIR}/testdata" TIDAL_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
      TIDAL_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
    tidal_compile_quickly(${name}_test)
    tidal_compile_together(${name}_test ${tests})
    add_test(NAME ${name} COMMAND ${name}_test)
    if(T_CONCURRENCY)
      list(APPEND T_LABELS concurrency)
    endif()
    set_tests_properties(${name} PROPERTIES LABELS "unit;${T_LABELS}" TIMEOUT 1200)
  endif()
endfunction()

# One LLVMFuzzerTestOneInput. With TIDAL_FUZZ it is a libFuzzer program; else the files of its corpus
# folder and mutations of them run as the test <name>_smoke.
function(tidal_fuzz_target source)
  cmake_parse_arguments(F "" "CORPUS" "DEPS;LIBS" ${ARGN})
  get_filename_component(name ${source} NAME_WE)
  if(TIDAL_FUZZ)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE tidal_options ${F_DEPS} ${F_LIBS})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set(corpus ${F_CORPUS})
    if(NOT EXISTS "${corpus}")
      set(corpus "")
    endif()
    add_test(NAME ${name} COMMAND ${name} -runs=20000 -max_len=4096 -seed=1 ${corpus})
    set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 300)
  elseif(TIDAL_TESTS)
    add_executable(${name}_smoke_test ${source} ${PROJECT_SOURCE_DIR}/tests/fuzz_smoke_main.cc)
    target_link_libraries(${name}_smoke_test PRIVATE tidal_options ${F_DEPS} ${F_LIBS})
    add_test(NAME ${name}_smoke COMMAND ${name}_smoke_test ${F_CORPUS})
    set_tests_properties(${name}_smoke PROPERTIES LABELS fuzz TIMEOUT 300)
  endif()
endfunction()

function(tidal_module)
  cmake_parse_arguments(M "" "NAME;PRECOMPILED" "CONCURRENCY;DEPS;LIBS;TEST_DEPS;TEST_LIBS" ${ARGN})
  if(NOT M_PRECOMPILED)
    set(M_PRECOMPILED base)
  endif()
  tidal_record_dependencies(${M_NAME} PRECOMPILED ${M_PRECOMPILED} DEPS ${M_DEPS} TEST_DEPS ${M_TEST_DEPS})
  tidal_sources_of(sources)
  if(NOT sources)
    add_library(${M_NAME} INTERFACE)
    target_link_libraries(${M_NAME} INTERFACE tidal_options ${M_DEPS} ${M_LIBS})
  else()
    add_library(${M_NAME} STATIC ${sources})
    target_link_libraries(${M_NAME} PUBLIC tidal_options ${M_DEPS} ${M_LIBS})
    tidal_precompile(${M_NAME} ${M_PRECOMPILED})
    tidal_compile_together(${M_NAME} ${sources})
    tidal_link_test(${M_NAME} DEPS ${M_DEPS} LIBS ${M_LIBS})
  endif()
  tidal_tests(${M_NAME} CONCURRENCY ${M_CONCURRENCY} PRECOMPILED ${M_PRECOMPILED} DEPS ${M_NAME} ${M_TEST_DEPS} LIBS ${M_TEST_LIBS})
endfunction()

# An empty main linked with every object of the module and with nothing but what it declares.
function(tidal_link_test name)
  cmake_parse_arguments(L "" "" "DEPS;LIBS" ${ARGN})
  if(NOT TIDAL_TESTS)
    return()
  endif()
  set(empty ${CMAKE_BINARY_DIR}/link_test_main.cc)
  if(NOT EXISTS ${empty})
    file(WRITE ${empty} "int main() { return 0; }\n")
  endif()
  add_executable(${name}_link_test ${empty})
  target_link_libraries(${name}_link_test PRIVATE
    -Wl,--whole-archive $<TARGET_FILE:${name}> -Wl,--no-whole-archive tidal_options ${L_DEPS} ${L_LIBS})
  add_dependencies(${name}_link_test ${name})
  add_test(NAME ${name}_link COMMAND ${name}_link_test)
  set_tests_properties(${name}_link PROPERTIES LABELS link TIMEOUT 60)
endfunction()

function(tidal_program)
  cmake_parse_arguments(P "" "NAME;OUTPUT;PRECOMPILED" "DEPS;LIBS;TEST_DEPS;TEST_LIBS" ${ARGN})
  if(NOT P_PRECOMPILED)
    set(P_PRECOMPILED base)
  endif()
  tidal_record_dependencies(${P_NAME} PRECOMPILED ${P_PRECOMPILED} DEPS ${P_DEPS} TEST_DEPS ${P_TEST_DEPS})
  tidal_sources_of(sources)
  if(NOT sources)
    return()
  endif()
  add_executable(${P_NAME} ${sources})
  set_target_properties(${P_NAME} PROPERTIES OUTPUT_NAME ${P_OUTPUT})
  target_link_libraries(${P_NAME} PRIVATE tidal_options ${P_DEPS} ${P_LIBS})
  tidal_precompile(${P_NAME} ${P_PRECOMPILED})
  tidal_compile_together(${P_NAME} ${sources})
  tidal_tests(${P_NAME} PRECOMPILED ${P_PRECOMPILED} DEPS ${P_TEST_DEPS} LIBS ${P_TEST_LIBS})
endfunction()

# tidal_planted_sources(out file...): those of the files that hold bugs a test can switch on.
function(tidal_planted_sources out)
  set(found "")
  foreach(file ${ARGN})
    file(STRINGS ${file} include REGEX "^#include \"[a-z]+/internal/planted.h\"")
    if(include)
      list(APPEND found ${file})
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    endif()
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()
