"""Chat by the official SDK: answers, streams, choices, stop texts, log-probabilities, tools."""
import asyncio

import openai

from harness import USER, expect, test


@test
def chat(client):
    answer = client.chat.completions.create(model="smollm2", messages=USER, max_tokens=12, temperature=0)
    assert answer.object == "chat.completion" and answer.choices[0].message.content
    assert answer.usage.completion_tokens == 12 and answer.choices[0].finish_reason == "length"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 12
    assert answer.id.startswith("chatcmpl-") and answer.system_fingerprint and answer.service_tier == "default"


@test
def stream_equals_whole(client):
    options = dict(model="smollm2", messages=USER, max_tokens=24, seed=7, temperature=0.8)
    whole = client.chat.completions.create(**options).choices[0].message.content
    chunks = list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **options))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == [] and chunks[-1].usage.prompt_tokens > 20
    assert all(c.usage is None for c in chunks[:-1]) and len({c.id for c in chunks}) == 1


@test
def the_stream_helper_gathers_the_same_message(client):
    # The helper takes an answer that ends at max_tokens for an error.
    options = dict(model="smollm2", messages=USER, max_tokens=200, stop=[" "], seed=3, n=2, logprobs=True, top_logprobs=2)
    whole = client.chat.completions.create(**options)
    with client.chat.completions.stream(stream_options={"include_usage": True}, **options) as stream:
        for _ in stream:
            pass
        gathered = stream.get_final_completion()
    assert [c.message.content for c in gathered.choices] == [c.message.content for c in whole.choices]
    assert [c.finish_reason for c in gathered.choices] == [c.finish_reason for c in whole.choices]
    assert [len(c.logprobs.content) for c in gathered.choices] == [len(c.logprobs.content) for c in whole.choices]
    assert gathered.usage.completion_tokens == whole.usage.completion_tokens


@test
def several_choices(client):
    answer = client.chat.completions.create(model="smollm2", messages=USER, max_tokens=8, n=3, seed=1)
    assert [c.index for c in answer.choices] == [0, 1, 2]
    assert len({c.message.content for c in answer.choices}) > 1
    assert answer.usage.completion_tokens <= 24


@test
def streamed_choices_interleave(client):
    options = dict(model="smollm2", messages=USER, max_tokens=12, n=3, seed=4)
    whole = client.chat.completions.create(**options)
    texts, roles, order = {0: "", 1: "", 2: ""}, set(), []
    for chunk in client.chat.completions.create(stream=True, **options):
        choice, = chunk.choices
        order.append(choice.index)
        texts[choice.index] += choice.delta.content or ""
        if choice.delta.role:
            roles.add(choice.index)
    assert texts == {c.index: c.message.content for c in whole.choices} and roles == {0, 1, 2}
    assert order != sorted(order), "one choice after the other"


@test
def same_seed_same_text_in_company(client):
    ask = lambda: client.chat.completions.create(model="smollm2", messages=USER, max_tokens=16, seed=5).choices[0].message.content
    alone = ask()

    async def together():
        many = openai.AsyncOpenAI(base_url=client.base_url, api_key=client.api_key)
        calls = [many.chat.completions.create(model="smollm2", messages=USER, max_tokens=16, seed=5 + i % 3) for i in range(9)]
        return [a.choices[0].message.content for a in await asyncio.gather(*calls)]

    assert asyncio.run(together())[::3] == [alone] * 3


@test
def stop_is_not_returned(client):
    text = client.chat.completions.create(model="smollm2", messages=USER, max_tokens=24, temperature=0).choices[0].message.content
    stop = text[6:10]
    cut = client.chat.completions.create(model="smollm2", messages=USER, max_tokens=24, temperature=0, stop=[stop])
    assert cut.choices[0].message.content == text[:text.index(stop)] and cut.choices[0].finish_reason == "stop"


@test
def a_stop_text_is_held_back_across_chunks(client):
    options = dict(model="smollm2", messages=USER, max_tokens=32, temperature=0, stream=True)
    pieces = [c.choices[0].delta.content for c in client.chat.completions.create(**options) if c.choices[0].delta.content]
    text = "".join(pieces)
    border = len("".join(pieces[:4]))
    stop = text[border - 2:border + 2]
    assert len(stop) == 4 and text.index(stop) == border - 2, "the model's answer has no such place"
    chunks = list(client.chat.completions.create(stop=stop, **options))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == text[:border - 2]
    assert chunks[-1].choices[0].finish_reason == "stop"


@test
def logprobs(client):
    answer = client.chat.completions.create(model="smollm2", messages=USER, max_tokens=4, temperature=0, logprobs=True, top_logprobs=3)
    content = answer.choices[0].logprobs.content
    assert len(content) == 4 and all(len(p.top_logprobs) == 3 for p in content)
    assert all(p.logprob <= 0 and p.token == p.top_logprobs[0].token for p in content)
    assert b"".join(bytes(p.bytes) for p in content).decode() == answer.choices[0].message.content


@test
def a_bias_reaches_the_model(client):
    options = dict(model="smollm2", messages=USER, max_tokens=3, temperature=0, logprobs=True)
    forced = client.chat.completions.create(logit_bias={"42": 100}, **options).choices[0].logprobs.content
    assert len({p.token for p in forced}) == 1, "a token forced by its bias is not repeated"
    banned = client.chat.completions.create(logit_bias={"42": -100}, **options).choices[0].logprobs.content
    assert forced[0].token not in [p.token for p in banned]


@test
def text_parts_equal_plain_text(client):
    ask = lambda content: client.chat.completions.create(
        model="smollm2", max_tokens=8, temperature=0, messages=[{"role": "user", "content": content}])
    plain, parts = ask("Name a colour."), ask([{"type": "text", "text": "Name "}, {"type": "text", "text": "a colour."}])
    assert plain.choices[0].message.content == parts.choices[0].message.content
    assert plain.usage.prompt_tokens == parts.usage.prompt_tokens


@test
def a_conversation_with_a_tool_is_answered_in_text(client):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
    messages = [{"role": "user", "content": "Weather?"},
                {"role": "assistant", "content": None, "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "sunny"}]
    answer = client.chat.completions.create(model="smollm2", messages=messages, tools=tools, max_tokens=4)
    assert answer.choices[0].message.content is not None and answer.choices[0].message.tool_calls is None
    expect(openai.BadRequestError, lambda: client.chat.completions.create(
        model="smollm2", messages=messages, tools=tools, tool_choice="required"), param="tool_choice", code="unsupported_parameter")


@test
def models_list(client):
    assert "smollm2" in [m.id for m in client.models.list()]
    assert client.models.retrieve("smollm2").owned_by == "plinth"
    expect(openai.NotFoundError, lambda: client.models.retrieve("nope"), param="model", code="model_not_found")
    expect(openai.PermissionDeniedError, lambda: client.models.delete("smollm2"))
