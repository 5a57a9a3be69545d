"""Schemathesis against `plinth up`: schemathesis_test.py PLINTH RESULT.xml"""
import json
import os
import signal
import subprocess
import sys
import tempfile

plinth, result = sys.argv[1:]
here = os.path.dirname(os.path.abspath(__file__))
models = os.environ["PLINTH_TEST_MODELS"]

# What is right by the schema may still be refused: a model that is not there, two parameters that
# exclude each other, a token outside the vocabulary. So positive_data_acceptance is not a check.
CHECKS = ",".join([
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "unsupported_method", "allow_header_conformance", "ignored_auth"])


def import_model(home, file, name):
    subprocess.run([plinth, "--home", home, "model", "import", os.path.join(models, file), "--as", name],
                   check=True, timeout=120, stdout=subprocess.DEVNULL)


def main():
    with tempfile.TemporaryDirectory() as home:
        import_model(home, "SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2")
        import_model(home, "minilm", "all-minilm-l6-v2")
        command = [plinth, "--home", home, "up", "--listen", "127.0.0.1:0", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            ready = json.loads(server.stdout.readline())
            run = [os.path.join(os.path.dirname(sys.executable), "schemathesis"),
                   "--config-file", os.path.join(here, "schemathesis.toml"), "run", ready["url"] + "/openapi.json",
                   "--header", "Authorization: Bearer " + ready["api_key"], "--checks", CHECKS,
                   "--phases", "examples,coverage,fuzzing", "--seed", "1", "--max-examples", "40",
                   "--generation-database", "none", "--generation-with-security-parameters", "false",
                   "--request-timeout", "20", "--no-shrink", "--no-color", "--warnings", "off",
                   "--report", "junit", "--report-junit-path", result]
            environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": here}
            code = subprocess.run(run, env=environment, cwd=home, timeout=540).returncode
            alive = server.poll() is None
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=40)
    if not alive:
        print("schemathesis: the service ended", file=sys.stderr)
    return code if alive else 1


sys.exit(main())
