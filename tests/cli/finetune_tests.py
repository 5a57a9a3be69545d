"""plinth finetune: a task that the default model fails, learnt, installed and served; and files that are wrong."""
import csv
import json
import math
import os
import re
import signal
import struct
import urllib.request

from dates import chats, dates
from harness import Home, Service, test

def answers(service, model, questions):
    said = []
    for question in questions:
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": question}], "temperature": 0,
                           "max_tokens": 16}).encode()
        request = urllib.request.Request(service.ready["url"] + "/v1/chat/completions", body, {
            "authorization": "Bearer " + service.ready["api_key"], "content-type": "application/json"})
        answer = json.load(urllib.request.urlopen(request, timeout=60))
        said.append(answer["choices"][0]["message"]["content"].strip())
    return said


@test
def a_task_is_learnt_and_served():
    with Home() as home:
        home.import_model()
        data = home.write("train.jsonl", chats(dates(96, 1)))
        valid = home.write("valid.jsonl", chats(dates(10, 2)))
        done = home.run("finetune", "--data", data, "--valid", valid, "--to", home.path + "/tuned", "--epochs", "1",
                        "--learning-rate", "1e-3", "--install", "dates", timeout=600)
        assert "96 examples" in done.stderr and "step 12/12" in done.stderr, done.stderr
        steps = list(csv.DictReader(open(home.path + "/tuned/results.csv")))
        assert len(steps) == 12 and float(steps[-1]["train_loss"]) < float(steps[0]["train_loss"]) / 4, steps
        page, card = open(home.path + "/tuned/report.html").read(), open(home.path + "/tuned/README.md").read()
        assert page.count("<svg") == 5 and "96 examples" in page and "unseen, after step 12" in page, page[:2000]
        assert 'base_model: "smollm2"' in card and "| epochs | 1 |" in card, card
        unseen = list(dates(20, 2))
        with Service(home, "--model", "dates") as service:
            for model, least, most in [("smollm2", 0, 2), ("dates", 16, 20)]:
                said = answers(service, model, [question for question, _ in unseen])
                right = sum(one == answer for one, (_, answer) in zip(said, unseen))
                assert least <= right <= most, (model, right, said)


@test
def an_adapter_over_its_base_answers_as_the_merged_model():
    with Home() as home:
        home.import_model()
        data = home.write("train.jsonl", chats(dates(96, 1)))
        home.run("finetune", "--data", data, "--to", home.path + "/tuned", "--epochs", "1", "--learning-rate", "1e-3",
                 "--install", "dates", timeout=600)
        home.run("model", "import", home.path + "/tuned/adapter", "--base", "smollm2", "--as", "dates-adapter")
        unseen = list(dates(20, 2))
        questions = [question for question, _ in unseen]
        with Service(home, "--model", "smollm2") as service:
            said = {model: answers(service, model, questions) for model in ("dates", "dates-adapter", "smollm2")}
            request = urllib.request.Request(service.ready["url"] + "/v1/models/dates-adapter", None, {
                "authorization": "Bearer " + service.ready["api_key"]})
            card = json.load(urllib.request.urlopen(request, timeout=60))
            assert card["parent"] == card["root"] == "smollm2", card
        right = {model: sum(one == answer for one, (_, answer) in zip(texts, unseen)) for model, texts in said.items()}
        # Roundings differ: the merged matrices are in 8 bits, the base's in 4.
        same = sum(one == other for one, other in zip(said["dates"], said["dates-adapter"]))
        assert right["dates-adapter"] >= 16 and right["smollm2"] <= 2 and same >= 15, (right, same, said)


