"""What the tests of the command line share: a home of their own, the program, a terminal."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import tempfile
import termios
import time

plinth = models = ""  # set by main
tests = []


def test(function):
    tests.append(function)
    return function


def wait_until(condition, what, seconds=30):
    """Polls; a condition that does not come is a failed test."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


class Home:
    """An empty home, and the program run in it with an environment of its own."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="plinth_cli_")
        self.path = self.folder.name + "/home"
        # Nothing listens on port 9: a pull that a test does not mean ends at once.
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.folder.name, "PLINTH_HOME": self.path,
                            "HF_ENDPOINT": "http://127.0.0.1:9", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def start(self, *arguments, environment=None, **options):
        options = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) | options
        return subprocess.Popen([plinth, *arguments], env=self.environment | (environment or {}), **options)

    def run(self, *arguments, expect=0, timeout=60, environment=None, **options):
        options = dict(capture_output=True, text=True) | options
        if "input" not in options:
            options["stdin"] = subprocess.DEVNULL
        done = subprocess.run([plinth, *arguments], env=self.environment | (environment or {}), timeout=timeout, **options)
        assert expect is None or done.returncode == expect, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *arguments, **options):
        return json.loads(self.run(*arguments, "--json", **options).stdout)

    def import_model(self):
        self.run("model", "import", models + "/SmolLM2-135M-Instruct.Q4_1.gguf", "--as", "smollm2")

    def tiny_model(self):
        """The path of a small one of random weights, which is not installed."""
        path = self.path + "/tiny.gguf"
        os.makedirs(self.path, exist_ok=True)
        self.run("bench", "generate", path, "--shape", "llama-tiny", "--type", "q8_0", "--head", "q8_0")
        return path

    def write(self, name, text):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path


class Service:
    """`plinth up` in a home, ready; SIGTERM at the end, which must drain cleanly."""

    def __init__(self, home, *arguments):
        self.process = home.start("up", "--listen", "127.0.0.1:0", "--json", *arguments, stderr=None)
        self.ready = json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=40)
        self.process.stdout.close()
        assert failure[0] or code == 0, code


class Terminal:
    """A program on a pseudo terminal."""

    def __init__(self, home, *arguments):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(plinth, [plinth, *arguments], home.environment | {"TERM": "xterm", "LC_ALL": "C.UTF-8"})
        self.seen = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def say(self, text):
        """Types at the prompt, once the editor reads: what is typed before is echoed twice."""
        self.expect("> ")
        wait_until(lambda: not termios.tcgetattr(self.fd)[3] & termios.ICANON, "the editor")
        self.type(text)

    def expect(self, pattern, seconds=30):
        """Everything up to and with the match, which is then forgotten."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen)):
            left = end - time.monotonic()
            assert left > 0, f"no {pattern!r} within {seconds} s in {self.seen!r}"
            if select.select([self.fd], [], [], left)[0]:
                try:
                    self.seen += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    raise AssertionError(f"ended without {pattern!r}: {self.seen!r}") from None
        text, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return text

    def exit_code(self, seconds=30):
        end = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, f"still runs: {self.seen!r}"
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    time.sleep(0.05)
