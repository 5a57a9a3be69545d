"""plinth eval: files in each format, the same likelihoods as the API tells, and files that are wrong."""
import json
import os
import urllib.request

import harness
from harness import Home, Service, test

PAIRS = [("The cats sleep.", "The cats sleeps."), ("She walks home.", "She walk home."), ("They are here.", "They is here."),
         ("The dogs bark loudly.", "The dogs barks loudly."), ("This is my book.", "This are my book."),
         ("I am happy.", "I is happy."), ("The children were playing.", "The children was playing.")]
QUESTIONS = [("Which is the largest planet of the solar system?", ["Mars", "Jupiter", "Earth", "Venus"], "B"),
             ("What do plants take in from the air to make sugar?", ["carbon dioxide", "gold", "iron", "sand"], "A"),
             ("Ice is the solid form of what?", ["iron", "air", "oil", "water"], "D")]


def lines(items):
    return "".join(json.dumps(item) + "\n" for item in items)


def model_file():
    return next(os.path.join(harness.models, name) for name in sorted(os.listdir(harness.models)) if name.endswith(".gguf"))


def evaluate(home, data, *flags):
    return json.loads(home.run("eval", "--model", model_file(), "--data", data, "--json", *flags, timeout=300).stdout)


@test
def sentences_and_questions_are_compared_by_their_likelihood():
    with Home() as home:
        pairs = home.write("pairs.jsonl", lines({"sentence_good": good, "sentence_bad": bad} for good, bad in PAIRS))
        found = evaluate(home, pairs)
        assert found["choices"] == 7 and found["accuracy"] >= 0.7, found
        # The other way round the wrong ones are right.
        turned = home.write("turned.jsonl", lines({"sentence_good": bad, "sentence_bad": good} for good, bad in PAIRS))
        assert abs(evaluate(home, turned)["accuracy"] - (1 - found["accuracy"])) < 1e-9
        questions = home.write("questions.jsonl", lines(
            {"question": question, "choices": {"text": choices, "label": list("ABCD")}, "answerKey": key}
            for question, choices, key in QUESTIONS))
        found = evaluate(home, questions, "--items", home.path + "/items.jsonl")
        assert found["choices"] == 3 and found["accuracy"] > 0.6, found
        items = [json.loads(line) for line in open(home.path + "/items.jsonl")]
        home.import_model()
        with Service(home, "--model", "smollm2") as service:
            for (question, choices, _), item in zip(QUESTIONS, items):
                context = f"Question: {question}\nAnswer:"
                for choice, likelihood in zip(choices, item["log_likelihoods"]):
                    assert abs(likelihood_of(service, context, " " + choice) - likelihood) < 1e-3, (question, choice)


def likelihood_of(service, context, text):
    body = json.dumps({"model": "smollm2", "prompt": context + text, "max_tokens": 0, "echo": True, "logprobs": 0}).encode()
    request = urllib.request.Request(service.ready["url"] + "/v1/completions", body, {
        "authorization": "Bearer " + service.ready["api_key"], "content-type": "application/json"})
    told = json.load(urllib.request.urlopen(request, timeout=60))["choices"][0]["logprobs"]
    return sum(value for value, place in zip(told["token_logprobs"], told["text_offset"]) if place >= len(context))


@test
def answers_and_texts():
    with Home() as home:
        data = home.write("data.jsonl", lines([
            {"question": "Tom has 2 apples and gets 3 more. How many apples does he have?", "answer": "2 + 3 = 5\n#### 5"},
            {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "what it will never say"}]},
            {"text": "The capital of France is Paris, and the capital of Germany is Berlin."}, {"text": "zq xv kj wp " * 20}]))
        found = evaluate(home, data, "--items", home.path + "/items.jsonl", "--max-tokens", "64")
        assert (found["answers"], found["exact_match"], found["texts"]) == (2, 0.5, 2), found
        items = [json.loads(line) for line in open(home.path + "/items.jsonl")]
        assert items[0]["right"] and not items[1]["right"], items
        assert 0 < items[2]["loss"] < 3, items
        tokens = sum(item["tokens"] for item in items[2:])
        mean = sum(item["loss"] * item["tokens"] for item in items[2:]) / tokens
        assert found["tokens"] == tokens and abs(found["loss"] - mean) < 1e-9, found
        assert evaluate(home, data, "--limit", "1")["exact_match"] == 1


@test
def a_line_that_is_wrong_is_named():
    with Home() as home:
        data = home.write("data.jsonl", '{"text": "a b c"}\n\n{"question": "x", "choices": ["a", "b"], "answerKey": "Z"}\n')
        done = home.run("eval", "--model", model_file(), "--data", data, expect=1)
        assert "line 3: `answerKey` is \"Z\": the labels are A, B" in done.stderr, done.stderr
        assert "no line" in home.run("eval", "--model", model_file(), "--data", home.write("none.jsonl", "\n"), expect=1).stderr
