#include "protocol/codec.h"

#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/cord.h"
#include "protocol/limits.h"

namespace plinth::protocol {
namespace {

GenerateRequest full_request() {
  GenerateRequest request;
  request.request_id = "req-1";
  request.model = "smollm2";
  request.prompt = ChatPrompt{"[{}]", "[]", "{\"a\":1}", false};
  request.sampling.temperature = 0.25;
  request.sampling.top_k = 7;
  request.sampling.logit_bias = {{5, -100.0f}, {9, 1.5f}};
  request.sampling.seed = std::numeric_limits<std::uint64_t>::max();
  request.n = 3;
  request.max_tokens = 0;
  request.stop = {"a", std::string("\0\xff", 2)};
  request.logprobs = true;
  request.top_logprobs = 20;
  request.cache_salt = "tenant";
  request.tenant = std::string("proj\0\xff", 6);
  request.tenant_weight = kTenantWeightMax;
  request.service_class = ServiceClass::batch;
  return request;
}

TEST(Codec, GenerateRequestKeepsEveryField) {
  const auto back = decode_to_worker(encode(ToWorker(StartGenerate{42, full_request()})));
  ASSERT_TRUE(back.ok()) << back.status();
  const auto& start = std::get<StartGenerate>(*back);
  EXPECT_EQ(start.call, 42u);
  const auto& chat = std::get<ChatPrompt>(start.request.prompt);
  EXPECT_EQ(chat.template_kwargs_json, "{\"a\":1}");
  EXPECT_FALSE(chat.add_generation_prompt);
  EXPECT_EQ(start.request.sampling.seed, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(start.request.sampling.logit_bias, full_request().sampling.logit_bias);
  EXPECT_EQ(start.request.sampling.temperature, 0.25);
  EXPECT_EQ(start.request.max_tokens, 0);  // zero is not "absent"
  EXPECT_EQ(start.request.stop, full_request().stop);
  EXPECT_EQ(start.request.top_logprobs, 20);
  EXPECT_EQ(start.request.cache_salt, "tenant");
  EXPECT_EQ(start.request.tenant, full_request().tenant);
  EXPECT_EQ(start.request.tenant_weight, kTenantWeightMax);
  EXPECT_EQ(start.request.service_class, ServiceClass::batch);
}

TEST(Codec, AShareOfTheEngineHasBounds) {
  const auto decoded = [](const auto& change) {
    auto request = full_request();
    change(request);
    return decode_to_worker(encode(ToWorker(StartGenerate{1, request}))).status();
  };
  EXPECT_TRUE(decoded([](GenerateRequest& r) { r.tenant = std::string(256, 'x'); }).ok());
  EXPECT_TRUE(decoded([](GenerateRequest& r) { r.tenant.clear(); }).ok());
  const auto bad = [](const char* field) {
    return base::invalid_argument(std::string("[rpc] frame: ") + field);
  };
  EXPECT_EQ(decoded([](GenerateRequest& r) { r.tenant = std::string(257, 'x'); }), bad("tenant"));
  for (const int weight : {0, -1, kTenantWeightMax + 1, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(decoded([&](GenerateRequest& r) { r.tenant_weight = weight; }), bad("tenant_weight"))
        << weight;
  }
  EXPECT_EQ(decoded([](GenerateRequest& r) { r.service_class = ServiceClass(2); }),
            bad("service_class"));
  EXPECT_EQ(service_class_named("batch"), ServiceClass::batch);
  EXPECT_EQ(service_class_named("standard"), ServiceClass::standard);
}

TEST(Codec, AnAdapterGoesWithItsRequestWithinItsBounds) {
  const auto sent = [](const AdapterRef& adapter) {
    auto request = full_request();
    request.adapter = adapter;
    return decode_to_worker(encode(ToWorker(StartGenerate{1, request})));
  };
  for (const AdapterRef& adapter : {AdapterRef{}, AdapterRef{"id", "/a.gguf", ""},
                                    AdapterRef{"id", "/a.safetensors", "/a.json"},
                                    AdapterRef{"id", "/a", "/a.json", std::string("k\0y", 3)}}) {
    const auto back = sent(adapter);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(std::get<StartGenerate>(*back).request.adapter, adapter);
  }
  EXPECT_FALSE(sent({"id", "", ""}).ok());
  EXPECT_FALSE(sent({"", "/a", ""}).ok());
  EXPECT_FALSE(sent({std::string(129, 'x'), "/a", ""}).ok());
  EXPECT_FALSE(sent({"id", std::string(4097, 'x'), ""}).ok());
  EXPECT_FALSE(sent({"id", "/a", std::string("/a\0b", 4)}).ok());
  EXPECT_FALSE(sent({"id", "/a", "", std::string(2049, 'k')}).ok());
  EXPECT_FALSE(sent({"", "", "", "k"}).ok());
}

TEST(Codec, DeviceTimeGoesBothWaysWithinItsBounds) {
  const auto step_of = [](std::int64_t delta, std::int64_t finished) {
    Step step;
    step.calls.push_back(
        {7, {Delta{0, "a", {}, 1, delta}, Finished{absl::OkStatus(), {5, 2, 9, finished}}}});
    return decode_to_gateway(encode(ToGateway(step)));
  };
  const auto back = step_of(123, kDeviceUsMax);
  ASSERT_TRUE(back.ok()) << back.status();
  const auto& events = std::get<Step>(*back).calls[0].events;
  EXPECT_EQ(std::get<Delta>(events[0]).device_us, 123);
  EXPECT_EQ(std::get<Finished>(events[1]).usage.device_us, kDeviceUsMax);
  for (const std::int64_t broken : {std::int64_t{-1}, std::int64_t{kDeviceUsMax} + 1, INT64_MAX}) {
    EXPECT_FALSE(step_of(broken, 0).ok()) << broken;
    EXPECT_FALSE(step_of(0, broken).ok()) << broken;
  }
  const auto embedded =
      decode_to_gateway(encode(ToGateway(EmbedReply{3, EmbedResult{1, {1}, {6, 0, 0, 77}}})));
  ASSERT_TRUE(embedded.ok()) << embedded.status();
  EXPECT_EQ(std::get<EmbedReply>(*embedded).result->usage.device_us, 77);
}

TEST(Codec, AbsentOptionalsStayAbsent) {
  const auto back = decode_to_worker(encode(ToWorker(StartGenerate{1, {}})));
  ASSERT_FALSE(back.ok() && std::get<StartGenerate>(*back).request.max_tokens.has_value());
  GenerateRequest request;
  request.prompt = TextPrompt{""};
  const auto text = decode_to_worker(encode(ToWorker(StartGenerate{1, request})));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_FALSE(std::get<StartGenerate>(*text).request.sampling.seed.has_value());
  EXPECT_TRUE(std::holds_alternative<TextPrompt>(std::get<StartGenerate>(*text).request.prompt));
}

TEST(Codec, StepOfManyCallsKeepsOrderAndStatusPayloads) {
  Delta delta{1, "h\xc3\xa9", {{{3, "\xc3", -0.5f, true}, {{4, "x", -1.f, true}}}}, 2};
  auto status = base::invalid_argument("too long");
  status.SetPayload(kParamPayload, absl::Cord("messages"));
  status.SetPayload(kCodePayload, absl::Cord("context_length_exceeded"));
  Step step;
  step.calls.push_back({7, {Admitted{5, 2, "fp"}, delta}});
  step.calls.push_back({8, {ChoiceEnd{0, FinishReason::length, ""}, Finished{status, {5, 2, 9}}}});
  const auto back = decode_to_gateway(encode(ToGateway(step)));
  ASSERT_TRUE(back.ok()) << back.status();
  const auto& calls = std::get<Step>(*back).calls;
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(std::get<Delta>(calls[0].events[1]).logprobs[0].chosen.bytes, "\xc3");
  EXPECT_EQ(std::get<Delta>(calls[0].events[1]).tokens, 2);
  const auto& finished = std::get<Finished>(calls[1].events[1]);
  EXPECT_EQ(finished.status, status);
  EXPECT_EQ(finished.usage.completion_tokens, 9);
}

TEST(Codec, HeldRequestsGoBothWays) {
  GenerateRequest request;
  request.prompt = TextPrompt{"a"};
  request.held = true;
  request.gathered = true;
  const auto start = decode_to_worker(encode(ToWorker(StartGenerate{1, request})));
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_TRUE(std::get<StartGenerate>(*start).request.held);
  EXPECT_TRUE(std::get<StartGenerate>(*start).request.gathered);
  const auto commit = decode_to_worker(encode(ToWorker(CommitCall{9, 48})));
  ASSERT_TRUE(commit.ok()) << commit.status();
  EXPECT_EQ(std::get<CommitCall>(*commit).call, 9u);
  EXPECT_EQ(std::get<CommitCall>(*commit).pinned_tokens, 48);
  EXPECT_FALSE(decode_to_worker(encode(ToWorker(CommitCall{9, -1}))).ok());
  Step step;
  step.calls.push_back({7, {Prepared{5, 100, 4}}});
  const auto back = decode_to_gateway(encode(ToGateway(step)));
  ASSERT_TRUE(back.ok()) << back.status();
  const auto& prepared = std::get<Prepared>(std::get<Step>(*back).calls[0].events[0]);
  EXPECT_EQ(prepared.prompt_tokens, 5);
  EXPECT_EQ(prepared.output_tokens_max, 100);
  EXPECT_EQ(prepared.pinned_tokens, 4);
  // What a request costs at most is no place for a worker's fantasy.
  for (const Prepared broken : {Prepared{-1, 1}, Prepared{1, -1}, Prepared{INT32_MAX, 1},
                                Prepared{5, 1, -1}, Prepared{5, 1, 6}}) {
    step.calls[0].events = {broken};
    EXPECT_FALSE(decode_to_gateway(encode(ToGateway(step))).ok());
  }
}

TEST(Codec, EmbedReplyRoundTripsAndRefusesRaggedVectors) {
  const auto good =
      decode_to_gateway(encode(ToGateway(EmbedReply{3, EmbedResult{2, {1, 2, 3, 4}, {6, 0, 0}}})));
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(std::get<EmbedReply>(*good).result->vectors, (std::vector<float>{1, 2, 3, 4}));
  EXPECT_FALSE(
      decode_to_gateway(encode(ToGateway(EmbedReply{3, EmbedResult{3, {1, 2, 3, 4}, {}}}))).ok());
}

TEST(Codec, HeartbeatKeepsEveryCount) {
  const Heartbeat beat{1,  2,  3,  4,  5,  6,  7, std::int64_t{8} << 40, 9, 10, 11, 12, 13,
                       14, 15, 16, 17, 18, 19, 20};
  const auto back = decode_to_gateway(encode(ToGateway(beat)));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(std::get<Heartbeat>(*back), beat);
  auto broken = beat;
  broken.cached_tokens = -1;
  EXPECT_FALSE(decode_to_gateway(encode(ToGateway(broken))).ok());
  broken = beat;
  broken.idle_ns = -1;
  EXPECT_FALSE(decode_to_gateway(encode(ToGateway(broken))).ok());
  broken = beat;
  broken.blocks_pinned = -1;
  EXPECT_FALSE(decode_to_gateway(encode(ToGateway(broken))).ok());
  broken = beat;
  broken.accepted_tokens = -1;
  EXPECT_FALSE(decode_to_gateway(encode(ToGateway(broken))).ok());
}

TEST(Codec, RefusesWhatABrokenWorkerCouldSend) {
  Step step;
  step.calls.push_back({1, {Finished{absl::OkStatus(), {-1, 0, 0}}}});
  EXPECT_FALSE(decode_to_gateway(encode(ToGateway(step))).ok());
  step.calls[0].events = {ChoiceEnd{1 << 20, FinishReason::stop, ""}};
  EXPECT_FALSE(decode_to_gateway(encode(ToGateway(step))).ok());
  EXPECT_FALSE(decode_to_gateway("\xff\xff\xff").ok());
  EXPECT_FALSE(decode_to_gateway("").ok());
  GenerateRequest request;
  request.prompt = TextPrompt{"a"};
  request.sampling.top_p = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(decode_to_worker(encode(ToWorker(StartGenerate{1, request}))).ok());
}

}  // namespace
}  // namespace plinth::protocol
