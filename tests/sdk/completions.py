"""Text completions by the official SDK: prompts, echo, scoring as evaluation harnesses do it."""
import openai

from harness import expect, test


@test
def completion(client):
    answer = client.completions.create(model="smollm2", prompt="The sky is", temperature=0)
    assert answer.object == "text_completion" and answer.id.startswith("cmpl-")
    assert answer.usage.completion_tokens == 16 and answer.choices[0].finish_reason == "length", "16 is the default"
    assert answer.choices[0].logprobs is None


@test
def completion_stream_equals_whole(client):
    options = dict(model="smollm2", prompt="The sky is", max_tokens=20, seed=2)
    whole = client.completions.create(**options)
    chunks = list(client.completions.create(stream=True, stream_options={"include_usage": True}, **options))
    assert "".join(c.choices[0].text for c in chunks if c.choices) == whole.choices[0].text
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens and chunks[-1].choices == []


@test
def several_prompts_and_choices(client):
    options = dict(model="smollm2", max_tokens=6, seed=9, n=2)
    both = client.completions.create(prompt=["The sky is", "Water is"], **options)
    assert [c.index for c in both.choices] == [0, 1, 2, 3]
    alone = [client.completions.create(prompt=p, **options) for p in ("The sky is", "Water is")]
    assert [c.text for c in both.choices] == [c.text for a in alone for c in a.choices]
    assert both.usage.prompt_tokens == sum(a.usage.prompt_tokens for a in alone)


@test
def echo_and_logprobs_score_a_prompt(client):
    text = "Paris is the capital of France"
    scored = client.completions.create(model="smollm2", prompt=text, max_tokens=0, echo=True, logprobs=1)
    choice, = scored.choices
    given = choice.logprobs
    assert choice.text == text and scored.usage.completion_tokens == 0
    assert given.token_logprobs[0] is None and given.top_logprobs[0] is None
    assert all(x <= 0 for x in given.token_logprobs[1:]) and "".join(given.tokens) == text
    assert given.text_offset == [len("".join(given.tokens[:i])) for i in range(len(given.tokens))]
    wrong = client.completions.create(model="smollm2", prompt="Paris is the capital of Brazil", max_tokens=0, echo=True, logprobs=1)
    assert given.token_logprobs[-1] > wrong.choices[0].logprobs.token_logprobs[-1], "the model knows no geography"


@test
def token_prompts_score_as_their_text(client):
    """What lm-eval sends: lists of token ids, echo, logprobs, one token."""
    tokens = [[504, 5210, 314], [504, 5210]]
    answer = client.completions.create(model="smollm2", prompt=tokens, max_tokens=1, echo=True, logprobs=1, temperature=0, seed=1234)
    first, second = (c.logprobs for c in answer.choices)
    assert len(first.tokens) == 4 and len(second.tokens) == 3 and answer.usage.prompt_tokens == 5
    assert first.token_logprobs[0] is None and abs(first.token_logprobs[1] - second.token_logprobs[1]) < 1e-4
    greedy = max(first.top_logprobs[1], key=first.top_logprobs[1].get)
    assert isinstance(greedy, str) and first.tokens[1] in first.top_logprobs[1]
    text = "".join(first.tokens[:3])
    again = client.completions.create(model="smollm2", prompt=text, max_tokens=1, echo=True, logprobs=1, temperature=0)
    assert again.choices[0].logprobs.tokens[:3] == first.tokens[:3]


@test
def completion_refusals(client):
    ask = lambda **more: client.completions.create(**{**dict(model="smollm2", prompt="x", max_tokens=1), **more})
    expect(openai.BadRequestError, lambda: ask(suffix="y"), param="suffix", code="unsupported_parameter")
    expect(openai.BadRequestError, lambda: ask(best_of=3), param="best_of", code="unsupported_parameter")
    expect(openai.BadRequestError, lambda: ask(max_tokens=0), param="max_tokens")
    expect(openai.BadRequestError, lambda: ask(logprobs=6), param="logprobs")
    expect(openai.BadRequestError, lambda: ask(prompt=[10 ** 9]), param="prompt")
    expect(openai.BadRequestError, lambda: ask(prompt=[]), param="prompt", code="empty_array")
