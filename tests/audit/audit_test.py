"""The audit log proves itself, or names what is wrong: audit_test.py PLINTH RESULT.tap [FILTER]

Acts on a real service, which is killed in the midst of them; then everything that somebody who can write the database can
do to it. `plinth admin audit verify` and verify_audit.py, which know nothing of each other, must say the same."""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request

from service import Home, Service, share_secrets

plinth, result = sys.argv[1:3]
wanted = re.compile(sys.argv[3] if len(sys.argv) > 3 else "")
postgresql = os.environ.get("PLINTH_TEST_POSTGRESQL")
second_verifier = os.path.join(os.path.dirname(os.path.abspath(__file__)), "verify_audit.py")
tests = []


def test(function):
    tests.append(function)
    return function


class Admin:
    def __init__(self, service):
        self.service, self.key = service, service.ready["admin_key"]

    def __call__(self, path, body=None, expect=200):
        status, _, answer = self.service.request("/v1/organization" + path, body, key=self.key)
        assert status == expect, (path, status, answer)
        return answer


def service_of(home, *options):
    return Service(home, "--no-default", *options)


def run_json(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1) and done.stdout, (command, done)
    verdict = json.loads(done.stdout)
    assert verdict["ok"] == (done.returncode == 0), done
    return verdict


def export(path):
    file = os.path.join(path, "export.jsonl")
    if os.path.exists(file):
        os.remove(file)
    subprocess.run([plinth, "--home", path, "admin", "audit", "export", file], check=True, capture_output=True, timeout=120)
    assert os.stat(file).st_mode & 0o777 == 0o600
    return file


def verdicts(path):
    """What each verifier says, three ways."""
    file, folder = export(path), path + "/audit-checkpoints"
    return [run_json([plinth, "--home", path, "admin", "audit", "verify", "--json"]),
            run_json([plinth, "--home", path, "admin", "audit", "verify", "--json", "--export", file, "--checkpoints", folder]),
            run_json([sys.executable, second_verifier, file, "--json", "--checkpoints", folder])]


def expect_whole(path):
    found = verdicts(path)
    assert all(verdict["ok"] for verdict in found), found
    assert len({(v["records"], v["sealed"], v["head"]) for v in found}) == 1, found
    return found[0]


def expect_wrong(path, index, problem):
    found = verdicts(path)
    assert all((v.get("index"), v.get("problem")) == (index, problem) for v in found), (index, problem, found)


