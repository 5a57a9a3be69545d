"""Help, usage errors, settings, doctor, version, completion: all that needs no model."""
import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import harness
from harness import Home, Service, test

COMMANDS = ["up", "chat", "run", "model", "doctor", "settings", "bench", "version", "completion"]


@test
def help_names_every_command():
    with Home() as home:
        text = home.run("--help").stdout
        assert all(f"\n  {command} " in text for command in COMMANDS), text
        assert "Examples:" in text and "worker" not in text
        for command in COMMANDS:
            assert home.run(command, "--help").stdout.startswith("Plinth") is False
        assert "--listen" in home.run("up", "--help").stdout
        assert home.run(expect=2).stdout == text


@test
def usage_errors_are_2_and_hint():
    with Home() as home:
        for arguments, expected in [
            (["chta"], "did you mean chat?"),
            (["model", "pul"], "did you mean pull?"),
            (["up", "--lisen", "x"], "did you mean --listen?"),
            (["up", "--ctx", "many"], "expected an integer from 0 to 16777216 (tokens)"),
            (["up", "--log-level", "loud"], "one of debug, info, warn, error"),
            (["model", "pull"], "name is required"),
            (["model"], "plinth model --help"),
            (["completion", "csh"], "csh"),
            (["run", "--temperature", "9", "hi"], "temperature"),
            (["run"], "no prompt"),
        ]:
            done = home.run(*arguments, expect=2)
            assert expected in done.stderr and not done.stdout, (arguments, done.stderr)
            assert "--help" in done.stderr or arguments == ["run"], done.stderr


@test
def version_is_the_same_everywhere():
    with Home() as home:
        version = home.json("version")
        assert version["isa"] in ("scalar", "avx2", "avx512", "amx") and version["compiler"]
        assert version["version"] in home.run("version").stdout
        assert home.run("--version").stdout == f"plinth {version['version']}\n"


def settings_of(home, **options):
    return {entry["key"]: entry for entry in home.json("settings", **options)}


@test
def settings_say_where_they_come_from():
    with Home() as home:
        file = home.write("plinth.toml", "[engine]\nctx = 1024\nthreads = 1\n[models]\nload = ['a']\n")
        found = settings_of(home, environment={"PLINTH_ENGINE_THREADS": "2"})
        assert (found["engine.ctx"]["value"], found["engine.ctx"]["source"]) == (1024, file + ":2")
        assert (found["engine.threads"]["value"], found["engine.threads"]["source"]) == (2, "PLINTH_ENGINE_THREADS")
        assert found["models.load"]["value"] == ["a"]
        assert found["server.listen"]["source"] == "default"
        text = home.run("settings").stdout
        assert "[server]" in text and 'listen = "127.0.0.1:8080"' in text and "--kv-mib" in text


@test
def wrong_settings_name_file_line_and_key():
    with Home() as home:
        file = home.write("plinth.toml", "[engine]\nctxx = 1\nthreads = 'all'\n")
        for arguments in (["settings"], ["up"]):
            error = home.run(*arguments, expect=1).stderr
            assert f"{file}:2: engine.ctxx: no such setting; did you mean engine.ctx?" in error
            assert f"{file}:3: engine.threads: expected an integer" in error
        os.remove(file)
        error = home.run("settings", expect=1, environment={"PLINTH_LOG_LEVL": "info"}).stderr
        assert "PLINTH_LOG_LEVL" in error and "PLINTH_LOG_LEVEL" in error


@test
def listening_beyond_loopback_needs_its_name():
    with Home() as home:
        error = home.run("up", "--no-default", "--listen", "0.0.0.0:0", expect=1).stderr
        assert "--allow-plaintext" in error
        with Service(home, "--no-default", "--listen", "0.0.0.0:0", "--allow-plaintext") as service:
            try:
                urllib.request.urlopen(service.ready["url"] + "/v1/models", timeout=10)
                raise AssertionError("no key was asked for")
            except urllib.error.HTTPError as error:
                assert error.code == 401


