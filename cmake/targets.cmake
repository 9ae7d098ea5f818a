# jarip_library(NAME [PARSES] SOURCES a.cpp … LINK lib …): a static library of a folder of src/.
# PARSES: a fuzz target reaches it, so it counts what it covers where fuzz targets are built.
function(jarip_library name)
  cmake_parse_arguments(ARG "PARSES" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  if(ARG_PARSES)
    target_compile_options(${name} PRIVATE ${JARIP_COVERAGE})
  endif()
  target_link_libraries(${name} PRIVATE jarip_flags PUBLIC ${ARG_LINK})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
endfunction()

# jarip_test(x_test [LONG] LINK lib …): builds x_test.cpp of this folder and registers it with
# ctest. JARIP_TEST_DATA points tests at tests/data; "tests/support/…" holds what tests share.
# LONG: ctest starts it before the others, so that none is left on one core at the end, and it is
# told with JARIP_SLOW_BUILD of sanitizers and emulation, under which it may try fewer cases of what
# the release tries in full.
function(jarip_test name)
  cmake_parse_arguments(ARG "LONG" "" "LINK" ${ARGN})
  if(NOT JARIP_BUILD_TESTS)
    return()
  endif()
  add_executable(${name} ${name}.cpp)
  target_link_libraries(${name} PRIVATE jarip_flags ${ARG_LINK} GTest::gtest GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600
    ENVIRONMENT "JARIP_TEST_DATA=${PROJECT_SOURCE_DIR}/tests/data")
  if(ARG_LONG)
    target_compile_definitions(${name} PRIVATE JARIP_SLOW_BUILD=${JARIP_SLOW_BUILD})
    set_tests_properties(${name} PROPERTIES COST 1000)
  endif()
endfunction()

# jarip_fuzzer(x LINK lib …): builds x_fuzz.cpp of fuzz/ with libFuzzer.
function(jarip_fuzzer name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name}_fuzz ${name}_fuzz.cpp)
  target_compile_options(${name}_fuzz PRIVATE ${JARIP_COVERAGE})
  target_link_libraries(${name}_fuzz PRIVATE jarip_flags ${ARG_LINK})
  target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
endfunction()
