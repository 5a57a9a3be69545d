# Third-party libraries by one name each, so that a room lists what it uses and nothing else.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(absl REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(Protobuf REQUIRED)
find_package(CURL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(GTest REQUIRED)
if(PLINTH_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(SQLITE3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(EDIT REQUIRED IMPORTED_TARGET libedit)
pkg_check_modules(ARGON2 REQUIRED IMPORTED_TARGET libargon2)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
# Training in several processes; the program itself neither needs nor loads it (decision 0024).
pkg_check_modules(MPI IMPORTED_TARGET ompi-c)

# Debian's SOCI and prometheus-cpp ship no pkg-config file.
find_library(SOCI_CORE soci_core REQUIRED)
find_library(SOCI_SQLITE3 soci_sqlite3 REQUIRED)
find_library(SOCI_POSTGRESQL soci_postgresql REQUIRED)
find_path(SOCI_INCLUDE soci/soci.h REQUIRED)
add_library(plinth_soci INTERFACE)
target_include_directories(plinth_soci SYSTEM INTERFACE ${SOCI_INCLUDE})
target_link_libraries(plinth_soci INTERFACE ${SOCI_CORE} ${SOCI_SQLITE3} ${SOCI_POSTGRESQL} PkgConfig::SQLITE3
  PkgConfig::LIBPQ)
# SOCI hides the type information of its internals, which UBSan's vptr check would need.
target_compile_options(plinth_soci INTERFACE $<$<CONFIG:Debug>:-fno-sanitize=vptr>)
find_package(prometheus-cpp CONFIG REQUIRED)

# What every translation unit is compiled with.
add_library(plinth_flags INTERFACE)
target_compile_options(plinth_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion)
if(PLINTH_WERROR)
  target_compile_options(plinth_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports false positives inside inlined standard and Abseil containers.
  target_compile_options(plinth_flags INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow
    -Wno-stringop-overread -Wno-array-bounds -Wno-restrict -Wno-dangling-pointer)
endif()
target_include_directories(plinth_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
