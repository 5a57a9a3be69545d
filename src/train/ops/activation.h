// What a feed-forward block puts between its products, backward too.
#pragma once

#include "model/decoder_spec.h"
#include "train/tape.h"

namespace plinth::train {

// act(x). Hendrycks and Gimpel, "Gaussian error linear units", 2016.
template <typename T>
Var<T>& activate(Tape<T>& tape, Var<T>& x, model::Activation activation);

// act(gate) * up. Shazeer, "GLU variants improve transformer", 2020.
template <typename T>
Var<T>& activate_gated(Tape<T>& tape, Var<T>& gate, Var<T>& up, model::Activation activation);

}  // namespace plinth::train
