// What a run needs of MPI, as a table that the module plinth_mpi.so fills: so that the program
// neither loads nor needs MPI where there is one rank (docs/decisions/0024).
#pragma once

#include <cstddef>

namespace plinth::train {

// Plain functions: no type of ours, or of C++'s library, crosses. All of one thread. An int that is
// returned is 0, or an error that describe() has words for.
struct MpiFunctions {
  int version = 0;  // kMpiFunctions
  int (*begin)(int* rank, int* ranks, int* ranks_here) = nullptr;
  // Bytes of one call are at most kMpiBytesMax.
  int (*send)(const void* bytes, int size, int to, int tag) = nullptr;
  int (*receive)(void* bytes, int size, int from, int tag) = nullptr;
  // Lets what has begun go on. done: all of it has ended; else `awaited` is a rank of which it
  // waits.
  int (*test)(int* done, int* awaited) = nullptr;
  int (*end)() = nullptr;
  void (*abort)() = nullptr;
  void (*describe)(int error, char* text, int size) = nullptr;
};

inline constexpr int kMpiFunctions = 1;
inline constexpr std::size_t kMpiBytesMax = std::size_t{1} << 28;

}  // namespace plinth::train

// Of the module.
extern "C" const plinth::train::MpiFunctions* plinth_mpi_functions();
