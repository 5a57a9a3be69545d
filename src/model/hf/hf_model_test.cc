#include "model/hf/hf_model.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "tests/support/source_dir.h"

namespace plinth::model {
namespace {

namespace fs = std::filesystem;

// A copy of a golden folder, to be spoilt.
class HfModel : public ::testing::Test {
 protected:
  HfModel() { copy("qwen3"); }
  ~HfModel() override { fs::remove_all(folder_); }

  void copy(const std::string& golden) {
    fs::remove_all(folder_);
    ASSERT_TRUE(base::make_folders(folder_).ok());
    for (const auto& entry :
         fs::directory_iterator(source_dir() + "/tests/golden/architecture/" + golden)) {
      if (entry.path().extension() == ".gguf") continue;
      fs::copy_file(entry.path(), fs::path(folder_) / entry.path().filename());
    }
  }
  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(base::write_file_atomic(folder_ + "/" + name, text).ok());
  }
  void edit(const std::string& name, const char* key, base::json::value value) {
    auto object = base::parse_json(*base::read_file(folder_ + "/" + name, 1 << 20))->as_object();
    object[key] = std::move(value);
    write(name, base::to_json(object));
  }
  void expect_named(const std::string& named) {
    const auto opened = open_model(folder_);
    EXPECT_FALSE(opened.ok()) << named;
    EXPECT_NE(base::message(opened.status()).find(named), std::string_view::npos)
        << "expected " << named << ", got " << opened.status();
  }
  const std::string folder_ = ::testing::TempDir() + "/plinth_hf_" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(HfModel, ReadsAFolder) {
  write("README.md", "---\ntags:\n- tiny\nlicense: apache-2.0\n---\n# Tiny\n");
  const auto model = open_model(folder_);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->spec.architecture, "qwen3");
  EXPECT_EQ((*model)->quantization, "bf16");
  EXPECT_EQ((*model)->license, "apache-2.0");
  EXPECT_NE((*model)->chat_template.find("message['content']"), std::string::npos);
  EXPECT_EQ((*model)->tokenizer.tokens.size(), 96u);
  EXPECT_EQ((*model)->tokenizer.eos, 2);
  // generation_config.json lists a second one.
  EXPECT_EQ((*model)->tokenizer.end_of_generation.size(), 2u);
  const auto tokenizer = make_tokenizer((*model)->tokenizer);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
}

TEST_F(HfModel, TakesTheTemplateFromWhereverItIs) {
  edit("tokenizer_config.json", "chat_template",
       base::json::array{{{"name", "tool_use"}, {"template", "A"}},
                         {{"name", "default"}, {"template", "B"}}});
  EXPECT_EQ((*open_model(folder_))->chat_template, "B");
  write("chat_template.jinja", "C");
  EXPECT_EQ((*open_model(folder_))->chat_template, "C");
}

TEST_F(HfModel, NamesTheFileThatIsMissing) {
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
    copy("qwen3");
    fs::remove(folder_ + "/" + name);
    expect_named(name);
  }
}

TEST_F(HfModel, NamesTheFileAndFieldThatIsWrong) {
  write("config.json", "{\"model_type\":");
  expect_named("config.json");
  write("config.json", "[]");
  expect_named("config.json is no JSON object");
  copy("qwen3");
  edit("config.json", "hidden_size", 64);
  expect_named("tensor model.embed_tokens.weight has shape [96, 32], expected [96, 64]");
  copy("qwen3");
  edit("config.json", "num_hidden_layers", 3);
  expect_named("tensor model.layers.2.input_layernorm.weight is missing");
  edit("config.json", "num_hidden_layers", 1);
  expect_named("is no part of architecture qwen3");
  copy("qwen3");
  edit("config.json", "model_type", "llama");
  expect_named("self_attn.k_norm.weight is no part of architecture llama");
  copy("qwen3");
  edit("generation_config.json", "eos_token_id", 5000);
  expect_named("generation_config.json");
  copy("qwen3");
  edit("tokenizer_config.json", "chat_template", 7);
  expect_named("tokenizer_config.json: chat_template");
  copy("qwen3");
  write("tokenizer.json", "{}");
  expect_named("tokenizer.json");
}

}  // namespace
}  // namespace plinth::model
