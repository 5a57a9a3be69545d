"""A real `plinth up` in a temporary home, for the tests of this folder."""
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

MODELS = os.environ["PLINTH_TEST_MODELS"]
GGUF = MODELS + "/SmolLM2-135M-Instruct.Q4_1.gguf"


def eventually(condition, limit_s=20, what="condition"):
    """The first true value of condition(), or an AssertionError after limit_s."""
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {limit_s} s"
        time.sleep(0.02)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class Home:
    """A data folder with models in it; removed at the end."""

    def __init__(self, plinth, names=("smollm2",), file=GGUF):
        self.plinth = plinth
        self.folder = tempfile.TemporaryDirectory(prefix="plinth-e2e-")
        self.path = self.folder.name
        for name in names:
            self.add(name, file)

    def add(self, name, file):
        subprocess.run([self.plinth, "--home", self.path, "model", "import", file, "--as", name],
                       check=True, timeout=120, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()


def share_secrets(one, two):
    """Gateways that share a database have the same ones, or the second does not start."""
    os.makedirs(two.path + "/secrets", exist_ok=True)
    for file in ("master_key", "pepper", "audit_key", "session_key", "credentials.toml"):
        shutil.copy(f"{one.path}/secrets/{file}", f"{two.path}/secrets/{file}")  # with its mode


class Service:
    """One gateway over a home; killed at the end if it is still there."""

    def __init__(self, home, *options, expect_ready=True):
        command = [home.plinth, "--home", home.path, "up", "--listen", "127.0.0.1:0", "--json", *options]
        self.home = home
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if expect_ready:
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            self.ready = json.loads(line)
            self.url, self.key = self.ready["url"], self.ready["api_key"]
            self.port = int(self.url.rsplit(":", 1)[1])

    def workers(self):
        """Process numbers of the live workers of this gateway."""
        found = []
        for folder in glob.glob("/proc/[0-9]*"):
            try:
                with open(folder + "/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                with open(folder + "/status", encoding="utf-8") as file:
                    parent = next(int(line.split()[1]) for line in file if line.startswith("PPid"))
            except (FileNotFoundError, ProcessLookupError, StopIteration):
                continue
            if parent == self.process.pid and b"worker" in words[1:2] and alive(folder[6:]):
                found.append(int(folder[6:]))
        return found

    def request(self, path, body=None, timeout=60, key=None):
        """(status, headers, parsed body); errors are no exceptions."""
        headers = {"Authorization": "Bearer " + (key or self.key), "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=timeout) as answer:
                raw, status, got = answer.read(), answer.status, answer.headers
        except urllib.error.HTTPError as error:
            raw, status, got = error.read(), error.code, error.headers
        try:
            return status, got, json.loads(raw)
        except ValueError:
            return status, got, raw.decode(errors="replace")

    def chat(self, model="smollm2", text="Name three colours.", **more):
        body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 8, "temperature": 0, **more}
        return self.request("/v1/chat/completions", body)

    def stream(self, model="smollm2", text="Tell me a very long story.", **more):
        """A socket on which a streamed chat has been asked for."""
        body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": text}], **more}).encode()
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        sock.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.key}\r\n"
                      f"Content-Type: application/json\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)
        return sock

    def metric(self, name, **labels):
        """The sum of a metric's samples that carry these labels."""
        total = 0.0
        for line in self.request("/metrics")[2].splitlines():
            if line.startswith(name) and all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=45)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def read_all(sock, limit_s=60):
    """What comes on a socket until it is closed; a reset counts as its end."""
    deadline = time.monotonic() + limit_s
    data = b""
    while time.monotonic() < deadline:
        try:
            piece = sock.recv(1 << 16)
        except ConnectionResetError:
            break
        if not piece:
            break
        data += piece
    return data.decode(errors="replace")
