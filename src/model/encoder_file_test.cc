#include "model/encoder_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "tests/support/source_dir.h"

namespace plinth::model {
namespace {

namespace fs = std::filesystem;

std::string golden(const std::string& name) {
  return source_dir() + "/tests/golden/encoder/" + name;
}

TEST(EncoderFile, DescribesEachFamily) {
  const auto bert = open_encoder(golden("bert_mean"));
  ASSERT_TRUE(bert.ok()) << bert.status();
  EXPECT_EQ((*bert)->spec.width, 24);
  EXPECT_EQ((*bert)->spec.heads, 3);
  EXPECT_EQ((*bert)->spec.positions, 40);
  EXPECT_EQ((*bert)->spec.context, 20);  // sentence_bert_config.json lowers it
  EXPECT_EQ((*bert)->spec.pooling, Pooling::mean);
  EXPECT_TRUE((*bert)->spec.normalize);
  EXPECT_EQ((*bert)->quantization, "f32");
  EXPECT_EQ((*bert)->weights.layers.size(), 2u);
  const auto cls = open_encoder(golden("bert_cls_bf16"));
  ASSERT_TRUE(cls.ok()) << cls.status();
  EXPECT_EQ((*cls)->spec.activation, EncoderActivation::gelu_tanh);
  EXPECT_EQ((*cls)->spec.pooling, Pooling::cls);
  EXPECT_FALSE((*cls)->spec.normalize);
  EXPECT_EQ((*cls)->quantization, "bf16");
  const auto roberta = open_encoder(golden("roberta_max"));
  ASSERT_TRUE(roberta.ok()) << roberta.status();
  EXPECT_EQ((*roberta)->spec.position_offset, 2);
  EXPECT_EQ((*roberta)->spec.context, 38);
  EXPECT_EQ((*roberta)->spec.pooling, Pooling::max);
  const auto distil = open_encoder(golden("distilbert_mean"));
  ASSERT_TRUE(distil.ok()) << distil.status();
  EXPECT_EQ((*distil)->spec.token_types, 0);
  EXPECT_TRUE((*distil)->weights.token_type.empty());
}

// A copy of the tiny BERT folder to break.
class BrokenEncoder : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/plinth-encoder-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    fs::copy(golden("bert_mean"), folder_, fs::copy_options::recursive);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void put(const std::string& file, const std::string& content) {
    ASSERT_TRUE(base::write_file_atomic(folder_ + "/" + file, content).ok());
  }
  // `from` replaced by `to` in a file that must contain it.
  void edit(const std::string& file, const std::string& from, const std::string& to) {
    auto text = *base::read_file(folder_ + "/" + file, 1 << 20);
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    put(file, text.replace(at, from.size(), to));
  }
  void expect_refused(const std::string& named, absl::StatusCode code) {
    const auto file = open_encoder(folder_);
    ASSERT_FALSE(file.ok()) << named;
    EXPECT_EQ(file.status().code(), code) << file.status();
    EXPECT_NE(base::message(file.status()).find(named), std::string_view::npos) << file.status();
    EXPECT_NE(base::message(file.status()).find(folder_), std::string_view::npos) << file.status();
  }
  std::string folder_;
};

TEST_F(BrokenEncoder, NamesTheFileAndTheFieldThatIsWrong) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;
  const struct {
    const char *file, *from, *to, *named;
    absl::StatusCode code;
  } cases[] = {
      {"config.json", "\"hidden_size\": 24", "\"hidden_size\": 0", "hidden_size is 0", kInvalid},
      {"config.json", "\"hidden_size\": 24", "\"hidden_size\": \"24\"", "hidden_size", kInvalid},
      {"config.json", "\"hidden_size\": 24", "\"hidden_size\": 25", "num_attention_heads is 3",
       kInvalid},
      {"config.json", "\"hidden_size\": 24", "\"hidden_size\": 27",
       "word_embedding_dimension is 24", kInvalid},
      {"config.json", "\"hidden_size\"", "\"hidden\"", "hidden_size is missing", kInvalid},
      {"config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3",
       "tensor encoder.layer.2.attention.self.query.weight is missing", kInvalid},
      {"config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 99999",
       "num_hidden_layers is 99999", kInvalid},
      {"config.json", "\"vocab_size\": 60", "\"vocab_size\": 61", "expected [61, 24]", kInvalid},
      {"config.json", "\"layer_norm_eps\": 1e-12", "\"layer_norm_eps\": -1", "layer_norm_eps is -1",
       kInvalid},
      {"config.json", "\"hidden_act\": \"gelu\"", "\"hidden_act\": \"mish\"",
       "mish is not supported", kUnimplemented},
      {"config.json", "\"model_type\": \"bert\"", "\"model_type\": \"nomic_bert\"",
       "model_type nomic_bert is not supported", kUnimplemented},
      {"config.json", "{", "{\"position_embedding_type\": \"relative_key\",",
       "relative_key is not supported", kUnimplemented},
      {"config.json", "\"is_decoder\": false", "\"is_decoder\": true", "is no encoder", kInvalid},
      {"config.json", "{", "[", "[json] byte", kInvalid},
      {"modules.json", "models.Normalize", "models.Dense",
       "module sentence_transformers.models.Dense is not supported", kUnimplemented},
      {"modules.json", "\"path\": \"1_Pooling\"", "\"path\": \"../1_Pooling\"",
       "../1_Pooling is no plain folder name", kInvalid},
      {"modules.json", "models.Normalize", "models.Pooling", "out of order", kInvalid},
      {"1_Pooling/config.json", "\"pooling_mode_mean_tokens\": true",
       "\"pooling_mode_mean_tokens\": false", "no pooling_mode_* is true", kInvalid},
      {"1_Pooling/config.json", "\"pooling_mode_cls_token\": false",
       "\"pooling_mode_cls_token\": true", "together are not supported", kUnimplemented},
      {"1_Pooling/config.json", "pooling_mode_mean_tokens", "pooling_mode_lasttoken",
       "pooling_mode_lasttoken is not supported", kUnimplemented},
      {"1_Pooling/config.json", "\"word_embedding_dimension\": 24",
       "\"word_embedding_dimension\": 32", "word_embedding_dimension is 32", kInvalid},
      {"sentence_bert_config.json", "20", "0", "max_seq_length is 0", kInvalid},
  };
  for (const auto& c : cases) {
    const auto before = *base::read_file(folder_ + "/" + c.file, 1 << 20);
    edit(c.file, c.from, c.to);
    expect_refused(c.named, c.code);
    put(c.file, before);
  }
  EXPECT_TRUE(open_encoder(folder_).ok());
}

