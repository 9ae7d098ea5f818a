# Flags that every target gets. -ffp-contract=off: a compiler that fuses a multiply and an add on
# one instruction set and not on another would change bits; kernels say fma where they mean it.
add_library(jarip_flags INTERFACE)
target_include_directories(jarip_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(jarip_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Wimplicit-fallthrough -Werror -ffp-contract=off -fno-omit-frame-pointer)

if(JARIP_SANITIZE)
  add_compile_options(-fsanitize=${JARIP_SANITIZE} -fno-sanitize-recover=all -g1)
  add_link_options(-fsanitize=${JARIP_SANITIZE})
endif()

if(JARIP_SANITIZE OR CMAKE_CROSSCOMPILING)
  set(JARIP_SLOW_BUILD true)
else()
  set(JARIP_SLOW_BUILD false)
endif()

# Fuzz targets are blind unless the parsers under them count what they cover. Counting costs time,
# so that only what a parser lives in does it (PARSES below): kernels, engine and tests don't.
if(JARIP_BUILD_FUZZERS)
  set(JARIP_COVERAGE -fsanitize=fuzzer-no-link)
  add_link_options(${JARIP_COVERAGE})
endif()

find_program(LLD ld.lld-19)
if(LLD)
  add_link_options(-fuse-ld=lld-19)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
