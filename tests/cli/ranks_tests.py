"""plinth train and plinth finetune in several processes: the same as in one, and what happens where one of them ends."""
import csv
import json
import os
import shutil
import signal
import subprocess
import time

import harness
from harness import Home, test, wait_until

TEXT = "the cat sat on the mat. a dog ran to the fog. " * 300


def ranks_test(function):
    """Skips, and says so, where the machine has no mpirun."""
    def run():
        if shutil.which("mpirun"):
            function()
        else:
            print(f"SKIPPED {function.__name__}: no mpirun, tools/setup/install run brings it", flush=True)
    run.__name__ = function.__name__
    return test(run)


def train(home, folder, *more, steps=40):
    data = home.path + "/text.txt"
    if not os.path.exists(data):
        home.write("text.txt", TEXT)
    return ["train", "--data", data, "--to", home.path + folder + "/m", "--depth", "1", "--context", "32", "--batch-size", "5",
            "--steps", str(steps), "--eval-steps", "10", "--learning-rate", "1e-3", "--checkpoint-steps", "10", "--f32",
            "--threads", "1", *more]


def results(home, folder):
    return list(csv.DictReader(open(home.path + folder + "/m/results.csv")))


def same(home, one, other, names=("model.gguf", "results.csv")):
    for name in names:
        with open(f"{home.path}{one}/m/{name}", "rb") as left, open(f"{home.path}{other}/m/{name}", "rb") as right:
            assert left.read() == right.read(), name


def descendants(pid):
    """Of a process, by /proc: (pid, its environment)."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        children = [int(word) for word in file.read().split()]
    for child in children:
        try:
            with open(f"/proc/{child}/environ", "rb") as file:
                yield child, dict(part.split(b"=", 1) for part in file.read().split(b"\0") if b"=" in part)
            yield from descendants(child)
        except FileNotFoundError:
            continue


def rank_process(process, rank):
    wanted = str(rank).encode()
    return next(pid for pid, environment in descendants(process.pid) if environment.get(b"OMPI_COMM_WORLD_RANK") == wanted)


def read_until(process, start):
    for line in process.stderr:
        if line.startswith(start):
            return
    raise AssertionError(f"no {start}")


@ranks_test
def two_ranks_train_what_one_process_does():
    with Home() as home:
        home.run(*train(home, "/one"))
        for folder in ["/two", "/again"]:
            done = home.run(*train(home, folder, "--ranks", "2"))
            assert done.stderr.count("step 40/40") == 1, done.stderr
        same(home, "/two", "/again")
        one, two = results(home, "/one"), results(home, "/two")
        assert len(one) == len(two) == 40, (one, two)
        for left, right in zip(one[:10], two[:10]):
            loss = float(left["train_loss"])
            assert abs(loss - float(right["train_loss"])) <= 1e-5 * loss + 1e-6, (left, right)
        assert not os.path.exists(home.path + "/two/m/checkpoints"), os.listdir(home.path + "/two/m")
        root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        subprocess.run(["mpirun", "-n", "2", "--oversubscribe", harness.plinth, *train(home, "/mpirun")], check=True, timeout=60,
                       env=home.environment | root, capture_output=True, stdin=subprocess.DEVNULL)
        same(home, "/two", "/mpirun")


@ranks_test
def ranks_stop_together_and_go_on():
    with Home() as home:
        home.run(*train(home, "/whole", "--ranks", "2", steps=400))
        # The process that was started, and one of those that it starts.
        for target in ["parent", 1]:
            folder = f"/{target}"
            process = home.start(*train(home, folder, "--ranks", "2", steps=400))
            read_until(process, "step 20/")
            os.kill(process.pid if target == "parent" else rank_process(process, target), signal.SIGTERM)
            left = process.communicate(timeout=60)[1]
            assert process.returncode == 1 and left.count("--resume goes on") == 1 and "mpirun" not in left, left
            home.run(*train(home, folder, "--ranks", "2", "--resume", steps=400))
            same(home, "/whole", folder, ["results.csv"])


@ranks_test
def a_rank_that_dies_ends_the_run_and_is_named():
    with Home() as home:
        home.run(*train(home, "/whole", "--ranks", "2", steps=400))
        process = home.start(*train(home, "/killed", "--ranks", "2", steps=400))
        read_until(process, "step 20/")
        ranks = [rank_process(process, rank) for rank in (0, 1)]
        os.kill(ranks[1], signal.SIGKILL)
        begun = time.monotonic()
        left = process.communicate(timeout=60)[1]
        assert time.monotonic() - begun < 20, "the others went on"
        assert process.returncode == 1 and "rank 1 was ended by signal 9" in left, left
        wait_until(lambda: not any(os.path.exists(f"/proc/{rank}") for rank in ranks), "the end of the other rank")
        home.run(*train(home, "/killed", "--ranks", "2", "--resume", steps=400))
        same(home, "/whole", "/killed", ["results.csv"])


@ranks_test
def one_process_goes_on_with_the_checkpoint_of_two():
    with Home() as home:
        process = home.start(*train(home, "/run", "--ranks", "2", steps=400))
        read_until(process, "step 20/")
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60)[1] and process.returncode == 1
        home.run(*train(home, "/run", "--resume", steps=400))
        assert len(results(home, "/run")) == 400


@ranks_test
def two_ranks_tune_what_one_process_does():
    with Home() as home:
        model = home.tiny_model()
        data = home.write("data.jsonl", "".join('{"prompt": "p%d", "completion": "%s"}\n' % (i, "c" * (1 + 37 * i % 200)) for i in range(21)))
        valid = home.write("valid.jsonl", '{"prompt": "p", "completion": "ccc"}\n' * 3)
        pair = {"input": {"messages": [{"role": "user", "content": "a"}]}}
        for side, said in [("preferred_output", "yes"), ("non_preferred_output", "no?")]:
            pair[side] = [{"role": "assistant", "content": said}]
        pairs = home.write("pairs.jsonl", (json.dumps(pair) + "\n") * 5)
        for name, more in {"lora": ["--data", data, "--valid", valid], "qlora": ["--data", data, "--qlora"],
                           "full": ["--data", data, "--full"], "dpo": ["--data", pairs, "--method", "dpo"]}.items():
            losses = {}
            for ranks in ("1", "2"):
                to = f"{home.path}/{name}{ranks}"
                done = home.run("finetune", "--base", model, "--to", to, "--epochs", "2", "--batch-size", "4", "--f32", "--threads",
                                "1", "--ranks", ranks, "--json", *more)
                losses[ranks] = [json.loads(line)["loss"] for line in done.stdout.splitlines()]
                assert ("valid: loss" in done.stderr) == (name == "lora"), done.stderr
                assert os.path.exists(to + "/report.html") and os.path.exists(to + "/model.gguf"), os.listdir(to)
            assert len(losses["1"]) == len(losses["2"]) > 3, losses
            for one, two in zip(losses["1"], losses["2"]):
                assert abs(one - two) <= 1e-5 * abs(one), (name, losses)


@ranks_test
def an_error_is_said_once():
    with Home() as home:
        short = home.write("short.txt", "abc")
        said = home.run("train", "--data", short, "--to", home.path + "/no", "--ranks", "2", expect=1).stderr
        assert said.count("too few for windows") == 1 and "rank" not in said, said
        assert "mpirun" in home.run(*train(home, "/x", "--ranks", "2"), expect=1, environment={"PATH": home.path}).stderr