TEST_F(BrokenEncoder, NeedsConfigAndWeights) {
  fs::rename(folder_ + "/config.json", folder_ + "/config.old");
  expect_refused("config.json: No such file", absl::StatusCode::kNotFound);
  fs::rename(folder_ + "/config.old", folder_ + "/config.json");
  fs::remove(folder_ + "/model.safetensors");
  expect_refused("has neither model.safetensors nor", absl::StatusCode::kNotFound);
}

TEST_F(BrokenEncoder, IsPlainBertWithoutTheSentenceFiles) {
  for (const char* name : {"modules.json", "1_Pooling/config.json", "sentence_bert_config.json"}) {
    fs::remove(folder_ + "/" + name);
  }
  const auto file = open_encoder(folder_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->spec.context, 40);
  EXPECT_EQ((*file)->spec.pooling, Pooling::mean);
  EXPECT_FALSE((*file)->spec.normalize);
}

TEST_F(BrokenEncoder, IsAnEncoderByWhatItsConfigSays) {
  EXPECT_EQ(*is_encoder(folder_), true);
  edit("config.json", "\"model_type\": \"bert\"", "\"model_type\": \"nomic_bert\"");
  EXPECT_EQ(*is_encoder(folder_), true);
  edit("config.json", "nomic_bert", "llama");
  EXPECT_EQ(*is_encoder(folder_), false);
  EXPECT_EQ(*is_encoder(source_dir() + "/tests/golden/model/tiny_llama.gguf"), false);
  EXPECT_TRUE(absl::IsNotFound(is_encoder(folder_ + "/nowhere.gguf").status()));
}

}  // namespace
}  // namespace plinth::model
