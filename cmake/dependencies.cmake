# Every library comes from a Debian 12 package; docs/dependencies.md says why each is here.
find_package(Threads REQUIRED)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(spdlog REQUIRED)
if(JARIP_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
