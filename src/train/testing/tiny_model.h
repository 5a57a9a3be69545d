// A small model of random weights, whose tokenizer knows every byte and two control tokens.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "base/thread_pool.h"
#include "model/model_file.h"
#include "model/random_model.h"

namespace plinth::train {

inline std::unique_ptr<model::ModelFile> tiny_model() {
  const auto path = testing::TempDir() + "tiny_" + std::to_string(::getpid()) + ".gguf";
  base::ThreadPool threads(1);
  model::RandomModelOptions options;
  options.shape = {"tiny", 2, 64, 4, 2, 96, 514, 2048};
  options.linear = options.head = tensor::DType::f32;
  EXPECT_TRUE(model::write_random_model(options, path, threads, nullptr).ok());
  auto file = model::open_model(path);
  EXPECT_TRUE(file.ok()) << file.status();
  ::unlink(path.c_str());  // it stays mapped
  return *std::move(file);
}

}  // namespace plinth::train
