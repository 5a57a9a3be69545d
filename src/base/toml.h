// toml++ as every room reads TOML: errors as values, never an exception or an abort.
#pragma once

#define TOML_EXCEPTIONS 0
// Its parser asserts what only well-formed input gives it ("[[[" does not) and goes on to report
// the error where asserts are off.
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>
