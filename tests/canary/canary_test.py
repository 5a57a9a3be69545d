"""Nothing that a zero-data project said, or was answered, is on any disk afterwards: canary_test.py PLINTH RESULT.tap [FILTER]

Prompts of every kind, good and bad, with a word in them that is nowhere else, to a service that logs all it can. Then the
whole home is read, its temporary files, its log and the database's own folder."""
import base64
import contextlib
import json
import os
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

from search import forms, search
from service import GGUF, MODELS, Home, Service, eventually, read_all

plinth, result = sys.argv[1:3]
wanted = re.compile(sys.argv[3] if len(sys.argv) > 3 else "")
postgresql = os.environ.get("PLINTH_TEST_POSTGRESQL")
tests = []


def test(function):
    tests.append(function)
    return function


class LoudService(Service):
    """Logs whatever it can, into a file beside its home."""

    def __init__(self, home, beside, *options):
        self.home = home
        self.log = open(os.path.join(beside, "stderr.log"), "ab")
        command = [plinth, "--home", home.path, "up", "--listen", "127.0.0.1:0", "--json", "--log-level", "debug", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env={**os.environ, "TMPDIR": os.path.join(beside, "tmp")})
        self.ready = json.loads(self.process.stdout.readline())
        self.url, self.key = self.ready["url"], self.ready["api_key"]
        self.port = int(self.url.rsplit(":", 1)[1])

    def request(self, path, body=None, timeout=240, key=None):
        return super().request(path, body, timeout, key)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=90)
        self.process.stdout.close()
        self.log.close()


class Canary:
    """Words that no other text has, one for each request, so that a leak says where it comes from."""

    def __init__(self):
        # Models were there before anything was said.
        self.since = time.time()
        self.words, self.answers = {}, []

    def __call__(self, what):
        return self.words.setdefault(what, "kanarie" + secrets.token_hex(9))

    def text(self, what):
        # Around it what escapes are made of.
        return f'Say "{self(what)}" \\ é\n and nothing else.'

    def heard(self, text):
        """An answer: its longest part without what JSON escapes."""
        part = max(re.split(r'["\\\n\t]|[^ -~]', text), key=len).strip()
        if len(part) >= 16:
            self.answers.append(part[:48])

    def all(self):
        return [*self.words.values(), *self.answers]


def zero_data(service):
    status, _, answer = service.request("/v1/organization/projects/default/data_retention",
                                        {"retention_type": "zero_data_retention"}, key=service.ready["admin_key"])
    assert status == 200 and answer["type"] == "zero_data_retention", answer


def guard(service):
    """A deployment whose policy blocks and redacts."""
    admin = service.ready["admin_key"]
    for path, body in (("content_policies/strict", {"properties": {"basePolicyName": "Plinth.Default",
                                                                  "piiFilters": [{"source": "Prompt", "action": "Redact"}]}}),
                       ("deployments/guarded", {"properties": {"model": {"name": "smollm2"}, "raiPolicyName": "strict"}})):
        status, _, answer = service.request("/v1/organization/projects/default/" + path, body, key=admin)
        assert status == 200, answer


def blocklist(service, canary):
    """Terms of a list: they are read into memory and lie sealed."""
    admin = service.ready["admin_key"]
    for path, body in (("blocklists/words", {}),
                       ("blocklists/words/items/one", {"properties": {"pattern": canary("blocklist term")}}),
                       ("blocklists/words/items", [{"name": "two", "properties": {"pattern": canary("one of many terms")}}]),
                       ("blocklists/words/items/one", {"properties": {"pattern": canary("changed term")}})):
        status, _, answer = service.request("/v1/organization/projects/default/" + path, body, key=admin)
        assert status == 200, (path, answer)
    status, _, answer = service.request("/v1/organization/projects/default/blocklists/words/items", key=admin)
    assert status == 200 and canary("changed term") in json.dumps(answer), answer


