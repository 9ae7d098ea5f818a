# The libraries of JARIP_FORWARD_ONLY under the names that dependencies.cmake gives them, from their
# headers alone: Debian's compiled ones are for the machine that builds.
find_package(Threads REQUIRED)

add_library(fmt::fmt INTERFACE IMPORTED)
target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY)
add_library(spdlog::spdlog INTERFACE IMPORTED)
target_link_libraries(spdlog::spdlog INTERFACE fmt::fmt)
add_library(CLI11::CLI11 INTERFACE IMPORTED)

if(JARIP_BUILD_TESTS)
  set(BUILD_GMOCK OFF)
  set(INSTALL_GTEST OFF)
  add_subdirectory(/usr/src/googletest googletest EXCLUDE_FROM_ALL)
endif()
