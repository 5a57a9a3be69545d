#include <cstdio>

int main() {
  std::puts("plinth " PLINTH_VERSION);
  return 0;
}
