// Files of examples, as the tiny model's tokenizer and a template of ours see them.
#include "train/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/packing.h"
#include "train/testing/tiny_model.h"

namespace plinth::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kTemplate[] =
    "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}";
// Writes less of an answer once the conversation goes on.
constexpr char kForgetful[] =
    "{% for m in messages %}[{{ m['role'] }}]{% if loop.last or m['role'] == 'user' %}"
    "{{ m['content'] }}{% endif %}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}";

class DatasetTest : public testing::Test {
 protected:
  void SetUp() override {
    file_ = tiny_model();
    tokenizer_ = *model::make_tokenizer(file_->tokenizer);
  }
  absl::StatusOr<Dataset> read(std::string_view text, std::int64_t tokens_max = 1000,
                               const char* source = kTemplate) const {
    const auto chat_template = *model::ChatTemplate::parse(source);
    const ExampleEncoder encoder(*tokenizer_, &chat_template, 0);
    return Dataset::read(text, encoder, {tokens_max});
  }
  std::string error(std::string_view text, std::int64_t tokens_max = 1000) const {
    const auto dataset = read(text, tokens_max);
    EXPECT_FALSE(dataset.ok());
    return std::string(base::message(dataset.status()));
  }
  // What is learnt of an example, each stretch in brackets.
  std::string learnt(const Example& example) const {
    std::string text;
    for (std::size_t i = 0; i < example.ids.size(); ++i) {
      const bool was = i > 0 && example.learnt[i - 1];
      if (example.learnt[i] && !was) text += '<';
      if (!example.learnt[i] && was) text += '>';
      text += tokenizer_->token_bytes(example.ids[i], true);
    }
    return text + (example.learnt.back() ? ">" : "");
  }
  std::unique_ptr<model::ModelFile> file_;
  std::unique_ptr<model::Tokenizer> tokenizer_;
};

constexpr char kTwoTurns[] =
    R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"bc"},)"
    R"({"role":"user","content":"d"},{"role":"assistant","content":"e"}]})";

TEST_F(DatasetTest, AnswersAreLearntToTheTokenThatEndsThem) {
  const auto eos = tokenizer_->token_bytes(*tokenizer_->spec().eos, true);
  const auto dataset = read(std::string(kTwoTurns) + "\n");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(learnt(dataset->examples()[0]), "[user]a" + eos + "\n[assistant]<bc" + eos +
                                                ">\n[user]d" + eos + "\n[assistant]<e" + eos +
                                                ">\n");
}

TEST_F(DatasetTest, PreferencesLearnWhatDiffersAlone) {
  constexpr char kPair[] =
      R"({"input":{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},)"
      R"({"role":"user","content":"c"}]},"preferred_output":[{"role":"assistant","content":"d"}],)"
      R"("non_preferred_output":[{"role":"assistant","content":"ef"}]})";
  const auto chat_template = *model::ChatTemplate::parse(kTemplate);
  const ExampleEncoder encoder(*tokenizer_, &chat_template, 0);
  const auto text = std::string(kPair) + "\n" + kPair;
  const auto dataset = Dataset::read(text, encoder, {1000, true});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  ASSERT_EQ(dataset->examples().size(), 4u);
  EXPECT_EQ(dataset->report().examples, 2);
  EXPECT_EQ(dataset->report().duplicates, 1);
  EXPECT_EQ(dataset->shared_with(*dataset), 2);
  const auto eos = tokenizer_->token_bytes(*tokenizer_->spec().eos, true);
  EXPECT_THAT(learnt(dataset->examples()[0]), testing::EndsWith("[assistant]<d" + eos + ">\n"));
  EXPECT_THAT(learnt(dataset->examples()[1]), testing::EndsWith("[assistant]<ef" + eos + ">\n"));
  EXPECT_THAT(learnt(dataset->examples()[0]), HasSubstr("[assistant]b"));
  // Each kind for its own method.
  EXPECT_THAT(error(kPair), HasSubstr("line 1: it is a preference"));
  EXPECT_THAT(std::string(base::message(Dataset::read(kTwoTurns, encoder, {1000, true}).status())),
              HasSubstr("line 1: it is no preference"));
}