@test
def flags_reach_the_service_from_file_and_command_line():
    with Home() as home:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            home.write("plinth.toml", f"[server]\nlisten = '127.0.0.1:{taken.getsockname()[1]}'\n")
            error = home.run("up", "--no-default", expect=1).stderr
            assert str(taken.getsockname()[1]) in error or "in use" in error, error
        with Service(home, "--no-default") as service:  # gives --listen itself
            assert json.load(urllib.request.urlopen(service.ready["url"] + "/healthz", timeout=10))


@test
def control_c_drains_the_service():
    with Home() as home:
        process = home.start("up", "--no-default", "--listen", "127.0.0.1:0", "--json")
        process.stdout.readline()
        assert os.path.exists(home.path + "/run/service.json")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
        assert process.returncode == 0 and "draining" in error
        assert not os.path.exists(home.path + "/run/service.json")


def verdicts(home, expect):
    report = home.json("doctor", expect=expect)
    assert report["healthy"] == (expect == 0)
    assert all(check["mend"] for check in report["checks"] if check["verdict"] != "ok")
    return {(check["area"], check["name"]): check for check in report["checks"]}


@test
def doctor_finds_what_is_wrong():
    with Home() as home:
        fresh = verdicts(home, 0)
        assert not os.path.exists(home.path), "doctor changed the home"
        assert fresh["network", "Hugging Face"]["verdict"] == "warn"
        with Service(home, "--no-default"):
            assert verdicts(home, 0)["service", "/readyz"]["verdict"] == "ok"
        assert verdicts(home, 0)["service", "state"]["detail"] == "not running"
        home.write("blobs/partial/left.part", "x" * 100)
        assert verdicts(home, 0)["models", "unfinished downloads"]["verdict"] == "warn"
        os.chmod(home.path + "/secrets/credentials.toml", 0o644)
        assert "credentials.toml" in verdicts(home, 1)["home", "secrets"]["mend"]
        os.chmod(home.path + "/secrets/credentials.toml", 0o600)
        with open(home.path + "/plinth.db", "r+b") as database:
            database.seek(4096)
            database.write(b"x" * 8192)
        assert verdicts(home, 1)["home", "database"]["verdict"] == "fail"
        text = home.run("doctor", expect=1).stdout
        assert "fail home     database" in text and "\n     -> " in text and "\033" not in text


@test
def completion_in_bash():
    with Home() as home:
        script = home.run("completion", "bash").stdout
        for line, expected in [("plinth mo", "model"), ("plinth model p", "pull"), ("plinth up --lis", "--listen"),
                               ("plinth --home x model sh", "show"), ("plinth bench s", "serve")]:
            words = line.split(" ")
            probe = (f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _plinth; "
                     'printf "%s\\n" "${COMPREPLY[@]}"')
            done = subprocess.run(["bash", "-c", script + probe], capture_output=True, text=True, timeout=20)
            assert done.stdout.split() == [expected], (line, done.stdout, done.stderr)
        assert "worker" not in script
        assert "#compdef plinth" in home.run("completion", "zsh").stdout
        assert "-l listen" in home.run("completion", "fish").stdout


@test
def a_closed_output_is_no_crash():
    with Home() as home:
        process = subprocess.run(["bash", "-c", f"{harness.plinth} --help | head -1"], env=home.environment,
                                 capture_output=True, text=True, timeout=20)
        assert process.stdout.startswith("Plinth") and not process.stderr


@test
def the_installer_explains_itself_elsewhere():
    with Home() as home:
        release = home.write("os-release", 'ID=fedora\nPRETTY_NAME="Fedora 41"\n')
        install = os.path.join(os.path.dirname(__file__), "../../tools/setup/install")
        done = subprocess.run([install, "run"], env=home.environment | {"OS_RELEASE": release}, capture_output=True,
                              text=True, timeout=20)
        assert done.returncode == 1 and "Fedora 41" in done.stderr and "libedit-dev" in done.stderr
        assert "PLINTH_SKIP_PACKAGES=1 ./run" in done.stderr
        assert subprocess.run([install, "sometimes"], capture_output=True, timeout=20).returncode == 2