def answers(service, canary):
    """Every endpoint that answers. Hot, so that no two answers are alike."""
    hot = {"temperature": 1.6, "max_tokens": 24, "seed": 7}
    status, _, chat = service.chat(text=canary.text("chat"), **hot, user=canary("user"), store=False,
                                   metadata={"note": canary("metadata")})
    assert status == 200, chat
    canary.heard(chat["choices"][0]["message"]["content"])
    stream = read_all(service.stream(text=canary.text("stream"), **hot))
    assert "[DONE]" in stream, stream
    pieces = [json.loads(line[6:]) for line in stream.split("\n") if line.startswith("data: {")]
    canary.heard("".join(piece["choices"][0]["delta"].get("content") or "" for piece in pieces if piece["choices"]))
    status, _, text = service.request("/v1/completions", {"model": "smollm2", "prompt": canary.text("completion"), "echo": True, **hot})
    assert status == 200 and canary("completion") in text["choices"][0]["text"], text
    canary.heard(text["choices"][0]["text"].split("nothing else.", 1)[1])
    for encoding in ("float", "base64"):
        status, _, vectors = service.request("/v1/embeddings", {"model": "minilm", "input": [canary.text("embedding")],
                                                                "encoding_format": encoding})
        assert status == 200, vectors
    status, _, verdict = service.request("/v1/moderations", {"input": canary.text("moderation")})
    assert status == 200, verdict
    status, _, chosen = service.chat(text="Go on.", tools=[{"type": "function", "function": {
        "name": canary("tool"), "description": canary.text("description"), "parameters": {"type": "object"}}}])
    assert status in (200, 400), chosen


def refusals(service, canary):
    """Every way not to be answered."""
    post = service.request
    user = lambda content: [{"role": "user", "content": content}]  # noqa: E731
    expected = {
        "unknown model": ("/v1/chat/completions", {"model": canary("model"), "messages": user("Hi")}),
        "unknown field": ("/v1/chat/completions", {"model": "smollm2", "messages": user("Hi"), canary("field"): canary.text("value")}),
        "bad value": ("/v1/chat/completions", {"model": "smollm2", "messages": user(canary.text("beside")), "temperature": canary("number")}),
        "bad role": ("/v1/chat/completions", {"model": "smollm2", "messages": [{"role": canary("role"), "content": canary.text("said")}]}),
        "image": ("/v1/chat/completions", {"model": "smollm2", "messages": user([
            {"type": "text", "text": canary.text("caption")}, {"type": "image_url", "image_url": {
                "url": "data:image/png;base64," + base64.b64encode(canary("image").encode()).decode()}}])}),
        "address": ("/v1/chat/completions", {"model": "smollm2", "messages": user([
            {"type": "image_url", "image_url": {"url": f"http://127.0.0.1:9/{canary('address')}.png"}}])}),
        "too long": ("/v1/chat/completions", {"model": "smollm2", "messages": user(canary.text("long") * 3000)}),
        "too long to embed": ("/v1/embeddings", {"model": "minilm", "input": canary.text("long input") * 3000}),
        "blocked": ("/v1/chat/completions", {"model": "guarded", "messages": user(
            "I will kill you and everyone you love. " + canary.text("threat"))}),
        "bad regex": ("/v1/completions", {"model": "smollm2", "prompt": canary.text("regex"), "stop": [canary("stop")] * 99}),
    }
    for name, (path, body) in expected.items():
        status, _, answer = post(path, body)
        assert 400 <= status < 500, (name, status, answer)
    broken = f'{{"model": "smollm2", "messages": "{canary("broken")}'.encode()
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {service.key}\r\nConnection: close\r\n"
            f"Content-Length: {len(broken)}\r\n\r\n").encode()
    assert " 400 " in raw(service, head + broken).split("\r\n")[0]
    # A body that ends before its length, and one that no key came with.
    raw(service, head.replace(str(len(broken)).encode(), b"9999") + f'{{"prompt": "{canary("cut")}"'.encode(), closes=True)
    assert " 401 " in raw(service, head.replace(b"Authorization: Bearer " + service.key.encode(), b"A: b") + broken)
    status, _, answer = service.request("/v1/chat/completions", {"model": "guarded", "messages": user(
        canary.text("redacted") + " Write to " + canary("mail") + "@example.com.")})
    assert status == 200, answer


def raw(service, data, closes=False):
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as sock:
        sock.sendall(data)
        if closes:
            return ""
        return read_all(sock)


