"""Keeps the random requests useful and short: most name a model that is there, few tokens are made.
What makes a request wrong is left alone, so that it is still refused."""
import zlib

import schemathesis

MODELS = {"/v1/chat/completions": "smollm2", "/v1/completions": "smollm2", "/v1/embeddings": "all-minilm-l6-v2"}
MODELS |= {"/openai" + path: model for path, model in MODELS.items()}


def is_count(value, low, high):
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body
    if not isinstance(body, dict) or case.path not in MODELS:
        return
    name = body.get("model")
    # Three of four names that could be a model's become one; the rest stay unknown models.
    if isinstance(name, str) and 1 <= len(name) <= 512 and zlib.crc32(repr(body).encode()) % 4:
        body["model"] = MODELS[case.path]
    if case.path.endswith("/embeddings"):
        return
    if is_count(body.get("n"), 3, 128):
        body["n"] = 2
    for limit in ("max_tokens", "max_completion_tokens"):
        if is_count(body.get(limit), 4, 2**31 - 1):
            body[limit] = 3
    if body.get("max_tokens") is None and body.get("max_completion_tokens") is None:
        body["max_tokens"] = 2