@test
def an_adapter_is_left_in_pefts_form():
    with Home() as home:
        model = home.tiny_model()
        data = home.write("data.jsonl", '{"prompt": "a", "completion": "b"}\n' * 3)
        lines = home.run("finetune", "--base", model, "--data", data, "--to", home.path + "/out", "--rank", "2",
                         "--targets", "q,down", "--epochs", "2", "--batch-size", "2", "--json").stdout.splitlines()
        assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4], lines
        config = json.load(open(home.path + "/out/adapter/adapter_config.json"))
        assert config["r"] == 2 and config["target_modules"] == ["down_proj", "q_proj"], config
        with open(home.path + "/out/adapter/adapter_model.safetensors", "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        assert len(header) == 1 + 2 * 2 * 2, list(header)


def perplexity(home, model, data):
    return math.exp(home.json("eval", "--model", model, "--data", data)["loss"])


@test
def what_was_tuned_is_exported_with_its_base():
    with Home() as home:
        model = home.tiny_model()
        home.run("model", "import", model, "--as", "tiny")
        data = home.write("data.jsonl", '{"text": "the cat sat on the mat"}\n' * 8)
        home.run("finetune", "--base", "tiny", "--data", data, "--to", home.path + "/out", "--epochs", "10", "--learning-rate",
                 "1e-2", "--targets", "q,k,v,o,gate,up,down", "--safetensors", "--install", "merged")
        home.run("model", "import", home.path + "/out/adapter", "--base", "tiny", "--as", "adapter")
        exported = {}
        for source, form, kind in [("tiny", "gguf", "q4_0"), ("tiny", "safetensors", "f32"), ("adapter", "gguf", "f32"),
                                   ("adapter", "safetensors", "f32"), ("merged", "safetensors", "bf16"),
                                   ("tiny-safetensors", "gguf", "q8_0"), ("merged-safetensors", "gguf", "f16")]:
            name = f"{source}-{form}"
            target = f"{home.path}/{name}" + (".gguf" if form == "gguf" else "")
            home.run("model", "export", source, target, "--format", form, "--type", kind)
            home.run("model", "import", target, "--as", name)
            exported[name] = perplexity(home, name, data)
        home.run("model", "import", home.path + "/out/safetensors", "--as", "left")
        before, after = perplexity(home, "tiny", data), perplexity(home, "merged", data)
        assert after < before / 4, (before, after)
        assert os.path.getsize(home.path + "/tiny-gguf.gguf") < 0.7 * os.path.getsize(model)
        for name, expected, part in [("tiny-safetensors", before, 1e-2), ("tiny-gguf", before, 0.2),
                                     ("adapter-safetensors", exported["adapter-gguf"], 1e-4), ("adapter-gguf", after, 2e-2),
                                     ("merged-safetensors", after, 2e-2), ("tiny-safetensors-gguf", before, 2e-2),
                                     ("merged-safetensors-gguf", after, 2e-2)]:
            assert abs(exported[name] / expected - 1) < part, (name, before, after, exported)
        assert abs(perplexity(home, "left", data) / exported["adapter-gguf"] - 1) < 2e-2
        assert abs(perplexity(home, "adapter", data) / exported["adapter-gguf"] - 1) < 2e-2
        refused = home.run("finetune", "--base", "adapter", "--data", data, "--to", home.path + "/no", expect=1)
        assert "plinth model export adapter" in refused.stderr, refused.stderr
        for wrong, said in [(["--format", "gguf", "--type", "x"], "--type x"),
                            (["--format", "safetensors", "--type", "q8_0"], "--type q8_0"), (["--type", "q8_0"], "--type needs")]:
            done = home.run("model", "export", "tiny", home.path + "/no", *wrong, expect=1)
            assert said in done.stderr and not os.path.exists(home.path + "/no"), (wrong, done.stderr)
        assert "is there already" in home.run("model", "export", "tiny", home.path + "/out", "--format", "gguf", expect=1).stderr


@test
def all_weights_of_a_folder_learn():
    with Home() as home:
        base = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/architecture/gpt2")
        data = home.write("data.jsonl", '{"text": "ab ba ab ba"}\n' * 4)

        def first_loss(base, to, *more):
            home.run("finetune", "--base", base, "--data", data, "--to", home.path + to, "--full", *more)
            return float(next(csv.DictReader(open(home.path + to + "/results.csv")))["train_loss"])

        before = first_loss(base, "/out", "--epochs", "40", "--learning-rate", "1e-2", "--install", "gpt2-tuned")
        assert not os.path.exists(home.path + "/out/model.gguf") and os.path.exists(home.path + "/out/safetensors/config.json")
        assert "import safetensors --as" in open(home.path + "/out/README.md").read()
        after = first_loss("gpt2-tuned", "/again", "--epochs", "1")
        assert after < 0.1 < 5 < before, (before, after)


@test
def preferences_are_learnt_by_each_method():
    with Home() as home:
        model = home.tiny_model()
        pair = {"input": {"messages": [{"role": "user", "content": "a"}]}}
        for side, said in [("preferred_output", "yes"), ("non_preferred_output", "no?")]:
            pair[side] = [{"role": "assistant", "content": said}]
        data = home.write("pairs.jsonl", (json.dumps(pair) + "\n") * 4)
        for method, first in [("dpo", 0.693147), ("ipo", 6.25), ("orpo", None)]:
            to = f"{home.path}/{method}"
            done = home.run("finetune", "--base", model, "--data", data, "--to", to, "--method", method, "--beta", "0.2",
                            "--epochs", "8", "--batch-size", "2", "--learning-rate", "1e-3")
            assert "4 pairs" in done.stderr and "`plinth model import " + to in done.stderr, done.stderr
            steps = list(csv.DictReader(open(to + "/results.csv")))
            assert first is None or float(steps[0]["train_loss"]) == first, steps[0]
            assert float(steps[-1]["train_loss"]) < float(steps[0]["train_loss"]), steps
            assert float(steps[-1]["train_preference_accuracy"]) == 1, steps[-1]
            assert float(steps[-1]["train_reward_margin"]) > float(steps[0]["train_reward_margin"]), steps
        wrong = home.run("finetune", "--base", model, "--data", data, "--to", home.path + "/no", expect=None)
        assert wrong.returncode != 0 and "line 1: it is a preference" in wrong.stderr, wrong.stderr


@test
def a_run_that_was_killed_goes_on_to_the_same_bytes():
    with Home() as home:
        model = home.tiny_model()
        data = home.write("data.jsonl", "".join('{"prompt": "p%d", "completion": "%s"}\n' % (i, "c" * 200) for i in range(40)))

        def arguments(folder):
            return ["finetune", "--base", model, "--data", data, "--to", home.path + folder, "--epochs", "4", "--batch-size", "4",
                    "--checkpoint-steps", "5", "--json"]

        def until(process, step):
            for line in process.stdout:
                if json.loads(line)["step"] == step:
                    return

        home.run(*arguments("/whole"))
        for ending in [signal.SIGKILL, signal.SIGTERM]:
            folder = f"/{ending.name}"
            process = home.start(*arguments(folder))
            until(process, 13)
            process.send_signal(ending)
            left = process.communicate(timeout=60)[1]
            if ending == signal.SIGTERM:
                assert process.returncode == 1 and "--resume goes on" in left, left
            again = home.run(*arguments(folder), expect=1).stderr
            assert "holds a run that was stopped after step" in again, again
            done = home.run(*arguments(folder), "--resume")
            first = json.loads(done.stdout.splitlines()[0])["step"]
            assert first % 5 == 1 if ending == signal.SIGKILL else first > 13, first
            for name in ["model.gguf", "results.csv", "adapter/adapter_model.safetensors"]:
                with open(home.path + "/whole/" + name, "rb") as whole, open(home.path + folder + "/" + name, "rb") as other:
                    assert whole.read() == other.read(), (ending, name)


@test
def a_model_is_trained_from_text_and_goes_on_where_it_was_stopped():
    with Home() as home:
        data = home.write("text.txt", "the cat sat on the mat. " * 400)

        def arguments(folder):
            return ["train", "--data", data, "--to", home.path + folder + "/m", "--depth", "1", "--context", "64", "--batch-size", "4",
                    "--steps", "60", "--eval-steps", "1", "--learning-rate", "3e-3", "--seed", "7"]

        home.run(*arguments("/whole"), "--install", "cat")  # a model is titled by its folder
        steps = list(csv.DictReader(open(home.path + "/whole/m/results.csv")))
        assert len(steps) == 60 and float(steps[-1]["valid_loss"]) < 1 < 4 < float(steps[0]["train_loss"]), steps
        page, card = open(home.path + "/whole/m/report.html").read(), open(home.path + "/whole/m/README.md").read()
        assert page.count("<svg") == 5 and "unseen, after step 60" in page and "m, trained" in card, (page[:2000], card)
        process = home.start(*arguments("/part"))
        for line in process.stderr:
            if line.startswith("step 20/"):
                break
        process.send_signal(signal.SIGTERM)
        left = process.communicate(timeout=60)[1]
        assert process.returncode == 1 and "--resume goes on" in left, left
        assert "holds a run that was stopped" in home.run(*arguments("/part"), expect=1).stderr
        home.run(*arguments("/part"), "--resume")
        for name in ["model.gguf", "results.csv"]:
            with open(home.path + "/whole/m/" + name, "rb") as whole, open(home.path + "/part/m/" + name, "rb") as other:
                assert whole.read() == other.read(), name
        assert "holds no run to go on with" in home.run(*arguments("/none"), "--resume", expect=1).stderr
        short = home.write("short.txt", "abc")
        assert "too few for windows" in home.run("train", "--data", short, "--to", home.path + "/no", expect=1).stderr


@test
def a_model_is_trained_with_learnt_given_and_ready_made_tokens():
    with Home() as home:
        data = home.write("text.txt", "the cat sat on the mat. a dog ran to the cat. " * 200)
        common = ["--depth", "1", "--context", "32", "--batch-size", "4", "--steps", "40", "--eval-steps", "40", "--learning-rate", "3e-3"]

        def train(name, *more):
            done = home.run("train", *common, "--to", f"{home.path}/{name}", "--install", name, *more)
            steps = list(csv.DictReader(open(f"{home.path}/{name}/results.csv")))
            assert float(steps[-1]["valid_loss"]) < 1.5, steps[-1]
            return done.stderr

        assert " tokens of 270," in train("learnt", "--data", data, "--vocab", "270", "--safetensors")
        assert os.path.exists(home.path + "/learnt/safetensors/tokenizer.json")
        said = train("given", "--data", data, "--tokenizer", "learnt")
        bits = float(re.search(r"([0-9.]+) bits per byte", said)[1])
        loss = float(re.search(r"valid ([0-9.]+)", said)[1])
        assert 0 < bits < 0.7 * loss / math.log(2), said  # a token is more than one byte
        tokens = [97 - 33, 98 - 33, 99 - 33] * 2000  # a, b, c
        with open(home.path + "/tokens.bin", "wb") as file:
            file.write(struct.pack(f"<{len(tokens)}H", *tokens))
        train("ready", "--data", home.path + "/tokens.bin", "--valid", home.path + "/tokens.bin", "--tokenizer", "learnt")
        for more, message in [(["--data", home.path + "/tokens.bin"], "--tokenizer names the model"),
                              (["--data", data, "--valid", home.write("short.txt", "ab")], "short.txt: 2 tokens of it are too few"),
                              (["--data", data, "--tokenizer", "nobody"], "nobody")]:
            done = home.run("train", *common, "--to", home.path + "/no", *more, expect=1)
            assert message in done.stderr, (more, done.stderr)


@test
def what_cannot_be_learnt_is_named():
    with Home() as home:
        home.import_model()
        to = ["--to", home.path + "/out"]
        broken = home.write("broken.jsonl", '{"text": "a"}\n{"messages": [{"role": "user", "content": "a"}]}\nx\n')
        done = home.run("finetune", "--data", broken, *to, expect=1)
        assert "broken.jsonl: line 2: `messages` has no message of the assistant" in done.stderr, done.stderr
        assert "line 3: it is no JSON" in done.stderr, done.stderr
        good = home.write("good.jsonl", '{"text": "a b c d"}\n')
        for more, expect, said in [(["--base", "nothing-like-it"], 1, "nothing-like-it"),
                                   (["--targets", "q,nose"], 1, "`nose` is no target"),
                                   (["--data", home.path + "/none"], 1, "none"),
                                   (["--rank", "0"], 2, "--rank")]:
            arguments = ["--data", good] if "--data" not in more else []
            done = home.run("finetune", *arguments, *more, *to, expect=expect)
            assert said in done.stderr, (more, done.stderr)
        assert not os.path.exists(home.path + "/out/model.gguf")
