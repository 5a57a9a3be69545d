"""Embeddings by the official SDK, which asks for base64 unless told otherwise."""
import math

import openai

from harness import expect, test

MODEL = "all-minilm-l6-v2"


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


@test
def embeddings_know_what_is_alike(client):
    answer = client.embeddings.create(model=MODEL, input=["a cat sleeps", "a kitten naps", "stock markets fell"])
    cat, kitten, stocks = (e.embedding for e in answer.data)
    assert [e.index for e in answer.data] == [0, 1, 2] and len(cat) == 384
    assert cosine(cat, kitten) > 0.5 > cosine(cat, stocks)
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 9


@test
def base64_equals_floats(client):
    packed = client.embeddings.create(model=MODEL, input="hello world").data[0].embedding
    raw = client.embeddings.with_raw_response.create(model=MODEL, input="hello world", encoding_format="base64")
    assert isinstance(raw.http_response.json()["data"][0]["embedding"], str)
    plain = client.embeddings.create(model=MODEL, input="hello world", encoding_format="float").data[0].embedding
    assert max(abs(a - b) for a, b in zip(packed, plain)) < 1e-6
    assert abs(sum(x * x for x in plain) - 1) < 1e-3


@test
def fewer_dimensions_are_scaled_to_length_one(client):
    full = client.embeddings.create(model=MODEL, input="hello", encoding_format="float").data[0].embedding
    short = client.embeddings.create(model=MODEL, input="hello", encoding_format="float", dimensions=64).data[0].embedding
    assert len(short) == 64 and abs(sum(x * x for x in short) - 1) < 1e-3 and cosine(short, full[:64]) > 0.9999


@test
def embedding_refusals(client):
    ask = lambda **more: client.embeddings.create(**{**dict(model=MODEL, input="x"), **more})
    expect(openai.BadRequestError, lambda: ask(dimensions=5000), param="dimensions")
    expect(openai.BadRequestError, lambda: ask(dimensions=-42), param="dimensions")
    expect(openai.BadRequestError, lambda: ask(input=""), param="input")
    expect(openai.BadRequestError, lambda: ask(input=["x"] * 2049), param="input", code="array_above_max_length")
    expect(openai.BadRequestError, lambda: ask(model="smollm2"), param="model")
    expect(openai.BadRequestError, lambda: client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "x"}]), param="model")
