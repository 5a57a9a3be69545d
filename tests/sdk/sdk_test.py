"""The official OpenAI SDK against `plinth up`: sdk_test.py PLINTH RESULT.tap"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback

import openai

import administration  # noqa: F401 - importing a file registers its tests
import azure_dialect  # noqa: F401
import chat  # noqa: F401
import completions  # noqa: F401
import embeddings  # noqa: F401
import failures  # noqa: F401
import files  # noqa: F401
import fine_tuning  # noqa: F401
import harness
from harness import tests

plinth, result = sys.argv[1:]
models = os.environ["PLINTH_TEST_MODELS"]


def a_home_has_one_owner(command):
    second = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert second.returncode == 1 and "in use" in second.stderr, second


def sigterm_drains(server):
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=40) == 0, server.returncode


class Tally:
    def __init__(self, tap):
        self.tap, self.passed, self.failed = tap, 0, 0

    def run(self, function, argument):
        try:
            function(argument)
            verdict, self.passed = "ok", self.passed + 1
        except Exception:
            traceback.print_exc()
            verdict, self.failed = "not ok", self.failed + 1
        self.tap.write(f"{verdict} sdk.{function.__name__}\n")


def import_model(home, path, name):
    """A model that cannot be imported fails its own tests, not the others'."""
    subprocess.run([plinth, "--home", home, "model", "import", path, "--as", name], timeout=120)


def main():
    with tempfile.TemporaryDirectory() as home:
        import_model(home, models + "/SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2")
        import_model(home, models + "/minilm", embeddings.MODEL)
        command = [plinth, "--home", home, "up", "--listen", "127.0.0.1:0", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, open(result, "w") as tap:
            harness.server = server
            ready = json.loads(server.stdout.readline())
            client = openai.OpenAI(base_url=ready["url"] + "/v1", api_key=ready["api_key"],
                                   admin_api_key=ready["admin_key"], timeout=60, max_retries=0)
            tally = Tally(tap)
            for function in tests:
                tally.run(function, client)
            tally.run(a_home_has_one_owner, command)
            tally.run(sigterm_drains, server)
    print(f"sdk: {tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


sys.exit(main())
