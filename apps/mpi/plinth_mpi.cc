// The module plinth_mpi.so: the only code that knows MPI (MPI-3.1, of which 3.7.3 is the tests of
// several requests and 8.3 the handling of errors).
#include <mpi.h>

#include <cstdio>
#include <vector>

#include "train/mpi_functions.h"

namespace {

// A process has one world.
struct World {
  std::vector<MPI_Request> requests;
  std::vector<int> others;  // by request
};

World& world() {
  static World one;
  return one;
}

int begin(int* rank, int* ranks, int* ranks_here) {
  int level = 0;
  if (const int error = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level))
    return error;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
  if (const int error = MPI_Comm_rank(MPI_COMM_WORLD, rank)) return error;
  if (const int error = MPI_Comm_size(MPI_COMM_WORLD, ranks)) return error;
  MPI_Comm here = MPI_COMM_NULL;
  if (const int error =
          MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here))
    return error;
  if (const int error = MPI_Comm_size(here, ranks_here)) return error;
  return MPI_Comm_free(&here);
}

int send(const void* bytes, int size, int to, int tag) {
  world().others.push_back(to);
  return MPI_Isend(bytes, size, MPI_BYTE, to, tag, MPI_COMM_WORLD,
                   &world().requests.emplace_back(MPI_REQUEST_NULL));
}

int receive(void* bytes, int size, int from, int tag) {
  world().others.push_back(from);
  return MPI_Irecv(bytes, size, MPI_BYTE, from, tag, MPI_COMM_WORLD,
                   &world().requests.emplace_back(MPI_REQUEST_NULL));
}

int test(int* done, int* awaited) {
  auto& [requests, others] = world();
  const int count = static_cast<int>(requests.size());
  std::vector<int> ended(requests.size());
  std::vector<MPI_Status> statuses(requests.size());
  int ends = 0;
  const int error = MPI_Testsome(count, requests.data(), &ends, ended.data(), statuses.data());
  if (error == MPI_ERR_IN_STATUS) {
    for (int i = 0; i < ends; ++i) {
      const int its = statuses[static_cast<std::size_t>(i)].MPI_ERROR;
      if (its != MPI_SUCCESS) return its;
    }
  }
  if (error != MPI_SUCCESS) return error;
  // Those that have ended are null by now.
  *done = 1;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (requests[i] == MPI_REQUEST_NULL) continue;
    *done = 0;
    *awaited = others[i];
  }
  if (*done != 0) {
    requests.clear();
    others.clear();
  }
  return 0;
}

int end() { return MPI_Finalize(); }

void abort_all() { MPI_Abort(MPI_COMM_WORLD, 1); }

void describe(int error, char* text, int size) {
  char words[MPI_MAX_ERROR_STRING] = "an unknown error";
  int length = 0;
  MPI_Error_string(error, words, &length);
  std::snprintf(text, static_cast<std::size_t>(size), "%s", words);
}

}  // namespace

const plinth::train::MpiFunctions* plinth_mpi_functions() {
  static const plinth::train::MpiFunctions functions = {
      plinth::train::kMpiFunctions, begin, send, receive, test, end, abort_all, describe};
  return &functions;
}
