"""Ours for `embed`: the rate from the engine's own benchmark, the vectors from the service, which
runs the same encoder."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import urllib.request

from encoder_inputs import token_ids
from peers import call


def rate(benchmark, models, threads):
    document = json.loads(call(
        [benchmark, f"--benchmark_filter=embed/fast/threads:{threads}/inputs:256/",
         "--benchmark_repetitions=3", "--benchmark_format=json"],
        env=dict(os.environ, PLINTH_TEST_MODELS=str(models))))
    return max(run["tokens/s"] for run in document["benchmarks"]
               if run["run_type"] == "iteration")


def post(ready, body):
    request = urllib.request.Request(ready["url"] + "/v1/embeddings", json.dumps(body).encode(), {
        "Authorization": "Bearer " + ready["api_key"], "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return [entry["embedding"] for entry in json.load(answer)["data"]]


def vectors(plinth, model):
    """Of every input, from a service with a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        command = [plinth, "--home", str(pathlib.Path(home) / "home")]
        call([*command, "model", "import", str(model), "--as", "minilm"])
        service = subprocess.Popen([*command, "up", "--no-default", "--listen", "127.0.0.1:0",
                                    "--json", "--log-level", "warn"],
                                   stdout=subprocess.PIPE, text=True)
        try:
            line = service.stdout.readline()
            if not line:
                sys.exit("embed: the service did not start")
            return post(json.loads(line), {"model": "minilm", "input": token_ids()})
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(timeout=60)