TEST_F(DatasetTest, AWeightOfZeroIsNotLearnt) {
  auto line = std::string(kTwoTurns);
  line.insert(line.find("\"content\":\"bc\""), "\"weight\":0,");
  const auto dataset = read(line);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const auto text = learnt(dataset->examples()[0]);
  EXPECT_THAT(text, HasSubstr("]bc"));
  EXPECT_THAT(text, HasSubstr("]<e"));
}

TEST_F(DatasetTest, OfAForgetfulTemplateTheLastAnswerIsLearnt) {
  const auto dataset = read(kTwoTurns, 1000, kForgetful);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const auto eos = tokenizer_->token_bytes(*tokenizer_->spec().eos, true);
  EXPECT_THAT(learnt(dataset->examples()[0]), testing::EndsWith("[assistant]<e" + eos + ">"));
}

TEST_F(DatasetTest, AMessageThatSpellsAControlTokenIsText) {
  const auto eos = tokenizer_->token_bytes(*tokenizer_->spec().eos, true);
  const auto dataset = read(R"({"messages":[{"role":"user","content":")" + eos +
                            R"("},{"role":"assistant","content":"b"}]})");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  const auto& ids = dataset->examples()[0].ids;
  EXPECT_EQ(std::count(ids.begin(), ids.end(), *tokenizer_->spec().eos), 2);
}

TEST_F(DatasetTest, SaysWhatItHolds) {
  const auto dataset = read(
      "{\"prompt\":\"ab\",\"completion\":\"cdefgh\"}\n"
      "{\"prompt\":\"ab\",\"completion\":\"cdefgh\"}\n"
      "{\"prompt\":\"ab\",\"completion\":\"z\"}\n",
      6);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->report().examples, 3);
  EXPECT_EQ(dataset->report().duplicates, 1);
  EXPECT_EQ(dataset->report().truncated, 2);
  EXPECT_EQ(dataset->report().longest, 6);
  const auto other = read("{\"prompt\":\"ab\",\"completion\":\"z\"}\n");
  EXPECT_EQ(dataset->shared_with(*other), 1);
}

TEST_F(DatasetTest, ErrorsNameTheirLines) {
  EXPECT_THAT(error("{\"text\":\"a\"}\n\n{\"text\":\"\"}\n"),
              testing::AllOf(HasSubstr("line 2: it is empty"), HasSubstr("line 3: `text`")));
  EXPECT_THAT(error("\xef\xbb\xbf{\"text\":\"a\"}"), HasSubstr("byte order mark"));
  EXPECT_THAT(error(""), HasSubstr("no examples"));
  EXPECT_THAT(error(R"({"prompt":"abcdefgh","completion":"z"})", 4), HasSubstr("first 4 tokens"));
  EXPECT_THAT(error(R"({"messages":[{"role":"assistant","content":"b","weight":0}]})"),
              HasSubstr("weight 0"));
  std::string many;
  for (int i = 0; i < 150; ++i) many += "x\n";
  EXPECT_THAT(error(many), HasSubstr("and 50 more"));
}

TEST_F(DatasetTest, BatchesPutExamplesSideBySide) {
  Example a{{1, 2, 3}, {false, false, true}}, b{{4, 5}, {false, true}};
  const auto batch = batch_of({a, b}, {1, 0});
  EXPECT_THAT(batch.ids, ElementsAre(4, 1, 2));
  EXPECT_THAT(batch.targets, ElementsAre(5, 2, 3));
  EXPECT_THAT(batch.weights, ElementsAre(1, 0, 1));
  ASSERT_EQ(batch.documents.size(), 2u);
  EXPECT_EQ(batch.documents[1].begin, 1);
  EXPECT_EQ(batch.documents[1].tokens, 2);
}

TEST(Packing, FillsPassesBestFirst) {
  EXPECT_THAT(pack({3, 9, 5, 2, 4, 12}, 10),
              ElementsAre(ElementsAre(5), ElementsAre(1), ElementsAre(2, 4), ElementsAre(0, 3)));
  EXPECT_TRUE(pack({}, 10).empty());
}

}  // namespace
}  // namespace plinth::train
