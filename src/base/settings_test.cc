#include "base/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/cpu_limit.h"
#include "base/file.h"
#include "base/near_name.h"
#include "tests/support/source_dir.h"

namespace plinth::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refusal(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(message(status));
}

TEST(Settings, FlagsCoverVariablesCoverTheFileCoverDefaults) {
  Settings settings;
  EXPECT_EQ(settings.integer("engine.ctx"), 0);
  EXPECT_EQ(settings.entry("engine.ctx").source, "default");
  ASSERT_TRUE(settings.read_toml("[engine]\nctx = 1\nthreads = 1\nkv_mib = 1\n", "f").ok());
  ASSERT_TRUE(settings.read_environment({"PLINTH_ENGINE_CTX=2", "PLINTH_ENGINE_THREADS=2"}).ok());
  ASSERT_TRUE(settings.set("engine.ctx", "3", "--ctx").ok());
  EXPECT_EQ(settings.integer("engine.ctx"), 3);
  EXPECT_EQ(settings.integer("engine.threads"), 2);
  EXPECT_EQ(settings.integer("engine.kv_mib"), 1);
  EXPECT_EQ(settings.entry("engine.ctx").source, "--ctx");
  EXPECT_EQ(settings.entry("engine.threads").source, "PLINTH_ENGINE_THREADS");
  EXPECT_EQ(settings.entry("engine.kv_mib").source, "f:4");
}

TEST(Settings, ReadsEveryType) {
  Settings settings;
  ASSERT_TRUE(settings
                  .read_toml("server.allow_plaintext = true\n[models]\nload = ['a,b', 'c']\n"
                             "[log]\nlevel = 'debug'\n",
                             "f")
                  .ok());
  EXPECT_TRUE(settings.boolean("server.allow_plaintext"));
  EXPECT_THAT(settings.list("models.load"), ElementsAre("a,b", "c"));
  EXPECT_EQ(settings.text("log.level"), "debug");
  ASSERT_TRUE(settings.read_environment({"PLINTH_MODELS_LOAD=x,y", "HOME=/"}).ok());
  EXPECT_THAT(settings.list("models.load"), ElementsAre("x", "y"));
}

TEST(Settings, NamesFileLineAndKeyOfAllThatIsWrong) {
  Settings settings;
  const auto wrong = settings.read_toml(
      "[engine]\nctxx = 4\nthreads = 'all'\nkv_mib = -1\n[log]\nlevel = 'loud'\n[nowhere]\n"
      "[models]\nload = [1]\n",
      "plinth.toml");
  EXPECT_EQ(refusal(wrong),
            "plinth.toml:2: engine.ctxx: no such setting; did you mean engine.ctx?\n"
            "plinth.toml:3: engine.threads: expected an integer from 0 to 1024 (threads), got a "
            "text\n"
            "plinth.toml:4: engine.kv_mib: expected an integer from 0 to 16777216 (MiB), got "
            "\"-1\"\n"
            "plinth.toml:6: log.level: expected one of debug, info, warn, error, got \"loud\"\n"
            "plinth.toml:7: nowhere: no such table\n"
            "plinth.toml:9: models.load: expected a list of texts, got an array");
  EXPECT_EQ(settings.integer("engine.kv_mib"), 0);
  EXPECT_THAT(refusal(settings.read_toml("[engine]\nctx = ", "f")), HasSubstr("f:2: "));
  EXPECT_THAT(refusal(settings.read_toml("\n[[[x]]]", "f")), HasSubstr("f:2: "));
  EXPECT_THAT(refusal(settings.read_toml("engine = 1", "f")), HasSubstr("f:1: engine: no such"));
}

TEST(Settings, RefusesWrongVariablesAndFlags) {
  Settings settings;
  EXPECT_EQ(refusal(settings.read_environment({"PLINTH_ENGINE_THREAD=2"})),
            "PLINTH_ENGINE_THREAD: no such setting; did you mean PLINTH_ENGINE_THREADS?");
  EXPECT_TRUE(settings.read_environment({"PLINTH_HOME=/x", "PLINTH_ISA=avx2"}).ok());
  EXPECT_THAT(refusal(settings.set("engine.ctx", "12k", "--ctx")), HasSubstr("--ctx: engine.ctx"));
  EXPECT_FALSE(settings.set("engine.ctx", "99999999999999999999", "--ctx").ok());
  EXPECT_FALSE(settings.set("server.allow_plaintext", "maybe", "--allow-plaintext").ok());
}

TEST(Settings, HaveDistinctNamesAndTexts) {
  std::set<std::string> flags, variables;
  for (const auto& setting : declared_settings()) {
    EXPECT_TRUE(flags.insert(setting.flag_name()).second) << setting.key;
    EXPECT_TRUE(variables.insert(setting.variable_name()).second) << setting.key;
    EXPECT_TRUE(setting.doc.ends_with(".")) << setting.key;
    EXPECT_FALSE(setting.since.empty()) << setting.key;
    EXPECT_NE(setting.key.find('.'), std::string_view::npos) << setting.key;
    if (setting.type == SettingType::integer) {
      EXPECT_FALSE(setting.unit.empty()) << setting.key;
    }
  }
}

TEST(Settings, PageIsCurrent) {
  const auto page = read_file(source_dir() + "/docs/settings.md", 1u << 20);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(*page, settings_markdown())
      << "docs/settings.md is old: plinth settings --markdown > docs/settings.md";
}

TEST(NearName, FindsTypingErrorsAndNothingElse) {
  EXPECT_EQ(did_you_mean("engine.thread", {"engine.ctx", "engine.threads"}),
            "; did you mean engine.threads?");
  EXPECT_EQ(did_you_mean("banana", {"engine.ctx", "engine.threads"}), "");
  EXPECT_EQ(did_you_mean(std::string(1 << 20, 'x'), {"x"}), "");
}

TEST(CpuLimit, ReadsQuotas) {
  EXPECT_EQ(cpu_max_processors("200000 100000"), 2);
  EXPECT_EQ(cpu_max_processors("150000 100000"), 2);
  EXPECT_EQ(cpu_max_processors("50000 100000"), 1);
  EXPECT_EQ(cpu_max_processors("max 100000"), 0);
  EXPECT_EQ(cpu_max_processors("-1 100000"), 0);
  EXPECT_EQ(cpu_max_processors("1 0"), 0);
  EXPECT_EQ(cpu_max_processors(""), 0);
  EXPECT_GE(cpu_limit(), 1);
}

}  // namespace
}  // namespace plinth::base
