#include "protocol/codec.h"

#include <cmath>

#include "absl/strings/cord.h"
#include "protocol/limits.h"
#include "protocol/wire.pb.h"

namespace plinth::protocol {
namespace {

template <typename... F>
struct Overload : F... {
  using F::operator()...;
};
template <typename... F>
Overload(F...) -> Overload<F...>;

absl::Status bad(std::string_view field) {
  return base::invalid_argument(std::string("[rpc] frame: ") + std::string(field));
}

void put(const absl::Status& status, wire::Status& out) {
  out.set_code(static_cast<int>(status.code()));
  out.set_message(std::string(base::message(status).substr(0, kStatusTextMax)));
  if (const auto param = status.GetPayload(kParamPayload)) out.set_param(std::string(*param));
  if (const auto code = status.GetPayload(kCodePayload)) out.set_detail(std::string(*code));
}

absl::Status take(const wire::Status& in, absl::Status& out) {
  if (in.code() < 0 || in.code() > 16) return bad("status code");
  if (in.message().size() > kStatusTextMax || in.param().size() > kStatusTextMax ||
      in.detail().size() > kStatusTextMax)
    return bad("status text too long");
  out = absl::Status(static_cast<absl::StatusCode>(in.code()), base::to_absl(in.message()));
  if (!in.param().empty()) out.SetPayload(kParamPayload, absl::Cord(base::to_absl(in.param())));
  if (!in.detail().empty()) out.SetPayload(kCodePayload, absl::Cord(base::to_absl(in.detail())));
  return absl::OkStatus();
}

void put(const TextPrompt& prompt, wire::Prompt& out) { out.set_text(prompt.text); }
void put(const TokenPrompt& prompt, wire::Prompt& out) {
  out.mutable_tokens()->mutable_id()->Add(prompt.tokens.begin(), prompt.tokens.end());
}
void put(const ChatPrompt& prompt, wire::Prompt& out) {
  auto& chat = *out.mutable_chat();
  chat.set_messages(prompt.messages_json);
  chat.set_tools(prompt.tools_json);
  chat.set_kwargs(prompt.template_kwargs_json);
  chat.set_generation_prompt(prompt.add_generation_prompt);
}

absl::Status take(const wire::Prompt& in, Prompt& out) {
  if (in.has_chat()) {
    out = ChatPrompt{in.chat().messages(), in.chat().tools(), in.chat().kwargs(),
                     in.chat().generation_prompt()};
  } else if (in.has_tokens()) {
    if (in.tokens().id_size() > kPromptTokensMax) return bad("prompt tokens");
    out = TokenPrompt{{in.tokens().id().begin(), in.tokens().id().end()}};
  } else if (in.kind_case() == wire::Prompt::kText) {
    out = TextPrompt{in.text()};
  } else {
    return bad("no prompt");
  }
  return absl::OkStatus();
}

void put(const SamplingParams& in, wire::Sampling& out) {
  out.set_temperature(in.temperature);
  out.set_top_p(in.top_p);
  out.set_top_k(in.top_k);
  out.set_min_p(in.min_p);
  out.set_typical_p(in.typical_p);
  out.set_presence(in.presence_penalty);
  out.set_frequency(in.frequency_penalty);
  out.set_repetition(in.repetition_penalty);
  for (const auto& [token, value] : in.logit_bias) {
    auto& bias = *out.add_bias();
    bias.set_token(token);
    bias.set_value(value);
  }
  if (in.seed) out.set_seed(*in.seed);
}

absl::Status take(const wire::Sampling& in, SamplingParams& out) {
  for (const double value : {in.temperature(), in.top_p(), in.min_p(), in.typical_p(),
                             in.presence(), in.frequency(), in.repetition()})
    if (!std::isfinite(value)) return bad("sampling: a number is not finite");
  if (in.bias_size() > kLogitBiasMax) return bad("logit_bias");
  out.temperature = in.temperature();
  out.top_p = in.top_p();
  out.top_k = in.top_k();
  out.min_p = in.min_p();
  out.typical_p = in.typical_p();
  out.presence_penalty = in.presence();
  out.frequency_penalty = in.frequency();
  out.repetition_penalty = in.repetition();
  for (const auto& bias : in.bias()) out.logit_bias.emplace_back(bias.token(), bias.value());
  if (in.has_seed()) out.seed = in.seed();
  return absl::OkStatus();
}

void put(const GenerateRequest& in, wire::Generate& out) {
  out.set_request_id(in.request_id);
  out.set_model(in.model);
  std::visit([&](const auto& prompt) { put(prompt, *out.mutable_prompt()); }, in.prompt);
  put(in.sampling, *out.mutable_sampling());
  out.set_n(in.n);
  if (in.max_tokens) out.set_max_tokens(*in.max_tokens);
  for (const auto& stop : in.stop) out.add_stop(stop);
  out.set_ignore_eos(in.ignore_eos);
  out.set_logprobs(in.logprobs);
  out.set_top_logprobs(in.top_logprobs);
  out.set_echo(in.echo);
  out.set_prompt_logprobs(in.prompt_logprobs);
  out.set_ignore_prefix_cache(in.ignore_prefix_cache);
  out.set_cache_salt(in.cache_salt);
  out.set_held(in.held);
  out.set_gathered(in.gathered);
  out.set_tenant(in.tenant);
  out.set_tenant_weight(in.tenant_weight);
  out.set_service_class(static_cast<int>(in.service_class));
  out.set_adapter_id(in.adapter.id);
  out.set_adapter_path(in.adapter.path);
  out.set_adapter_config_path(in.adapter.config_path);
  out.set_adapter_key(in.adapter.key);
}

absl::Status take(const wire::Generate& in, GenerateRequest& out) {
  if (in.n() < 1 || in.n() > kChoicesMax) return bad("n");
  if (in.stop_size() > kStopMax) return bad("stop");
  if (in.top_logprobs() < 0 || in.top_logprobs() > 20) return bad("top_logprobs");
  if (in.tenant().size() > kTenantBytesMax) return bad("tenant");
  if (in.tenant_weight() < 1 || in.tenant_weight() > kTenantWeightMax) return bad("tenant_weight");
  if (in.service_class() < 0 || in.service_class() > static_cast<int>(ServiceClass::batch))
    return bad("service_class");
  if (in.adapter_id().size() > kAdapterIdBytesMax) return bad("adapter_id");
  for (const auto* path : {&in.adapter_path(), &in.adapter_config_path()})
    if (path->size() > kAdapterPathBytesMax || path->find('\0') != std::string::npos)
      return bad("adapter_path");
  if (in.adapter_id().empty() != in.adapter_path().empty()) return bad("adapter_path");
  if (in.adapter_key().size() > kAdapterKeyBytesMax ||
      (in.adapter_path().empty() && !in.adapter_key().empty()))
    return bad("adapter_key");
  out.request_id = in.request_id();
  out.model = in.model();
  RETURN_IF_ERROR(take(in.prompt(), out.prompt));
  RETURN_IF_ERROR(take(in.sampling(), out.sampling));
  out.n = in.n();
  if (in.has_max_tokens()) out.max_tokens = in.max_tokens();
  out.stop.assign(in.stop().begin(), in.stop().end());
  out.ignore_eos = in.ignore_eos();
  out.logprobs = in.logprobs();
  out.top_logprobs = in.top_logprobs();
  out.echo = in.echo();
  out.prompt_logprobs = in.prompt_logprobs();
  out.ignore_prefix_cache = in.ignore_prefix_cache();
  out.cache_salt = in.cache_salt();
  out.held = in.held();
  out.gathered = in.gathered();
  out.tenant = in.tenant();
  out.tenant_weight = in.tenant_weight();
  out.service_class = static_cast<ServiceClass>(in.service_class());
  out.adapter = {in.adapter_id(), in.adapter_path(), in.adapter_config_path(), in.adapter_key()};
  return absl::OkStatus();
}

void put(const Usage& in, wire::Usage& out) {
  out.set_prompt(in.prompt_tokens);
  out.set_cached(in.cached_tokens);
  out.set_completion(in.completion_tokens);
  out.set_device_us(in.device_us);
}

absl::Status take(const wire::Usage& in, Usage& out) {
  if (in.prompt() < 0 || in.cached() < 0 || in.completion() < 0 || in.cached() > in.prompt())
    return bad("usage");
  if (in.device_us() < 0 || in.device_us() > kDeviceUsMax) return bad("usage: device time");
  out = {in.prompt(), in.cached(), in.completion(), in.device_us()};
  return absl::OkStatus();
}

void put(const TokenLogprob& in, wire::Logprob& out) {
  out.set_token(in.token);
  out.set_text(in.bytes);
  out.set_value(in.logprob);
  out.set_has_value(in.has_logprob);
}
TokenLogprob take(const wire::Logprob& in) {
  return {in.token(), in.text(), in.value(), in.has_value()};
}

void put(const GenerateEvent& event, wire::Event& out) {
  std::visit(Overload{
                 [&](const Prepared& in) {
                   out.mutable_prepared()->set_prompt(in.prompt_tokens);
                   out.mutable_prepared()->set_output_max(in.output_tokens_max);
                   out.mutable_prepared()->set_pinned(in.pinned_tokens);
                 },
                 [&](const Admitted& in) {
                   auto& to = *out.mutable_admitted();
                   to.set_prompt(in.prompt_tokens);
                   to.set_cached(in.cached_tokens);
                   to.set_fingerprint(in.system_fingerprint);
                 },
                 [&](const Delta& in) {
                   auto& to = *out.mutable_delta();
                   to.set_index(in.index);
                   to.set_text(in.text);
                   to.set_tokens(in.tokens);
                   to.set_device_us(in.device_us);
                   for (const auto& position : in.logprobs) {
                     auto& row = *to.add_logprobs();
                     put(position.chosen, *row.mutable_chosen());
                     for (const auto& top : position.top) put(top, *row.add_top());
                   }
                 },
                 [&](const ChoiceEnd& in) {
                   auto& to = *out.mutable_end();
                   to.set_index(in.index);
                   to.set_reason(static_cast<int>(in.reason));
                   to.set_stop(in.stop_matched);
                 },
                 [&](const Finished& in) {
                   put(in.status, *out.mutable_finished()->mutable_status());
                   put(in.usage, *out.mutable_finished()->mutable_usage());
                 },
             },
             event);
}

absl::Status take(const wire::Delta& in, GenerateEvent& out) {
  Delta delta{in.index(), in.text(), {}, in.tokens(), in.device_us()};
  if (in.index() < 0 || in.index() >= kChoicesMax || in.tokens() < 0) return bad("delta");
  if (in.device_us() < 0 || in.device_us() > kDeviceUsMax) return bad("delta: device time");
  for (const auto& row : in.logprobs()) {
    auto& position = delta.logprobs.emplace_back();
    position.chosen = take(row.chosen());
    for (const auto& top : row.top()) position.top.push_back(take(top));
  }
  out = std::move(delta);
  return absl::OkStatus();
}

absl::Status take(const wire::Event& in, GenerateEvent& out) {
  switch (in.kind_case()) {
    case wire::Event::kPrepared: {
      const auto& from = in.prepared();
      if (from.prompt() < 0 || from.prompt() > kPromptTokensMax || from.output_max() < 0 ||
          from.output_max() > kPromptTokensMax || from.pinned() < 0 ||
          from.pinned() > from.prompt())
        return bad("prepared");
      out = Prepared{from.prompt(), from.output_max(), from.pinned()};
      return absl::OkStatus();
    }
    case wire::Event::kAdmitted: {
      const auto& from = in.admitted();
      if (from.prompt() < 0 || from.cached() < 0 || from.cached() > from.prompt())
        return bad("admitted");
      out = Admitted{from.prompt(), from.cached(), from.fingerprint()};
      return absl::OkStatus();
    }
    case wire::Event::kDelta:
      return take(in.delta(), out);
    case wire::Event::kEnd: {
      const auto& from = in.end();
      if (from.index() < 0 || from.index() >= kChoicesMax) return bad("choice index");
      if (from.reason() < 0 || from.reason() > static_cast<int>(FinishReason::error))
        return bad("finish reason");
      out = ChoiceEnd{from.index(), static_cast<FinishReason>(from.reason()), from.stop()};
      return absl::OkStatus();
    }
    case wire::Event::kFinished: {
      Finished finished;
      RETURN_IF_ERROR(take(in.finished().status(), finished.status));
      RETURN_IF_ERROR(take(in.finished().usage(), finished.usage));
      out = std::move(finished);
      return absl::OkStatus();
    }
    case wire::Event::KIND_NOT_SET:
      break;
  }
  return bad("event of unknown kind");
}

void put(const EmbedReply& in, wire::EmbedReply& out) {
  out.set_call(in.call);
  put(in.result.status(), *out.mutable_status());
  if (!in.result.ok()) return;
  auto& result = *out.mutable_result();
  result.set_dimensions(in.result->dimensions);
  result.mutable_vector()->Add(in.result->vectors.begin(), in.result->vectors.end());
  put(in.result->usage, *result.mutable_usage());
}

absl::Status take(const wire::EmbedReply& in, EmbedReply& out) {
  out.call = in.call();
  absl::Status status;
  RETURN_IF_ERROR(take(in.status(), status));
  if (!status.ok()) {
    out.result = status;
    return absl::OkStatus();
  }
  EmbedResult result{
      in.result().dimensions(), {in.result().vector().begin(), in.result().vector().end()}, {}};
  if (result.dimensions < 1 || result.vectors.size() % result.dimensions != 0)
    return bad("embedding dimensions");
  RETURN_IF_ERROR(take(in.result().usage(), result.usage));
  out.result = std::move(result);
  return absl::OkStatus();
}

void put(const EmbedRequest& in, wire::Embed& out) {
  out.set_request_id(in.request_id);
  out.set_model(in.model);
  for (const auto& input : in.inputs)
    std::visit([&](const auto& prompt) { put(prompt, *out.add_input()); }, input);
  out.set_dimensions(in.dimensions);
}

absl::Status take(const wire::Embed& in, EmbedRequest& out) {
  if (in.input_size() < 1 || in.input_size() > kEmbedInputsMax) return bad("embedding inputs");
  if (in.dimensions() < 0) return bad("dimensions");
  out.request_id = in.request_id();
  out.model = in.model();
  out.dimensions = in.dimensions();
  for (const auto& input : in.input()) {
    Prompt prompt;
    RETURN_IF_ERROR(take(input, prompt));
    if (auto* text = std::get_if<TextPrompt>(&prompt))
      out.inputs.emplace_back(std::move(*text));
    else if (auto* tokens = std::get_if<TokenPrompt>(&prompt))
      out.inputs.emplace_back(std::move(*tokens));
    else
      return bad("chat as an embedding input");
  }
  return absl::OkStatus();
}

void put(const Heartbeat& in, wire::Heartbeat& out) {
  out.set_running(in.running);
  out.set_waiting(in.waiting);
  out.set_blocks_total(in.blocks_total);
  out.set_blocks_free(in.blocks_free);
  out.set_blocks_cached(in.blocks_cached);
  out.set_steps(in.steps);
  out.set_step_failures(in.step_failures);
  out.set_step_ns(in.step_ns);
  out.set_batch_tokens(in.batch_tokens);
  out.set_requests(in.requests);
  out.set_prompt_tokens(in.prompt_tokens);
  out.set_cached_tokens(in.cached_tokens);
  out.set_completion_tokens(in.completion_tokens);
  out.set_preemptions(in.preemptions);
  out.set_cache_evictions(in.cache_evictions);
  out.set_drafted_tokens(in.drafted_tokens);
  out.set_accepted_tokens(in.accepted_tokens);
  out.set_idle_ns(in.idle_ns);
  out.set_blocks_pinned(in.blocks_pinned);
  out.set_pins_broken(in.pins_broken);
}

absl::StatusOr<Heartbeat> take(const wire::Heartbeat& in) {
  Heartbeat out;
  out.running = in.running();
  out.waiting = in.waiting();
  out.blocks_total = in.blocks_total();
  out.blocks_free = in.blocks_free();
  out.blocks_cached = in.blocks_cached();
  out.steps = in.steps();
  out.step_failures = in.step_failures();
  out.step_ns = in.step_ns();
  out.batch_tokens = in.batch_tokens();
  out.requests = in.requests();
  out.prompt_tokens = in.prompt_tokens();
  out.cached_tokens = in.cached_tokens();
  out.completion_tokens = in.completion_tokens();
  out.preemptions = in.preemptions();
  out.cache_evictions = in.cache_evictions();
  out.drafted_tokens = in.drafted_tokens();
  out.accepted_tokens = in.accepted_tokens();
  out.idle_ns = in.idle_ns();
  out.blocks_pinned = in.blocks_pinned();
  out.pins_broken = in.pins_broken();
  for (const std::int64_t count : {std::int64_t{out.running},
                                   std::int64_t{out.waiting},
                                   std::int64_t{out.blocks_total},
                                   std::int64_t{out.blocks_free},
                                   std::int64_t{out.blocks_cached},
                                   out.steps,
                                   out.step_failures,
                                   out.step_ns,
                                   out.batch_tokens,
                                   out.requests,
                                   out.prompt_tokens,
                                   out.cached_tokens,
                                   out.completion_tokens,
                                   out.preemptions,
                                   out.cache_evictions,
                                   out.drafted_tokens,
                                   out.accepted_tokens,
                                   out.idle_ns,
                                   std::int64_t{out.blocks_pinned},
                                   out.pins_broken}) {
    if (count < 0) return bad("heartbeat");
  }
  return out;
}

absl::StatusOr<Step> take(const wire::Step& in) {
  Step step;
  for (const auto& from : in.calls()) {
    auto& call = step.calls.emplace_back();
    call.call = from.call();
    for (const auto& event : from.event()) RETURN_IF_ERROR(take(event, call.events.emplace_back()));
  }
  return step;
}

}  // namespace

std::string encode(const ToGateway& message) {
  wire::ToGateway out;
  std::visit(Overload{
                 [&](const Hello& in) { out.mutable_hello()->set_token(in.token); },
                 [&](const Ready& in) {
                   auto& ready = *out.mutable_ready();
                   ready.set_generates(in.generates);
                   ready.set_embeds(in.embeds);
                   ready.set_context_tokens(in.context_tokens);
                   ready.set_capacity(in.capacity);
                 },
                 [&](const LoadFailed& in) { put(in.status, *out.mutable_load_failed()); },
                 [&](const Step& in) {
                   out.mutable_step();
                   for (const auto& call : in.calls) {
                     auto& to = *out.mutable_step()->add_calls();
                     to.set_call(call.call);
                     for (const auto& event : call.events) put(event, *to.add_event());
                   }
                 },
                 [&](const EmbedReply& in) { put(in, *out.mutable_embed()); },
                 [&](const Heartbeat& in) { put(in, *out.mutable_heartbeat()); },
             },
             message);
  return out.SerializeAsString();
}

std::string encode(const ToWorker& message) {
  wire::ToWorker out;
  std::visit(Overload{
                 [&](const Welcome&) { out.set_welcome(true); },
                 [&](const StartGenerate& in) {
                   out.mutable_generate()->set_call(in.call);
                   put(in.request, *out.mutable_generate()->mutable_request());
                 },
                 [&](const StartEmbed& in) {
                   out.mutable_embed()->set_call(in.call);
                   put(in.request, *out.mutable_embed()->mutable_request());
                 },
                 [&](const CancelCall& in) { out.set_cancel(in.call); },
                 [&](const CommitCall& in) {
                   out.mutable_commit()->set_call(in.call);
                   out.mutable_commit()->set_pinned(in.pinned_tokens);
                 },
                 [&](const Drain&) { out.set_drain(true); },
             },
             message);
  return out.SerializeAsString();
}

absl::StatusOr<ToGateway> decode_to_gateway(std::string_view frame) {
  wire::ToGateway in;
  if (frame.size() > kFrameBytesMax) return bad("too long");
  if (!in.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) return bad("not protobuf");
  switch (in.kind_case()) {
    case wire::ToGateway::kHello:
      return Hello{in.hello().token()};
    case wire::ToGateway::kReady:
      if (in.ready().context_tokens() < 0 || in.ready().capacity() < 1) return bad("ready");
      return Ready{in.ready().generates(), in.ready().embeds(), in.ready().context_tokens(),
                   in.ready().capacity()};
    case wire::ToGateway::kLoadFailed: {
      LoadFailed failed;
      RETURN_IF_ERROR(take(in.load_failed(), failed.status));
      if (failed.status.ok()) return bad("load_failed without an error");
      return failed;
    }
    case wire::ToGateway::kStep:
      return take(in.step());
    case wire::ToGateway::kEmbed: {
      EmbedReply reply;
      RETURN_IF_ERROR(take(in.embed(), reply));
      return reply;
    }
    case wire::ToGateway::kHeartbeat:
      return take(in.heartbeat());
    case wire::ToGateway::KIND_NOT_SET:
      break;
  }
  return bad("unknown kind");
}

absl::StatusOr<ToWorker> decode_to_worker(std::string_view frame) {
  wire::ToWorker in;
  if (frame.size() > kFrameBytesMax) return bad("too long");
  if (!in.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) return bad("not protobuf");
  switch (in.kind_case()) {
    case wire::ToWorker::kWelcome:
      return Welcome{};
    case wire::ToWorker::kGenerate: {
      StartGenerate start{in.generate().call(), {}};
      RETURN_IF_ERROR(take(in.generate().request(), start.request));
      return start;
    }
    case wire::ToWorker::kEmbed: {
      StartEmbed start{in.embed().call(), {}};
      RETURN_IF_ERROR(take(in.embed().request(), start.request));
      return start;
    }
    case wire::ToWorker::kCancel:
      return CancelCall{in.cancel()};
    case wire::ToWorker::kCommit:
      if (in.commit().pinned() < 0) return bad("commit");
      return CommitCall{in.commit().call(), in.commit().pinned()};
    case wire::ToWorker::kDrain:
      return Drain{};
    case wire::ToWorker::KIND_NOT_SET:
      break;
  }
  return bad("unknown kind");
}

}  // namespace plinth::protocol
