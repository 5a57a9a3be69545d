"""The official OpenAI SDK against `plinth up`: sdk_test.py PLINTH RESULT.tap"""
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

import openai

plinth, result = sys.argv[1:]
models = os.environ["PLINTH_TEST_MODELS"]
USER = [{"role": "user", "content": "Name three colours."}]
tests = []


def test(function):
    tests.append(function)
    return function


@test
def chat(client):
    answer = client.chat.completions.create(model="smollm2", messages=USER, max_tokens=12, temperature=0)
    assert answer.object == "chat.completion" and answer.choices[0].message.content
    assert answer.usage.completion_tokens == 12 and answer.choices[0].finish_reason == "length"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 12


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
def several_choices(client):
    answer = client.chat.completions.create(model="smollm2", messages=USER, max_tokens=8, n=3, seed=1)
    assert [c.index for c in answer.choices] == [0, 1, 2]
    assert len({c.message.content for c in answer.choices}) > 1
    assert answer.usage.completion_tokens <= 24


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
def logprobs(client):
    answer = client.chat.completions.create(model="smollm2", messages=USER, max_tokens=4, temperature=0, logprobs=True, top_logprobs=3)
    content = answer.choices[0].logprobs.content
    assert len(content) == 4 and all(len(p.top_logprobs) == 3 for p in content)
    assert all(p.logprob <= 0 and p.token == p.top_logprobs[0].token for p in content)
    assert b"".join(bytes(p.bytes) for p in content).decode() == answer.choices[0].message.content


@test
def models_list(client):
    assert [m.id for m in client.models.list()] == ["smollm2"]
    assert client.models.retrieve("smollm2").owned_by == "plinth"


def expect(kind, call, param=None, code=None):
    try:
        call()
    except kind as error:
        assert (param is None or error.param == param) and (code is None or error.code == code), (error.param, error.code)
        return
    raise AssertionError(f"no {kind.__name__}")


@test
def error_classes(client):
    create = lambda **more: client.chat.completions.create(**{**dict(model="smollm2", messages=USER, max_tokens=1), **more})
    expect(openai.NotFoundError, lambda: create(model="nope"), code="model_not_found")
    expect(openai.BadRequestError, lambda: create(temperature=3), param="temperature")
    expect(openai.BadRequestError, lambda: create(n=0), param="n")
    expect(openai.BadRequestError, lambda: create(messages=[]), param="messages")
    expect(openai.BadRequestError, lambda: create(top_logprobs=2), param="top_logprobs")
    expect(openai.BadRequestError, lambda: create(max_completion_tokens=2), code="invalid_parameter_combination")
    expect(openai.BadRequestError, lambda: create(max_tokens=9000), code="context_length_exceeded")
    expect(openai.BadRequestError, lambda: create(extra_body={"bogus": 1}))
    expect(openai.BadRequestError, lambda: create(tools=[{"type": "function", "function": {"name": "f"}}]), param="tools")
    wrong = openai.OpenAI(base_url=client.base_url, api_key="sk-wrong")
    expect(openai.AuthenticationError, lambda: wrong.models.list(), code="invalid_api_key")


@test
def a_client_that_goes_away_frees_its_request(client):
    stream = client.chat.completions.create(model="smollm2", messages=USER, max_tokens=4000, stream=True, extra_body={"ignore_eos": True})
    next(iter(stream))
    stream.close()
    started = time.monotonic()
    client.chat.completions.create(model="smollm2", messages=USER, max_tokens=4)
    assert time.monotonic() - started < 10


@test
def a_huge_body_is_refused(client):
    request = urllib.request.Request(str(client.base_url) + "chat/completions", data=b"x" * (17 << 20), headers={"Authorization": "Bearer " + client.api_key})
    try:
        urllib.request.urlopen(request, timeout=20)
    except urllib.error.HTTPError as error:
        assert error.code == 413 and json.load(error)["error"]["message"]
        return
    raise AssertionError("no 413")


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as home:
        subprocess.run([plinth, "--home", home, "model", "import", models + "/SmolLM2-135M-Instruct.Q4_1.gguf", "--as", "smollm2"], check=True, timeout=60)
        command = [plinth, "--home", home, "up", "--listen", "127.0.0.1:0", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, open(result, "w") as tap:
            ready = json.loads(server.stdout.readline())
            client = openai.OpenAI(base_url=ready["url"] + "/v1", api_key=ready["api_key"], timeout=60, max_retries=0)
            second = subprocess.run(command, capture_output=True, text=True, timeout=20)
            tests.append(lambda _: (_ for _ in ()).throw(AssertionError(second)) if second.returncode != 1 or "in use" not in second.stderr else None)
            tests[-1].__name__ = "a_home_has_one_owner"
            for function in tests:
                try:
                    function(client)
                    tap.write(f"ok sdk.{function.__name__}\n")
                except Exception:
                    traceback.print_exc()
                    failed += 1
                    tap.write(f"not ok sdk.{function.__name__}\n")
            server.send_signal(signal.SIGTERM)
            clean = server.wait(timeout=40) == 0
            failed += not clean
            tap.write(("ok" if clean else "not ok") + " sdk.sigterm_drains\n")
    print(f"sdk: {len(tests) + 1 - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
