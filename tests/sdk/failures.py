"""Error classes, timeouts and clients that leave, by the official SDK."""
import asyncio
import json
import time
import urllib.error
import urllib.request

import openai

from harness import USER, eventually, expect, metric, test

RUNNING = "plinth_model_requests_running"
ENDLESS = dict(model="smollm2", messages=USER, max_tokens=4000, extra_body={"ignore_eos": True})


@test
def error_classes(client):
    create = lambda **more: client.chat.completions.create(**{**dict(model="smollm2", messages=USER, max_tokens=1), **more})
    expect(openai.NotFoundError, lambda: create(model="nope"), code="model_not_found", status=404)
    expect(openai.BadRequestError, lambda: create(temperature=3), param="temperature", code="decimal_above_max_value")
    expect(openai.BadRequestError, lambda: create(n=0), param="n")
    expect(openai.BadRequestError, lambda: create(messages=[]), param="messages", code="empty_array")
    expect(openai.BadRequestError, lambda: create(top_logprobs=2), param="top_logprobs")
    expect(openai.BadRequestError, lambda: create(max_completion_tokens=2), code="invalid_parameter_combination")
    expect(openai.BadRequestError, lambda: create(extra_body={"bogus": 1}))
    expect(openai.BadRequestError, lambda: create(response_format={"type": "json_object"}), param="response_format")
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
    expect(openai.BadRequestError, lambda: create(messages=image), param="messages[0].content[0].type")
    long = expect(openai.BadRequestError, lambda: create(max_tokens=9000), code="context_length_exceeded")
    assert "maximum context length is" in str(long) and "9000 in the completion" in str(long)


@test
def authentication_errors(client):
    wrong = client.with_options(api_key="sk-plinth-0000000000000000000000000000")
    error = expect(openai.AuthenticationError, lambda: wrong.models.list(), code="invalid_api_key", status=401)
    assert "0000000000000000" not in str(error), "the message shows the whole key"
    assert error.request_id.startswith("req_")


@test
def a_path_that_is_not_served(client):
    expect(openai.NotFoundError, lambda: client.batches.list(), status=404)


@test
def answers_carry_their_request_id(client):
    raw = client.chat.completions.with_raw_response.create(model="smollm2", messages=USER, max_tokens=1)
    assert raw.headers["x-request-id"].startswith("req_") and raw.parse()._request_id == raw.headers["x-request-id"]


@test
def a_client_that_times_out_frees_its_request(client):
    expect(openai.APITimeoutError, lambda: client.with_options(timeout=1.0).chat.completions.create(**ENDLESS))
    eventually(lambda: metric(client, RUNNING) == 0)


@test
def a_stream_that_is_closed_frees_its_request(client):
    stream = client.chat.completions.create(stream=True, **ENDLESS)
    next(iter(stream))
    stream.close()
    started = time.monotonic()
    client.chat.completions.create(model="smollm2", messages=USER, max_tokens=4)
    assert time.monotonic() - started < 10
    eventually(lambda: metric(client, RUNNING) == 0)


@test
def a_cancelled_task_frees_its_request(client):
    async def cancel():
        many = openai.AsyncOpenAI(base_url=client.base_url, api_key=client.api_key, max_retries=0)
        task = asyncio.create_task(many.chat.completions.create(**ENDLESS))
        while metric(client, RUNNING) == 0:
            assert not task.done(), task
            await asyncio.sleep(0.05)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return
        raise AssertionError("the task was not cancelled")

    asyncio.run(asyncio.wait_for(cancel(), 30))
    eventually(lambda: metric(client, RUNNING) == 0)


@test
def a_huge_body_is_refused(client):
    request = urllib.request.Request(str(client.base_url) + "chat/completions", data=b"x" * (17 << 20),
                                     headers={"Authorization": "Bearer " + client.api_key})
    try:
        urllib.request.urlopen(request, timeout=20)
    except urllib.error.HTTPError as error:
        assert error.code == 413 and json.load(error)["error"]["message"]
        return
    raise AssertionError("no 413")
