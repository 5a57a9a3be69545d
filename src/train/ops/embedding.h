// Rows of a table by token, backward too.
#pragma once

#include <vector>

#include "train/tape.h"
#include "train/weight.h"

namespace plinth::train {

// y[i] = factor * table[ids[i]]. `ids`, each below table.rows(), outlives the tape's use.
template <typename T>
Var<T>& embedding(Tape<T>& tape, Weight<T>& table, const std::vector<std::int32_t>& ids, T factor);

}  // namespace plinth::train