def interruptions(service, canary):
    """A client that goes away, and a worker that dies."""
    gone = service.stream(text=canary.text("client gone"), max_tokens=200, ignore_eos=True)
    gone.recv(100)
    gone.close()
    held = service.stream(text=canary.text("worker killed"), max_tokens=200, ignore_eos=True)
    held.recv(100)
    for worker in service.workers():
        os.kill(worker, signal.SIGKILL)
    read_all(held)
    eventually(lambda: service.chat(text=canary.text("after"))[0] == 200, what="a new worker")
    # A signal that would leave a core.
    held = service.stream(text=canary.text("worker aborted"), max_tokens=200, ignore_eos=True)
    held.recv(100)
    for worker in service.workers():
        os.kill(worker, signal.SIGABRT)
    read_all(held)


def no_cores(service):
    for pid in (service.process.pid, *service.workers()):
        with open(f"/proc/{pid}/limits", encoding="utf-8") as file:
            line = next(one for one in file if one.startswith("Max core file size"))
        assert line.split()[4:6] in (["1", "1"], ["0", "0"]), (pid, line)


def everything(service, canary):
    zero_data(service)
    guard(service)
    blocklist(service, canary)
    answers(service, canary)
    refusals(service, canary)
    no_cores(service)
    interruptions(service, canary)
    assert len(canary.words) > 25 and len(canary.answers) >= 3, (canary.words, canary.answers)