def records(path):
    with open(export(path), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return [line["record"] for line in lines if line["kind"] == "record"]


@contextlib.contextmanager
def database(path):
    with contextlib.closing(sqlite3.connect(path + "/plinth.db", timeout=20)) as connection:
        yield connection
        connection.commit()


def act(admin):
    """One act of each kind; the secrets that came back."""
    made = admin("/projects", {"name": "Größe \"1\" \U0001f600"})["id"]
    admin(f"/projects/{made}", {"name": "renamed"})
    key = admin(f"/projects/{made}/api_keys", {"name": "laptop", "models": ["smollm2"], "networks": ["127.0.0.0/8"]})
    again = admin(f"/projects/{made}/api_keys/{key['id']}/rotate", {"overlap_seconds": 60})
    robot = admin(f"/projects/{made}/service_accounts", {"name": "robot"})
    admin("/prices", {"input_per_million": 2.5, "cached_input_per_million": "1.25", "output_per_million": "10"})
    admin("/spend_limits", {"amount": 12.5, "period": "month"})
    admin(f"/projects/{made}/spend_limit", {"currency": "USD", "interval": "month", "threshold_amount": 5})
    administrator = admin("/admin_api_keys", {"name": "second"})
    token = admin("/invites", {"email": "ada@example.com", "role": "reader"})["token"]
    admin("/invites/accept", {"token": token, "name": "Ada"})
    admin(f"/projects/{made}/archive", {})
    return made, [key["value"], again["value"], robot["api_key"]["value"], administrator["value"], token]


KINDS = ["api_key.created", "api_key.created", "project.created", "project.updated", "api_key.created", "api_key.updated",
         "service_account.created", "price.created", "spend_limit.updated", "spend_limit.updated", "api_key.created",
         "invite.sent", "invite.accepted", "project.archived"]


@test
def every_act_is_on_record_and_no_secret_is():
    with Home(plinth, ()) as home:
        with service_of(home) as service:
            admin = Admin(service)
            project, secrets = act(admin)
            # Durable before it was answered.
            service.kill()
            told = records(home.path)
            assert [record["type"] for record in told] == KINDS, [record["type"] for record in told]
            assert told[2]["actor"]["id"] == admin.key[10:22] and told[2]["actor"]["ip"] == "127.0.0.1", told[2]
            assert {record["project"]["id"] for record in told[3:7]} == {project}
            assert project in told[6]["resources"], told[6]
            assert told[8]["details"]["changes_requested"] == {"amount": "12.5", "period": "month"}, told[8]
        with open(export(home.path), encoding="utf-8") as file:
            text = file.read()
        secrets += [service.ready["api_key"], service.ready["admin_key"]]
        assert not [secret for secret in secrets if secret in text or secret[-20:] in text]
        whole = expect_whole(home.path)
        assert (whole["records"], whole["sealed"]) == (14, 0), whole
        # Nothing was sealed before the kill; the next start goes on, and its end seals.
        with service_of(home) as service:
            Admin(service)("/projects", {"name": "later"})
            assert service.kill(signal.SIGTERM) == 0
        whole = expect_whole(home.path)
        assert (whole["records"], whole["sealed"]) == (15, 15), whole


@test
def kills_leave_every_act_with_its_record():
    with Home(plinth, ()) as home:
        told = set()
        for _ in range(3):
            with service_of(home) as service:
                admin, stop = Admin(service), threading.Event()

                def client():
                    while not stop.is_set():
                        with contextlib.suppress(OSError, AssertionError, ValueError, http.client.HTTPException):
                            told.add(admin("/projects", {"name": "x"})["id"])

                threads = [threading.Thread(target=client) for _ in range(4)]
                for thread in threads:
                    thread.start()
                time.sleep(1.0)
                service.kill()
                stop.set()
                for thread in threads:
                    thread.join(60)
        with database(home.path) as rows:
            there = {row[0] for row in rows.execute("select id from project where id <> 'default'")}
        on_record = [record["details"]["id"] for record in records(home.path) if record["type"] == "project.created"]
        assert len(told) > 20, len(told)
        assert told <= there and there == set(on_record) and len(on_record) == len(there), (len(told), len(there))
        expect_whole(home.path)


@test
def refusals_are_counted():
    with Home(plinth, ()) as home:
        with service_of(home) as service:
            for _ in range(200):
                assert service.request("/v1/models", key="sk-nobody")[0] == 401
            for _ in range(3):
                assert service.request("/v1/organization/projects", {"name": "x"})[0] == 403
            assert service.kill(signal.SIGTERM) == 0
        refused = {record["type"]: record for record in records(home.path)[2:]}
        assert set(refused) == {"api_key.rejected", "permission.denied"}, refused
        assert refused["api_key.rejected"]["details"]["count"] == 200, refused
        denied = refused["permission.denied"]
        assert denied["details"]["count"] == 3 and denied["actor"]["id"] == service.ready["api_key"][10:22], denied
        assert denied["details"]["endpoints"] == ["/v1/organization/projects"], denied


def sharing(one, two):
    """A second gateway, once the first one has made its secrets."""
    share_secrets(one, two)
    return service_of(two)


@test
def gateways_that_share_a_database_keep_one_chain():
    if not postgresql:
        return print("# SKIPPED: PLINTH_TEST_POSTGRESQL names no PostgreSQL")
    name = f"plinth_audit_{os.getpid()}"
    where = postgresql.replace("/postgres?", f"/{name}?")
    subprocess.run(["psql", postgresql, "-qc", f"create database {name}"], check=True, timeout=60)
    try:
        with Home(plinth, ()) as one, Home(plinth, ()) as two:
            for home in (one, two):
                with open(home.path + "/plinth.toml", "w", encoding="utf-8") as file:
                    file.write(f'[store]\ndatabase = "{where}"\n')
            with service_of(one) as first, sharing(one, two) as second:
                def client(service):
                    admin = Admin(service)
                    for _ in range(15):
                        admin("/projects", {"name": "x"})

                threads = [threading.Thread(target=client, args=(service,)) for service in (first, second) for _ in range(2)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join(120)
                assert first.kill(signal.SIGTERM) == 0 and second.kill(signal.SIGTERM) == 0
            assert [record["index"] for record in records_of(one, two)] == list(range(62))
    finally:
        subprocess.run(["psql", postgresql, "-qc", f"drop database {name} with (force)"], check=True, timeout=60)


def records_of(one, two):
    """Each home has its own copies of the checkpoints, by one key."""
    folders = ["--checkpoints", one.path + "/audit-checkpoints", "--checkpoints", two.path + "/audit-checkpoints"]
    for home in (one, two):
        verdict = run_json([plinth, "--home", home.path, "admin", "audit", "verify", "--json", *folders])
        assert verdict["ok"] and verdict["sealed"] == 62, verdict
    file = one.path + "/both.jsonl"
    subprocess.run([plinth, "--home", one.path, "admin", "audit", "export", file, *folders], check=True, capture_output=True)
    assert run_json([sys.executable, second_verifier, file, "--json", *folders])["ok"]
    with open(file, encoding="utf-8") as lines:
        return [line["record"] for line in map(json.loads, lines) if line["kind"] == "record"]


TAMPERING = [
    ("flip a byte", 5, "changed", "update audit_record set record = replace(record, '127.0.0.1', '127.0.0.2') where idx = 5"),
    ("flip a hash", 7, "changed", "update audit_record set hash = replace(hash, substr(hash, 3, 1), 'z') where idx = 7"),
    ("change a column", 4, "changed", "update audit_record set actor = 'nobody' where idx = 4"),
    ("no JSON", 0, "changed", "update audit_record set record = substr(record, 2) where idx = 0"),
    ("not UTF-8", 3, "changed", "update audit_record set record = cast(x'7bff7d' as text) where idx = 3"),
    ("delete", 6, "deleted", "delete from audit_record where idx = 6"),
    ("delete the first", 0, "deleted", "delete from audit_record where idx = 0"),
    ("delete and close the gap", 6, "deleted",
     "delete from audit_record where idx = 6; update audit_record set idx = -idx where idx > 6; "
     "update audit_record set idx = -idx - 1 where idx < 0"),
    ("reorder", 2, "reordered",
     "update audit_record set idx = 99 where idx = 2; update audit_record set idx = 2 where idx = 8; "
     "update audit_record set idx = 8 where idx = 99"),
    ("truncate", 10, "truncated",
     "delete from audit_record where idx >= 10; delete from audit_checkpoint where size > 10"),
    ("truncate everything", 0, "truncated", "delete from audit_record; delete from audit_checkpoint"),
    ("change a checkpoint", 14, "checkpoint",
     "update audit_checkpoint set signature = upper(signature) where size = 14"),
]


def recover(home, *options, expect=0):
    """What `plinth admin recover` says."""
    command = [plinth, "--home", home.path, "admin", "recover", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == expect, done
    return done.stdout.strip() if expect == 0 else done.stderr


@test
def who_lost_every_key_comes_back_in_and_it_is_on_record():
    """The admin keys are deleted with the last of them; one comes from the running service, one from the home alone."""
    with Home(plinth, ()) as home:
        assert "no database yet" in recover(home, expect=1)
        with service_of(home) as service:
            admin = Admin(service)
            socket_file = home.path + "/run/admin.sock"
            assert os.stat(socket_file).st_mode & 0o777 == 0o600
            for key in admin("/admin_api_keys")["data"]:
                deletion = urllib.request.Request(f"{service.url}/v1/organization/admin_api_keys/{key['id']}",
                                                  headers={"Authorization": "Bearer " + admin.key}, method="DELETE")
                urllib.request.urlopen(deletion, timeout=20).close()
            admin("/projects", expect=401)
            admin.key = recover(home, "--name", "way back")
            listed = admin("/admin_api_keys")["data"]
            assert [(key["name"], key["expires_at"]) for key in listed] == [("way back", None)], listed
            short = json.loads(recover(home, "--hours", "2", "--json"))
            assert 7100 < short["expires_at"] - time.time() <= 7200, short
            assert "No such organization" in recover(home, "--organization", "elsewhere", expect=1)
            told = [entry for entry in admin("/audit_logs")["data"] if entry["type"] == "api_key.recovered"]
            assert [entry["actor"]["local_user"]["id"] for entry in told] == [f"uid:{os.getuid()}"] * 2, told
            # The lock keeps the command off a home whose service does not answer.
            os.remove(socket_file)
            assert "does not answer" in recover(home, expect=1)
            service.kill()
        alone = recover(home)
        on_record = [record for record in records(home.path) if record["type"] == "api_key.recovered"]
        assert len(on_record) == 3 and on_record[2]["details"]["id"] == alone[10:22], on_record
        assert on_record[2]["actor"]["id"] == f"uid:{os.getuid()}", on_record
        expect_whole(home.path)
        with open(export(home.path), encoding="utf-8") as file:
            text = file.read()
        assert not [key for key in (alone, admin.key, short["key"]) if key[-20:] in text]
        with service_of(home) as service:
            admin = Admin(service)
            admin.key = alone
            assert len(admin("/admin_api_keys")["data"]) == 3


@test
def both_verifiers_name_what_was_tampered_with():
    with Home(plinth, ()) as home:
        with service_of(home) as service:
            act(Admin(service))
            assert service.kill(signal.SIGTERM) == 0
        assert expect_whole(home.path)["sealed"] == 14
        for name, index, problem, statements in TAMPERING:
            with tempfile.TemporaryDirectory() as folder:
                copy = shutil.copytree(home.path, folder + "/home")
                with database(copy) as rows:
                    rows.executescript(statements)
                try:
                    expect_wrong(copy, index, problem)
                except AssertionError:
                    print("#", name)
                    raise


@test
def one_record_is_proven_without_the_others():
    with Home(plinth, ()) as home, tempfile.TemporaryDirectory() as folder:
        with service_of(home) as service:
            act(Admin(service))
            assert service.kill(signal.SIGTERM) == 0
        proof = subprocess.run([plinth, "--home", home.path, "admin", "audit", "prove", "7"], capture_output=True, text=True,
                               timeout=60, check=True).stdout
        check = [sys.executable, second_verifier, folder + "/proof", "--proof", "--checkpoints",
                 home.path + "/audit-checkpoints"]

        def exit_code(text):
            with open(folder + "/proof", "w", encoding="utf-8") as file:
                file.write(text)
            return subprocess.run(check, capture_output=True, timeout=60).returncode

        assert "2.5" in proof and exit_code(proof) == 0
        assert exit_code(proof.replace("2.5", "2.4")) == 1
        path = json.loads(proof)["path"]
        assert exit_code(proof.replace(path[1], path[0])) == 1
        assert exit_code(proof.replace('"size":14', '"size":15')) == 1
        assert exit_code("{}") == 2


@test
def a_truncated_log_is_never_sealed_again():
    with Home(plinth, ()) as home:
        with service_of(home) as service:
            act(Admin(service))
            assert service.kill(signal.SIGTERM) == 0
        with database(home.path) as rows:
            rows.executescript("delete from audit_record where idx >= 5; delete from audit_checkpoint")
        with service_of(home) as service:
            for number in range(9):
                Admin(service)("/projects", {"name": str(number)})
            service.process.send_signal(signal.SIGTERM)
            _, said = service.process.communicate(timeout=60)
        assert "not those that were sealed" in said, said
        expect_wrong(home.path, 0, "rewritten")


def main():
    lines = []
    for number, function in enumerate([t for t in tests if wanted.search(t.__name__)], 1):
        begun = time.monotonic()
        try:
            function()
            lines.append(f"ok {number} audit.{function.__name__}")
        except Exception:
            lines.append(f"not ok {number} audit.{function.__name__}")
            traceback.print_exc()
        print(f"{lines[-1]} ({time.monotonic() - begun:.1f} s)", flush=True)
    with open(result, "w", encoding="utf-8") as file:
        file.write("\n".join([f"1..{len(lines)}", *lines]) + "\n")
    sys.exit(any(line.startswith("not") for line in lines))


main()
