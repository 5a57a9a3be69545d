# add_fuzz(NAME room source): one fuzz target in the registry.
# Under clang with PLINTH_LIBFUZZER it becomes the libFuzzer binary fuzz_NAME; otherwise the same
# LLVMFuzzerTestOneInput is linked with a replay main, and a ctest runs the committed corpus
# tests/fuzz/corpus/NAME through it.
define_property(GLOBAL PROPERTY PLINTH_FUZZ_TARGETS BRIEF_DOCS "fuzz registry" FULL_DOCS "fuzz registry")

function(add_fuzz name room source)
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  if(NOT IS_DIRECTORY ${corpus})
    message(FATAL_ERROR "fuzz target ${name} has no corpus ${corpus}")
  endif()
  set_property(GLOBAL APPEND PROPERTY PLINTH_FUZZ_TARGETS ${name})
  if(PLINTH_LIBFUZZER)
    add_executable(fuzz_${name} ${source})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} ${source} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME fuzz.${name} COMMAND fuzz_${name} ${corpus})
    set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 300 LABELS "unit;fuzz")
  endif()
  target_link_libraries(fuzz_${name} PRIVATE plinth_${room} plinth_flags)
  shorten_compile(fuzz_${name})
  add_dependencies(unit_tests fuzz_${name})
endfunction()