def form(fields, name, filename, body):
    """(content type, body) of a multipart form with one file."""
    parts = [f'--XX\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode() for key, value in fields.items()]
    parts.append(f'--XX\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'.encode() + body + b"\r\n")
    return "multipart/form-data; boundary=XX", b"".join(parts) + b"--XX--\r\n"


def upload(service, path, fields, name, body, cut=None):
    """The answer as JSON; with `cut` a socket on which so many bytes of the form were sent."""
    kind, data = form(fields, name, "notes.txt", body)
    head = (f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {service.key}\r\nConnection: close\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n").encode()
    sock = socket.create_connection(("127.0.0.1", service.port), timeout=60)
    sock.sendall(head + data[:cut])
    if cut is not None:
        return sock
    with sock:
        answer = read_all(sock)
    assert " 200 " in answer.split("\r\n")[0], answer
    return json.loads(answer.split("\r\n\r\n", 1)[1])


def content(service, file):
    request = urllib.request.Request(f"{service.url}/v1/files/{file}/content", headers={"Authorization": "Bearer " + service.key})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def body_with(canary, what):
    """Longer than a chunk of a sealed file, and than what the server reads at once."""
    return (canary.text(what) + "\n").encode() * 40_000


def kept_files(service, canary):
    """Files that stay, that are deleted, refused, cut short, and that come in parts. Returns those that stay."""
    kept = {}
    for what in ("small file", "large file"):
        body = canary.text(what).encode() if what == "small file" else body_with(canary, what)
        made = upload(service, "/v1/files", {"purpose": "user_data"}, "file", body)
        kept[made["id"]] = body
        assert content(service, made["id"]) == body
    made = upload(service, "/v1/files", {"purpose": "user_data"}, "file", body_with(canary, "deleted file"))
    request = urllib.request.Request(f"{service.url}/v1/files/{made['id']}", method="DELETE",
                                     headers={"Authorization": "Bearer " + service.key})
    assert json.loads(urllib.request.urlopen(request, timeout=60).read())["deleted"]
    kind, data = form({"purpose": canary("purpose")}, "file", "notes.txt", body_with(canary, "refused file"))
    refused = urllib.request.Request(service.url + "/v1/files", data, {"Authorization": "Bearer " + service.key, "Content-Type": kind})
    try:
        urllib.request.urlopen(refused, timeout=60)
        raise AssertionError("it was not refused")
    except urllib.error.HTTPError as error:
        assert error.code == 400, error.read()
    parts = [body_with(canary, "first part"), body_with(canary, "second part")]
    status, _, begun = service.request("/v1/uploads", {"purpose": "user_data", "filename": "u", "mime_type": "text/plain",
                                                       "bytes": sum(map(len, parts))})
    assert status == 200, begun
    ids = [upload(service, f"/v1/uploads/{begun['id']}/parts", {}, "data", part)["id"] for part in parts]
    status, _, done = service.request(f"/v1/uploads/{begun['id']}/complete", {"part_ids": ids})
    assert status == 200, done
    kept[done["file"]["id"]] = b"".join(parts)
    status, _, begun = service.request("/v1/uploads", {"purpose": "user_data", "filename": "u", "mime_type": "text/plain", "bytes": 5})
    upload(service, f"/v1/uploads/{begun['id']}/parts", {}, "data", body_with(canary, "cancelled part"))
    status, _, ended = service.request(f"/v1/uploads/{begun['id']}/cancel", {})
    assert status == 200 and ended["status"] == "cancelled", ended
    with upload(service, "/v1/files", {"purpose": "user_data"}, "file", body_with(canary, "cut file"), 1 << 20):
        pass
    return kept


def bodies(home):
    """Whatever lies in the folder of content."""
    return sorted(name for _, _, names in os.walk(home.path + "/content") for name in names)


def nowhere(canary, *folders):
    found = search(canary.all(), *folders, since=canary.since)
    assert not found, [(path, next((what for what, word in canary.words.items() if word == text), "an answer: " + text))
                       for path, text in found]


@contextlib.contextmanager
def place(prefix):
    """A home with models, and a folder for everything else that is written."""
    with Home(plinth) as home, tempfile.TemporaryDirectory(prefix=prefix) as beside:
        home.add("minilm", MODELS + "/minilm")
        os.mkdir(os.path.join(beside, "tmp"))
        # Where a core would land, were there one.
        before = os.getcwd()
        os.chdir(beside)
        try:
            yield home, beside
        finally:
            os.chdir(before)


@test
def the_search_finds_every_form():
    word = "kanarie" + secrets.token_hex(9)
    texts = [word, json.dumps({"a": f'"{word}"'}), "x" + word.encode().hex(), "".join(f"%{byte:02X}" for byte in word.encode())]
    blobs = [text.encode() for text in texts] + [word.encode("utf-16-le")]
    blobs += [base64.b64encode(b"." * before + word.encode() + b"!") for before in range(6)]
    blobs += [base64.urlsafe_b64encode(json.dumps({"messages": [{"content": f"Say {word}."}]}).encode())]
    with tempfile.TemporaryDirectory() as folder:
        for number, blob in enumerate(blobs):
            with open(os.path.join(folder, str(number)), "wb") as file:
                file.write(b"before " + blob + b" after")
        found = {path for path, _ in search([word], folder)}
        assert len(found) == len(blobs), [b for n, b in enumerate(blobs) if os.path.join(folder, str(n)) not in found]
        assert not search(["kanarie" + secrets.token_hex(9)], folder)
    assert all(len(form) >= 20 for form in forms(word)), "a form that short may be anywhere"


@test
def nothing_is_left_of_a_service_that_ended():
    with place("canary-") as (home, beside):
        canary = Canary()
        with LoudService(home, beside) as service:
            everything(service, canary)
            # While it runs, too: what is deleted at the end was there.
            nowhere(canary, home.path, beside)
        nowhere(canary, home.path, beside)
        assert os.path.getsize(os.path.join(beside, "stderr.log")) > 0, "it logged nothing: the level is not what it was"


@test
def nothing_is_left_of_a_service_that_was_killed():
    with place("canary-") as (home, beside):
        canary = Canary()
        with LoudService(home, beside) as service:
            everything(service, canary)
            service.kill(signal.SIGABRT)
        time.sleep(0.2)
        nowhere(canary, home.path, beside)


@test
def files_lie_sealed_and_nothing_of_them_is_in_plain():
    with place("canary-") as (home, beside):
        canary = Canary()
        with LoudService(home, beside, "--no-default") as service:
            kept = kept_files(service, canary)
            nowhere(canary, home.path, beside)
            # What was deleted, cancelled or cut short is not there at all.
            eventually(lambda: bodies(home) == sorted(kept), what="nothing but the files")
        nowhere(canary, home.path, beside)
        with LoudService(home, beside, "--no-default") as service:
            assert all(content(service, file) == body for file, body in kept.items())
            subprocess.run([plinth, "--home", home.path, "admin", "backup", beside + "/backup"], check=True, timeout=120)
            nowhere(canary, home.path, beside)


def ask(service, path, body=None, method=None):
    """A call with the default project's key that must succeed."""
    request = urllib.request.Request(service.url + path, None if body is None else json.dumps(body).encode(),
                                     {"Authorization": "Bearer " + service.key, "Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read())


def begin_job(service, canary, epochs):
    lines = "".join(json.dumps({"messages": [{"role": "user", "content": f"What is {i}?"},
                                             {"role": "assistant", "content": f"{canary('what is learnt')} {i}"}]}) + "\n"
                    for i in range(8))
    file = upload(service, "/v1/files", {"purpose": "fine-tune"}, "file", lines.encode())["id"]
    return ask(service, "/v1/fine_tuning/jobs", {"model": "smollm2", "training_file": file, "method": {
        "type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs, "batch_size": 8, "lora_rank": 4}}}})["id"]


def job_is(service, job, status):
    now = ask(service, "/v1/fine_tuning/jobs/" + job)
    assert now["status"] in (status, "validating_files", "queued", "running", "paused"), now
    return now["status"] == status and now


def kept_of_jobs(home):
    """Names and bytes of what jobs have on the disk, below their folders."""
    found = {}
    for path, _, names in os.walk(home.path + "/tuning"):
        for name in names:
            try:
                with open(os.path.join(path, name), "rb") as file:
                    found[os.path.relpath(os.path.join(path, name), home.path + "/tuning")] = file.read()
            except FileNotFoundError:  # it went meanwhile
                pass
    return found


def nothing_of_a_job_is_plain(home):
    """What every file of weights, of a run or of results says of itself in plain."""
    for name, content in kept_of_jobs(home).items():
        for word in (b"lora_", b"_moment", b"batch_size", b"train_loss", b"dtype"):
            assert word not in content or "/adapter_config.json" in name, (name, word)


def runs_of_weights(folder):
    """Bytes of each tensor of an exported adapter that lie nowhere by chance."""
    with open(folder + "/adapter_model.safetensors", "rb") as file:
        raw = file.read()
    size = int.from_bytes(raw[:8], "little")
    runs = []
    for name, tensor in json.loads(raw[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = (8 + size + at for at in tensor["data_offsets"])
            run = raw[(begin + end) // 2:][:32]
            if len(set(run)) > 16:
                runs.append(run)
    assert len(runs) > 50, len(runs)
    return runs


def holds_weights(runs, *folders):
    pattern = re.compile(b"|".join(map(re.escape, runs)), re.DOTALL)
    found = []
    for folder in folders:
        for path, _, names in os.walk(folder):
            for name in names:
                file = os.path.join(path, name)
                if os.path.isfile(file) and not os.path.islink(file):
                    with open(file, "rb") as content:
                        if pattern.search(content.read()):
                            found.append(file)
    return found


@test
def what_a_job_learns_lies_sealed_while_it_runs_and_afterwards():
    with place("canary-") as (home, beside):
        canary = Canary()
        with LoudService(home, beside) as service:
            job = begin_job(service, canary, 3)
            eventually(lambda: any(name.endswith("/adapter_model.safetensors") for name in kept_of_jobs(home)), 120, "an epoch's adapter")
            nothing_of_a_job_is_plain(home)
            ask(service, f"/v1/fine_tuning/jobs/{job}/pause", {})
            eventually(lambda: any(name.endswith("/DONE") for name in kept_of_jobs(home)), 60, "a checkpoint")
            nothing_of_a_job_is_plain(home)
            assert any(name.endswith("/state.safetensors") for name in kept_of_jobs(home))
            nowhere(canary, home.path, beside)
            ask(service, f"/v1/fine_tuning/jobs/{job}/resume", {})
            model = eventually(lambda: job_is(service, job, "succeeded"), 120, "the end of the job")["fine_tuned_model"]
            assert service.chat(model=model)[0] == 200
            points = [point["fine_tuned_model_checkpoint"] for point in ask(service, f"/v1/fine_tuning/jobs/{job}/checkpoints")["data"]]
            assert model in points and len(points) == 3, points
            eventually(lambda: not any("ftjob-" in name for name in kept_of_jobs(home)), what="the job's folder is gone")
            for number, name in enumerate(points):
                folder = f"{beside}/export{number}"
                subprocess.run([plinth, "--home", home.path, "model", "export", name, folder], check=True, timeout=120,
                               stdout=subprocess.DEVNULL)
                runs = runs_of_weights(folder)
                assert holds_weights(runs, folder), "they are not found where they are"
                assert not holds_weights(runs, home.path, beside + "/tmp"), name
            run(home, "model", "verify", model)
            text = f"{beside}/text.jsonl"
            with open(text, "w", encoding="utf-8") as file:
                file.write(json.dumps({"text": "A text of a few words."}) + "\n")
            loss = {name: json.loads(run(home, "eval", "--model", name, "--data", text, "--json"))["loss"] for name in (model, "smollm2")}
            assert loss[model] != loss["smollm2"], loss
            run(home, "admin", "backup", beside + "/backup", "--keys", beside + "/keys", "--secrets", beside + "/secrets")
            assert not holds_weights(runs, beside + "/backup")
            nowhere(canary, home.path, beside)
            said = service.chat(model=model)[2]["choices"][0]["message"]["content"]
        restored_models_are_callable(beside, points, model, said)


def run(home, *arguments):
    return subprocess.run([plinth, "--home", home.path, *arguments], check=True, timeout=120, stdout=subprocess.PIPE, text=True).stdout


def restored_models_are_callable(beside, names, model, said):
    with Home(plinth, names=()) as other:
        run(other, "admin", "restore", beside + "/backup", "--keys", beside + "/keys", "--secrets", beside + "/secrets")
        other.add("smollm2", GGUF)
        with LoudService(other, beside) as service:
            for name in names:
                status, _, answer = service.chat(model=name)
                assert status == 200, (name, answer)
                assert name != model or answer["choices"][0]["message"]["content"] == said, answer


def sealed_weights(home):
    """Of each tuned model's file, which key it is under: its first bytes."""
    found = {}
    for path, _, names in os.walk(home.path + "/content"):
        for name in names:
            if name.startswith("adapter-") and "." not in name:
                with open(os.path.join(path, name), "rb") as file:
                    found[name] = file.read(24)
    return found


def answers_while_it_is_sealed_anew(service, model):
    before = sealed_weights(service.home)
    assert before
    status, _, answer = service.request("/v1/organization/vault/rotate", {"key": "data"}, key=service.ready["admin_key"])
    assert status == 200, answer
    deadline = time.monotonic() + 100
    while any(sealed_weights(service.home).get(name) == head for name, head in before.items()):
        assert time.monotonic() < deadline, "the keeper never came"
        status, _, answer = service.chat(model=model)
        assert status == 200, answer
    # What has it loaded goes on, and a new worker loads it with the new key.
    assert service.chat(model=model)[0] == 200
    for worker in service.workers():
        os.kill(worker, signal.SIGKILL)
    eventually(lambda: service.chat(model=model)[0] == 200, 60, what="a new worker")


@test
def a_project_that_is_shredded_has_no_models_any_more():
    with place("canary-") as (home, beside):
        canary = Canary()
        with LoudService(home, beside) as service:
            admin = service.ready["admin_key"]
            first = begin_job(service, canary, 1)
            model = eventually(lambda: job_is(service, first, "succeeded"), 120, "the end of the job")["fine_tuned_model"]
            assert service.chat(model=model)[0] == 200
            answers_while_it_is_sealed_anew(service, model)
            running = begin_job(service, canary, 50)
            eventually(lambda: any(name.startswith(running + "/epochs/") for name in kept_of_jobs(home)), 120, "a job that has learnt")
            status, _, answer = service.request("/v1/organization/shred", {"confirm": "default"}, key=admin)
            assert status == 200, answer
            # The worker has it loaded.
            status, _, answer = service.chat(model=model)
            assert 400 <= status < 600 and "were destroyed" in json.dumps(answer), (status, answer)
            assert service.chat()[0] == 200
            failed = eventually(lambda: (now := ask(service, "/v1/fine_tuning/jobs/" + running))["status"] == "failed" and now,
                                60, "the end of the running job")
            assert failed["error"]["code"] == "content_not_readable", failed
            eventually(lambda: not any("ftjob-" in name for name in kept_of_jobs(home)), what="the jobs' folders are gone")


@test
def an_upload_that_a_kill_cut_off_is_gone_after_the_next_start():
    with place("canary-") as (home, beside):
        canary = Canary()
        with LoudService(home, beside, "--no-default") as service:
            kept = kept_files(service, canary)
            with upload(service, "/v1/files", {"purpose": "user_data"}, "file", body_with(canary, "killed file"), 2 << 20):
                eventually(lambda: any(name.endswith(".partial") for name in bodies(home)), what="an upload on its way")
                service.kill(signal.SIGKILL)
        nowhere(canary, home.path, beside)
        assert any(name.endswith(".partial") for name in bodies(home)), "the kill came too late"
        with LoudService(home, beside, "--no-default") as service:
            eventually(lambda: bodies(home) == sorted(kept), what="the sweep of the next start")
            status, _, listed = service.request("/v1/files")
            assert status == 200 and {file["id"] for file in listed["data"]} == set(kept), listed
            assert all(content(service, file) == body for file, body in kept.items())
            nowhere(canary, home.path, beside)


def plain_items(canary):
    """Rows of a blocklist as versions wrote them that did not seal them."""
    return [("blocklist", "default", "old", "{}")] + [
        ("blocklist_item", "default/old", f"item{i}", json.dumps({"pattern": f"{canary('plain term')} {i}"})) for i in range(500)]


@test
def terms_that_lay_plain_are_sealed_at_the_next_start():
    with place("canary-") as (home, beside):
        canary = Canary()
        with LoudService(home, beside, "--no-default"):
            pass
        with contextlib.closing(sqlite3.connect(home.path + "/plinth.db")) as database:
            database.executemany("insert into document (kind, scope, name, body, created_s, updated_s) values (?,?,?,?,1,1)",
                                 plain_items(canary))
            database.commit()
        assert search(canary.all(), home.path), "the term is not found where it is"
        with LoudService(home, beside, "--no-default") as service:
            status, _, answer = service.request("/v1/organization/projects/default/blocklists/old/items",
                                                key=service.ready["admin_key"])
            assert status == 200 and canary("plain term") in json.dumps(answer), answer
            nowhere(canary, home.path, beside)
            # Nor in a backup of it.
            subprocess.run([plinth, "--home", home.path, "admin", "backup", beside + "/backup"], check=True, timeout=120)
            nowhere(canary, home.path, beside)
        nowhere(canary, home.path, beside)


@test
def nothing_is_left_in_postgresql():
    if not postgresql:
        print("SKIPPED: PLINTH_TEST_POSTGRESQL names none", file=sys.stderr)
        return
    canary = Canary()
    name = f"canary_{os.getpid()}"
    where = postgresql.replace("/postgres?", f"/{name}?")
    query = lambda statement: subprocess.run(["psql", postgresql, "-qAtc", statement], check=True, timeout=60,  # noqa: E731
                                             capture_output=True, text=True).stdout.strip()
    query(f"create database {name}")
    try:
        with place("canary-") as (home, beside):
            with LoudService(home, beside, "--store-database", where) as service:
                everything(service, canary)
            query("checkpoint")
            folder = query("show data_directory")
            nowhere(canary, home.path, beside, folder)
            # That it was looked for in the right place.
            assert search([subprocess.run(["psql", where, "-qAtc", "select id from api_key limit 1"], check=True, timeout=60,
                                          capture_output=True, text=True).stdout.strip()], folder)
    finally:
        query(f"drop database if exists {name} with (force)")


def main():
    passed = failed = 0
    with open(result, "w", encoding="utf-8") as tap:
        for function in tests:
            if not wanted.search(function.__name__):
                continue
            try:
                function()
                verdict, passed = "ok", passed + 1
            except Exception:
                traceback.print_exc()
                verdict, failed = "not ok", failed + 1
            tap.write(f"{verdict} canary.{function.__name__}\n")
    print(f"canary: {passed} passed, {failed} failed")
    return 1 if failed else 0


assert os.path.exists(GGUF)
sys.exit(main())
