# tidal_module(NAME n [DEPS module...] [LIBS library...])
#   One static library from the *.cc of the calling folder. DEPS are the tidalDB modules it may
#   use; `tests/*_test.cc` become `n_test`; `n_link_test` links the whole module with DEPS alone, so
#   that an upward call fails to link.
# tidal_program(NAME n OUTPUT o [DEPS ...] [LIBS ...]) is the same for an executable.

add_library(tidal_options INTERFACE)
target_include_directories(tidal_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(tidal_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  -Wno-missing-field-initializers -ffp-contract=off -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these in its own standard library under optimisation and sanitizers.
  target_compile_options(tidal_options INTERFACE
    -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread
    -Wno-array-bounds -Wno-tsan)
endif()
if(TIDAL_SANITIZE)
  target_compile_options(tidal_options INTERFACE -fsanitize=${TIDAL_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(tidal_options INTERFACE -fsanitize=${TIDAL_SANITIZE})
endif()
if(TIDAL_FUZZ)
  target_compile_options(tidal_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
find_program(LLD ld.lld)
if(LLD)
  target_link_options(tidal_options INTERFACE -fuse-ld=lld)
endif()

function(tidal_sources_of name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc ${CMAKE_CURRENT_SOURCE_DIR}/internal/*.cc)
  set(${name} ${sources} PARENT_SCOPE)
endfunction()

function(tidal_tests name)
  cmake_parse_arguments(T "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tests/*.cc)
  if(TIDAL_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${T_DEPS} ${T_LIBS} ${RAPIDCHECK_LIBRARY} GTest::gmock_main)
    target_compile_definitions(${name}_test PRIVATE
      TIDAL_TESTDATA_DIR="${CMAKE_CURRENT_SOURCE_DIR}/testdata" TIDAL_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME ${name} COMMAND ${name}_test)
  endif()
endfunction()

function(tidal_module)
  cmake_parse_arguments(M "" "NAME" "DEPS;LIBS;TEST_DEPS" ${ARGN})
  tidal_sources_of(sources)
  add_library(${M_NAME} STATIC ${sources})
  target_link_libraries(${M_NAME} PUBLIC tidal_options ${M_DEPS} ${M_LIBS})
  set_property(GLOBAL APPEND PROPERTY TIDAL_MODULES ${M_NAME})
  set_property(GLOBAL PROPERTY TIDAL_DEPS_${M_NAME} "${M_DEPS}")
  if(TIDAL_TESTS)
    set(empty ${CMAKE_BINARY_DIR}/link_test_main.cc)
    if(NOT EXISTS ${empty})
      file(WRITE ${empty} "int main() { return 0; }\n")
    endif()
    add_executable(${M_NAME}_link_test ${empty})
    target_link_libraries(${M_NAME}_link_test PRIVATE
      -Wl,--whole-archive $<TARGET_FILE:${M_NAME}> -Wl,--no-whole-archive tidal_options ${M_DEPS} ${M_LIBS})
    add_dependencies(${M_NAME}_link_test ${M_NAME})
    add_test(NAME ${M_NAME}_link COMMAND ${M_NAME}_link_test)
  endif()
  tidal_tests(${M_NAME} DEPS ${M_NAME} ${M_TEST_DEPS})
endfunction()

function(tidal_program)
  cmake_parse_arguments(P "" "NAME;OUTPUT" "DEPS;LIBS" ${ARGN})
  tidal_sources_of(sources)
  add_executable(${P_NAME} ${sources})
  set_target_properties(${P_NAME} PROPERTIES OUTPUT_NAME ${P_OUTPUT})
  target_link_libraries(${P_NAME} PRIVATE tidal_options ${P_DEPS} ${P_LIBS})
endfunction()
