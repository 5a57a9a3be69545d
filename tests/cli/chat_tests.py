"""plinth run, chat and bench serve on the default model."""
import json
import os
import re
import signal
import subprocess
import time

from harness import Home, Service, Terminal, test, wait_until

QUESTION = "Name three colours."


def children_of_home(home):
    """Command lines of processes that name the home."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if home.path in line:
            found.append(line)
    return found


@test
def run_works_from_nothing_and_leaves_nothing():
    with Home() as home:
        home.import_model()
        done = home.run("run", QUESTION, "--max-tokens", "8", "--temperature", "0")
        assert done.stdout.strip() and done.stdout.endswith("\n") and not done.stderr, done
        wait_until(lambda: not children_of_home(home), "the service to end")
        assert not os.path.exists(home.path + "/run/service.json")
        # Killed, the command takes its service along.
        process = home.start("run", "Count to a thousand.", "--max-tokens", "2000")
        process.stdout.read(1)
        process.kill()
        process.communicate()
        wait_until(lambda: not children_of_home(home), "the service to follow its command")


@test
def run_speaks_to_the_running_service():
    with Home() as home:
        home.import_model()
        with Service(home) as service:
            one, two = (home.json("run", QUESTION, "--seed", "7", "--max-tokens", "12") for _ in range(2))
            # All but the usage: the second finds its prompt in the prefix cache.
            assert [{**answer, "usage": None} for answer in (one, two)] == [{**one, "usage": None}] * 2
            assert one["model"] == "smollm2"
            # What so small a model says, and whether it stops by itself, differs between instruction sets.
            assert one["finish_reason"] in ("length", "stop") and 0 < one["usage"]["completion_tokens"] <= 12
            piped = home.json("run", "Say this again:", "--max-tokens", "1", input="word " * 50)
            assert piped["usage"]["prompt_tokens"] > one["usage"]["prompt_tokens"] + 40
            alone = home.run("run", "--max-tokens", "2", input="hello")
            assert alone.stdout.strip()
            system = home.json("run", QUESTION, "--system", "word " * 60, "--max-tokens", "1")
            assert system["usage"]["prompt_tokens"] > one["usage"]["prompt_tokens"] + 20
            error = home.run("run", "hi", "-m", "nothing", expect=1).stderr
            assert "nothing" in error
            url, key = service.ready["url"], service.ready["api_key"]
            with Home() as other:
                text = other.run("run", "hi", "--max-tokens", "2", "--url", url + "/v1", "--key", key).stdout
                assert text.strip()
                refused = other.run("run", "hi", "-m", "smollm2", "--url", url, "--key", "sk-wrong", expect=1)
                assert "API key" in refused.stderr and not refused.stdout.strip()
                other.run("run", "hi", "-m", "x", "--url", "http://127.0.0.1:9", expect=1)
            bench = home.json("bench", "serve", "--rate", "20", "--requests", "5", "--max-tokens", "4", "--prompt-words", "4")
            assert bench["answered"] == 5 and bench["errors"] == {} and bench["completion_tokens"] <= 20
            assert 0 < bench["first_token_ms"]["p50"] <= bench["first_token_ms"]["p99"] <= bench["whole_ms"]["max"]
            # A trace that was saved is what is replayed: several turns, whose history is cached.
            home.run("bench", "serve", "--mix", "chat", "--rate", "50", "--requests", "2", "--save-trace", home.path + "/t.jsonl")
            trace = [json.loads(line) for line in open(home.path + "/t.jsonl")]
            turns = [turn for conversation in trace for turn in conversation["turns"]]
            replayed = home.json("bench", "serve", "--trace", home.path + "/t.jsonl", "--plots", home.path + "/plots", "--ignore-eos")
            assert replayed["turns"] == replayed["answered"] == len(turns) >= 4
            assert replayed["completion_tokens"] == sum(turn["max_tokens"] for turn in turns)
            assert replayed["cached_tokens"] > 0 and replayed["tenants"]["tenant-1"]["answered"] == len(turns)
            assert "</svg>" in open(home.path + "/plots/first_token.svg").read()
            hung = home.run("bench", "serve", "--max-tokens", "3000", "--ignore-eos", "--requests", "1", "--timeout-s", "1", expect=1)
            assert "no whole answer within 1 s" in hung.stdout
            # A model in use may be removed: what is loaded stays, and the files go.
            home.run("model", "rm", "smollm2")
            assert home.json("model", "list") == []


@test
def chat_on_a_terminal():
    with Home() as home:
        home.import_model()
        with Service(home):
            chat = Terminal(home, "chat")
            chat.expect(r"smollm2 at http")
            chat.say("/help\n")
            assert "/clear" in chat.expect(r"Ctrl-C stops an answer")
            chat.say("/set temperature 0\n")
            chat.expect(r"temperature = 0")
            chat.say("/set max_tokens 6\n")
            chat.expect(r"max_tokens = 6")
            chat.say("/set temprature 1\n")
            chat.expect(r"did you mean temperature\?")
            chat.say("Name a colour\\\nof the sky.\n")
            chat.expect(r"cut off at the limit")
            chat.say("/set max_tokens 4000\n")
            chat.expect(r"max_tokens = 4000")
            chat.say("Write a very long story about the sea.\n")
            chat.expect(r"sea\.\s+\S")
            chat.type("\x03")
            chat.expect(r"\(stopped\)", seconds=10)
            chat.say("/clear\n")
            chat.expect(r"cleared")
            chat.say("half a line\x03")
            chat.say("/system Be brief.\n")
            chat.expect(r"system: Be brief\.")
            chat.say("/model nothing\n")
            chat.expect(r"neither a catalog name")
            chat.say("/mdoel\n")
            chat.expect(r"did you mean /model\?")
            chat.say("\x04")
            assert chat.exit_code() == 0


@test
def chat_ends_by_a_ctrl_d_typed_ahead():
    with Home() as home:
        home.import_model()
        with Service(home):
            chat = Terminal(home, "chat")
            chat.say("/set max_tokens 40\n")
            chat.expect(r"max_tokens = 40")
            chat.say("Tell me a story.\n")
            chat.expect(r"story\.\s+\S")
            chat.type("\x04")
            assert chat.exit_code() == 0


@test
def chat_through_a_pipe_remembers():
    with Home() as home:
        home.import_model()
        lines = "/set max_tokens 8\n/set temperature 0\nHello!\nAgain?\n/quit\nnot read\n"
        done = home.run("chat", input=lines)
        answers = [line for line in done.stdout.split("\n") if line and " = " not in line]
        assert len(answers) >= 2 and ">" not in done.stdout and "\033" not in done.stdout, done.stdout


@test
def run_can_be_interrupted():
    with Home() as home:
        home.import_model()
        with Service(home):
            process = home.start("run", "Count to a thousand.", "--max-tokens", "4000")
            assert process.stdout.read(1)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)
            assert process.returncode == -signal.SIGINT
