# shorten_compile(TARGET): two things for a library or a program of tests.
# - It is compiled after cmake/precompiled.h, a program after cmake/precompiled_test.h, which each build
#   compiles once. Programs need a header of their own, since GCC takes none that was compiled for a
#   library's kind of position-independent code.
# - A debug build does not optimise programs of tests: what they test is code of the libraries, and
#   their own, with what gtest expands to, takes GCC twice as long at -O1.
option(PLINTH_PRECOMPILED "Parse the libraries' headers once a build" ON)
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(PLINTH_PRECOMPILED OFF)
endif()

function(shorten_compile target)
  get_target_property(type ${target} TYPE)
  set(header plinth_precompiled)
  if(type STREQUAL "EXECUTABLE")
    set(header plinth_precompiled_test)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Debug>:-O0>)
  endif()
  if(PLINTH_PRECOMPILED)
    target_precompile_headers(${target} REUSE_FROM ${header})
    # As GTest's headers were read; a program without GTest may share them.
    target_compile_definitions(${target} PRIVATE $<$<STREQUAL:${type},EXECUTABLE>:GTEST_HAS_PTHREAD=1>)
  endif()
endfunction()

# GCC never writes the same precompiled header twice, so that ccache would find nothing behind a new
# one. It is told to look at the text that the header was made of instead.
function(key_for_ccache target header)
  set(folder ${CMAKE_BINARY_DIR}/CMakeFiles/${target}.dir)
  file(MAKE_DIRECTORY ${folder})
  set(read ${CMAKE_CXX_COMPILER} -std=c++20 -I${PROJECT_SOURCE_DIR}/cmake -include ${header} -x c++ /dev/null)
  execute_process(COMMAND ${read} -E -P OUTPUT_FILE ${folder}/text COMMAND_ERROR_IS_FATAL ANY)
  file(SHA256 ${folder}/text sum)
  file(REMOVE ${folder}/text)
  file(WRITE ${folder}/cmake_pch.hxx.gch.sum "${CMAKE_CXX_COMPILER_VERSION} ${sum}\n")
  # Another version of a library is another text.
  execute_process(COMMAND ${read} -M OUTPUT_VARIABLE made_of COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "/[^ \\\n]+" files "${made_of}")
  list(REMOVE_ITEM files /dev/null)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
endfunction()

if(PLINTH_PRECOMPILED)
  set(unit ${CMAKE_BINARY_DIR}/precompiled.cc)
  file(GENERATE OUTPUT ${unit} CONTENT "int main() {}\n")
  set(libraries absl::status absl::statusor absl::strings absl::synchronization absl::flat_hash_map Boost::json
    fmt::fmt spdlog::spdlog Threads::Threads)
  add_library(plinth_precompiled STATIC ${unit})
  target_link_libraries(plinth_precompiled PRIVATE plinth_flags ${libraries})
  target_precompile_headers(plinth_precompiled PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled.h)
  add_executable(plinth_precompiled_test ${unit})
  target_link_libraries(plinth_precompiled_test PRIVATE plinth_flags ${libraries} GTest::gmock)
  target_compile_options(plinth_precompiled_test PRIVATE $<$<CONFIG:Debug>:-O0>)
  target_precompile_headers(plinth_precompiled_test PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled_test.h)
  key_for_ccache(plinth_precompiled ${PROJECT_SOURCE_DIR}/cmake/precompiled.h)
  key_for_ccache(plinth_precompiled_test ${PROJECT_SOURCE_DIR}/cmake/precompiled_test.h)
  add_compile_options(-fpch-preprocess)  # which ccache asks for
endif()
