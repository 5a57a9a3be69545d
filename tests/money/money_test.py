"""Money beside the ledger on a real service: money_test.py PLINTH RESULT.tap [FILTER]

Invoices and exports of what requests cost; backups taken while requests run, restored into another home; a disk that is
full and a database that is away while requests are in flight."""
import contextlib
import csv
import decimal
import http.server
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request

from service import Home, Service, eventually, share_secrets

plinth, result = sys.argv[1:3]
wanted = re.compile(sys.argv[3] if len(sys.argv) > 3 else "")
postgresql = os.environ.get("PLINTH_TEST_POSTGRESQL")
tests = []
PRICE = {"input_per_million": "2500", "cached_input_per_million": "1250", "output_per_million": "10000"}
MONTH = time.strftime("%Y-%m", time.gmtime())


def test(function):
    tests.append(function)
    return function


def admin(home, *words, expect=0, settings=()):
    environment = {**os.environ, **dict(settings)}
    done = subprocess.run([plinth, "--home", home if isinstance(home, str) else home.path, "admin", *words],
                          capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == expect, (words, done.returncode, done.stdout, done.stderr)
    return done


def price(service):
    status, _, answer = service.request("/v1/organization/prices", PRICE, key=service.ready["admin_key"])
    assert status == 200, answer


@contextlib.contextmanager
def scratch_database():
    """The address of a PostgreSQL database that is gone afterwards."""
    name = f"plinth_money_{os.getpid()}_{time.monotonic_ns()}"
    where = postgresql.replace("/postgres?", f"/{name}?")
    subprocess.run(["psql", postgresql, "-qc", f"create database {name}"], check=True, timeout=60)
    try:
        yield where, name
    finally:
        subprocess.run(["psql", postgresql, "-qc", f"drop database if exists {name} with (force)"], timeout=60)


class Hook(http.server.BaseHTTPRequestHandler):
    """Keeps what it is told; the first time it is busy."""
    told = []

    def do_POST(self):
        Hook.told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(503 if len(Hook.told) == 1 else 204)
        self.end_headers()

    def log_message(self, *_):
        pass


@test
def an_alert_writes_a_letter_and_calls_a_webhook():
    hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    with Home(plinth) as home:
        with open(home.path + "/plinth.toml", "w", encoding="utf-8") as file:
            file.write(f'[alerts]\nwebhook = "http://127.0.0.1:{hook.server_port}/hook"\n')
        with Service(home) as service:
            price(service)
            small = admin(home, "alert", "create", "0.01", "--to", "ada@example.com", "--to", "bob@example.com").stdout.strip()
            admin(home, "alert", "create", "1000", "--to", "ada@example.com", "--organization")
            assert small in admin(home, "alert", "list").stdout
            assert service.chat()[0] == 200
            letter = eventually(lambda: next((entry.path for entry in os.scandir(home.path + "/spool/mail") if entry.name.endswith(".eml")), None)
                                if os.path.isdir(home.path + "/spool/mail") else None, 30, "a letter")
            with open(letter, encoding="utf-8") as file:
                text = file.read()
            assert os.stat(letter).st_mode & 0o777 == 0o600
            assert text.startswith("To: ada@example.com,\n bob@example.com\nSubject: ") and small in text, text
            eventually(lambda: Hook.told, 10, "the webhook's first call")
            first, = Hook.told
            assert first["type"] == "project.spend_alert.fired" and first["alert_id"] == small, first
            assert decimal.Decimal(first["spent"]) >= decimal.Decimal("0.01") == decimal.Decimal(first["threshold"]), first
            # It was busy, and is called again after a minute with the same notice; the letter is not written again.
            os.remove(letter)
            eventually(lambda: len(Hook.told) == 2, 90, "the webhook's second call")
            assert Hook.told[1] == first, Hook.told
            time.sleep(6)
            assert len(Hook.told) == 2 and not os.listdir(home.path + "/spool/mail"), Hook.told
            fired = [entry for entry in service.request("/v1/organization/audit_logs", key=service.ready["admin_key"])[2]["data"]
                     if entry["type"] == "spend_alert.fired"]
            assert len(fired) == 1 and fired[0]["actor"] is None, fired
            assert admin(home, "alert", "set", small, "2.50", "--to", "ada@example.com").stdout.strip().endswith("is at 2.5")
            admin(home, "alert", "remove", small)
            assert small not in admin(home, "alert", "list").stdout
            assert "whole cents" in admin(home, "alert", "create", "0.001", "--to", "ada@example.com", expect=1).stderr
    hook.shutdown()


@test
def models_and_certificates_by_command():
    authority = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fuzz/corpus/client_ca/authority")
    with Home(plinth) as home, Service(home) as service:
        assert "every model" in admin(home, "model-access", "show").stdout
        assert "all but these" in admin(home, "model-access", "deny", "smollm2").stdout
        assert service.chat()[0] == 403
        admin(home, "model-access", "allow", "smollm2", "other")
        assert service.chat()[0] == 200
        admin(home, "model-access", "allow")
        assert service.chat()[0] == 403
        admin(home, "model-access", "reset")
        assert service.chat()[0] == 200
        made = admin(home, "certificate", "add", authority, "--name", "office").stdout.strip()
        admin(home, "certificate", "activate", made)
        assert "true" in admin(home, "certificate", "list").stdout
        assert "false" in admin(home, "certificate", "list", "--organization").stdout
        assert "deactivate" in admin(home, "certificate", "remove", made, expect=1).stderr
        admin(home, "certificate", "deactivate", made)
        admin(home, "certificate", "remove", made)
        assert "PEM" in admin(home, "certificate", "add", __file__, expect=1).stderr


def ledger_of(home, where=None):
    columns = "id,input_tokens,cached_tokens,output_tokens,amount_pico"
    if where:
        text = subprocess.run(["psql", where, "-At", "-F", "\x1f", "-c", f"select {columns} from ledger"], check=True,
                              capture_output=True, text=True, timeout=60).stdout
        rows = [line.split("\x1f") for line in text.splitlines()]
    else:
        path = home if isinstance(home, str) else home.path
        with contextlib.closing(sqlite3.connect(f"file:{path}/plinth.db?mode=ro", uri=True, timeout=20)) as database:
            rows = database.execute(f"select {columns} from ledger").fetchall()
    return {row[0]: [int(value) for value in row[1:]] for row in rows}


class Callers:
    """Threads that ask until they are told to stop; what each answer told, by the request's id."""

    def __init__(self, service, count=3, **more):
        self.service, self.more = service, more
        self.told, self.failed, self.stop = {}, {}, threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        turn = 0
        while not self.stop.is_set():
            turn += 1
            status, headers, answer = self.service.chat(text=f"Caller {number}, turn {turn}.", **self.more)
            if status == 200:
                self.told[headers["x-request-id"]] = answer["usage"]
            else:
                self.failed[headers["x-request-id"]] = (status, answer)

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive()


def check_told(told, ledger):
    for request, usage in told.items():
        assert request in ledger, f"{request} was told {usage} and has no row"
        assert ledger[request][0] == usage["prompt_tokens"], (request, usage, ledger[request])
        assert ledger[request][2] == usage["completion_tokens"], (request, usage, ledger[request])


@test
def invoices_and_exports_are_the_ledger():
    with Home(plinth) as home, Service(home) as service, tempfile.TemporaryDirectory() as folder:
        price(service)
        for turn in range(4):
            assert service.chat(text=f"Turn {turn}")[0] == 200
        ledger = ledger_of(home)
        exact = decimal.Decimal(sum(row[3] for row in ledger.values())) / 10**12
        invoice = json.loads(admin(home, "invoice", "--month", MONTH, "--json").stdout)
        assert decimal.Decimal(invoice["exact"]) == exact and invoice["ledger_rows"] == 4, invoice
        assert decimal.Decimal(invoice["total"]) == sum(decimal.Decimal(line["amount"]) for line in invoice["lines"])
        assert {line["meter"] for line in invoice["lines"]} >= {"input", "output"}, invoice
        assert "TOTAL" in admin(home, "invoice", "--month", MONTH).stdout
        assert admin(home, "invoice", "--month", MONTH, "--csv").stdout.startswith("project_id,")

        admin(home, "export", "--month", MONTH, "--focus", folder + "/focus.csv", "--events", folder + "/events.jsonl")
        with open(folder + "/focus.csv", encoding="utf-8", newline="") as file:
            charges = list(csv.DictReader(file))
        assert len(charges[0]) == 57
        assert sum(decimal.Decimal(charge["BilledCost"]) for charge in charges) == decimal.Decimal(invoice["total"])
        with open(folder + "/events.jsonl", encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
        assert {event["id"] for event in events} == set(ledger)
        assert all(event["specversion"] == "1.0" and event["source"] and event["type"] == "plinth.usage.settle"
                   for event in events), events

        assert "DIFFERENCE" in admin(home, "rerate", "--from", MONTH + "-01", "--to", "2099-01-01").stdout
        refused = admin(home, "rerate", "--from", MONTH + "-01", "--to", "2099-01-01", "--apply", expect=1)
        assert "days that are over" in refused.stderr, refused.stderr
        admin(home, "cost", "set", "3.6", "--devices", "2")
        assert "never changed" in admin(home, "cost", "set", "4", expect=1).stderr
        margin = json.loads(admin(home, "report", "margin", "--month", MONTH, "--json").stdout)
        assert decimal.Decimal(margin["total"]["price"]) == exact and margin["total"]["requests"] == 4, margin
        equity = json.loads(admin(home, "report", "equity", "--month", MONTH, "--json").stdout)
        assert equity["jain_index_tokens"] == 1 and equity["service_classes"][0]["requests"] == 4, equity
        admin(home, "report", "equity", "--month", MONTH, "--html", folder + "/equity.html")
        with open(folder + "/equity.html", encoding="utf-8") as file:
            assert "<table>" in file.read()
        assert "is no month" in admin(home, "invoice", "--month", "2026-13", expect=1).stderr


@test
def units_cost_by_the_hour_also_while_nobody_runs():
    with Home(plinth) as home, tempfile.TemporaryDirectory() as folder:
        table, file = {"model": "smollm2", "unitTokensPerMinute": 6, "outputWeight": 3, "firstTokenMs": 500, "tokenUs": 50000}, \
            folder + "/table.json"
        with open(file, "w", encoding="utf-8") as out:
            json.dump(table, out)
        with Service(home) as service:
            admin(home, "price", "set", "--class", "provisioned", "--model", "smollm2", "--unit-hour", "1.5", "--input", "0", "--output", "0")
            assert "1.5" in admin(home, "price", "list").stdout
            admin(home, "throughput", "accept", file)
            admin(home, "deployment", "set", "chat", "--model", "smollm2", "--class", "ProvisionedManaged", "--capacity", "101", expect=1)
            admin(home, "throughput", "accept", file, "--replicas", "2")
            admin(home, "deployment", "set", "chat", "--model", "smollm2", "--class", "ProvisionedManaged", "--capacity", "101")
            assert service.chat(model="chat")[0] == 200
            deployment = "/v1/organization/projects/default/deployments/chat"
            eventually(lambda: service.request(deployment, key=service.ready["admin_key"])[2]["properties"]["utilisation"] > 0, 5,
                       "what is in use")
        # Fifty hours pass, of which the last is not over.
        with contextlib.closing(sqlite3.connect(home.path + "/plinth.db", timeout=20)) as database, database:
            now, = database.execute("select from_s from commitment_span").fetchone()
            database.execute("update commitment_span set from_s = from_s - 50 * 3600")
            database.execute("update price set effective_s = effective_s - 51 * 3600")
        charges = "select id, choices, amount_pico, time_ms from ledger where kind = 'commitment' order by time_ms"
        for _ in range(2):
            with Service(home) as service:
                def charged():
                    with contextlib.closing(sqlite3.connect(f"file:{home.path}/plinth.db?mode=ro", uri=True, timeout=20)) as database:
                        return database.execute(charges).fetchall()
                rows = eventually(charged, 30, "what the units cost")
                time.sleep(6)
                assert charged() == rows
                costs = service.request(f"/v1/organization/costs?start_time={now - 51 * 3600}&group_by[]=line_item",
                                        key=service.ready["admin_key"])[2]
        assert len({row[0] for row in rows}) == len(rows) in (50, 51), len(rows)
        held = sum(row[1] for row in rows)
        assert rows[0][1] == 101 * (3600 - (now % 3600)) and all(row[1] == 101 * 3600 for row in rows[1:]), rows
        assert all(row[2] == row[1] * 1_500_000_000_000 // 3600 or row[1] % 3600 for row in rows), rows
        lines = {result["line_item"] for bucket in costs["data"] for result in bucket["results"]}
        assert lines == {"smollm2", "smollm2, commitment"}, lines
        months = sorted({time.strftime("%Y-%m", time.gmtime(row[3] / 1000)) for row in rows})
        seen = decimal.Decimal(0)
        for month in months:
            invoice = json.loads(admin(home, "invoice", "--month", month, "--json").stdout)
            line, = (line for line in invoice["lines"] if line["meter"] == "commitment")
            held -= line["unit_seconds"]
            seen += decimal.Decimal(line["exact"])
            admin(home, "export", "--month", month, "--focus", folder + f"/{month}.csv")
            with open(folder + f"/{month}.csv", encoding="utf-8", newline="") as out:
                bought = [row for row in csv.DictReader(out) if row["ChargeCategory"] == "Purchase"]
            assert bought and all(row["CommitmentDiscountId"] == "default/chat" for row in bought), bought
            assert sum(decimal.Decimal(row["BilledCost"]) for row in bought) == decimal.Decimal(line["exact"]), (bought, line)
        assert held == 0 and seen == decimal.Decimal(sum(row[2] for row in rows)) / 10**12, (held, seen)


def backup_under_load(where):
    options = ["--store-database", where[0]] if where else []
    settings = {"PLINTH_STORE_DATABASE": where[0]}.items() if where else ()
    with Home(plinth) as home, tempfile.TemporaryDirectory() as folder:
        data, secrets, other = folder + "/data", folder + "/secrets", folder + "/home"
        with Service(home, *options) as service:
            price(service)
            callers = Callers(service)
            eventually(lambda: len(callers.told) > 5, 60, "answers")
            before = dict(callers.told)
            admin(home, "backup", data, "--secrets", secrets, settings=settings)
            callers.end()
            assert not callers.failed, callers.failed
            key = service.key
        again = admin(home, "backup", data, expect=1, settings=settings)
        assert "nothing is overwritten" in again.stderr, again.stderr
        with open(secrets + "/pepper", "rb") as file:
            hidden = [file.read().strip(), service.ready["api_key"].encode(), service.ready["admin_key"].encode()]
        for name in os.listdir(data):
            with open(f"{data}/{name}", "rb") as file:
                content = file.read()
            assert not any(secret in content for secret in hidden), f"{name} holds a key"
        assert not os.path.exists(data + "/pepper") and os.path.exists(secrets + "/pepper")

        with scratch_database() if where else contextlib.nullcontext() as target:
            to = ["--database", target[0]] if target else []
            at = {"PLINTH_STORE_DATABASE": target[0]}.items() if target else ()
            assert "smollm2" in admin(other, "restore", data, "--secrets", secrets, *to).stderr
            assert "nothing is overwritten" in admin(other, "restore", data, *to, expect=1).stderr or where
            admin(other, "verify", settings=at)
            ledger = ledger_of(other, target and target[0])
            check_told(before, ledger)
            # The old key works in the new home, and what it is asked for is charged there.
            home.path, kept = other, home.path
            home.add("smollm2", os.environ["PLINTH_TEST_MODELS"] + "/SmolLM2-135M-Instruct.Q4_1.gguf")
            with Service(home, *(["--store-database", target[0]] if target else [])) as service:
                service.key = key
                assert service.chat()[0] == 200
                assert len(ledger_of(other, target and target[0])) == len(ledger) + 1
            home.path = kept


@test
def a_backup_under_load_is_one_moment():
    backup_under_load(None)


@test
def a_backup_of_postgresql_under_load_is_one_moment():
    if not postgresql:
        print("# SKIPPED: PLINTH_TEST_POSTGRESQL names no PostgreSQL", flush=True)
        return
    with scratch_database() as where:
        backup_under_load(where)


def shredded_after_backup(where):
    """What an administrator destroyed after a backup stays so where it is restored with the tombstones, and only there."""
    options = ["--store-database", where] if where else []
    settings = {"PLINTH_STORE_DATABASE": where}.items() if where else ()
    with Home(plinth, ()) as home, tempfile.TemporaryDirectory() as folder:
        parts = [folder + "/data", "--keys", folder + "/keys", "--secrets", folder + "/secrets"]
        items = "/v1/organization/projects/default/blocklists/words/items"
        with Service(home, "--no-default", *options) as service:
            root = service.ready["admin_key"]
            assert service.request(items[:-6], {}, key=root)[0] == 200
            assert service.request(items + "/one", {"properties": {"pattern": "bluebird"}}, key=root)[0] == 200
            admin(home, "backup", *parts, settings=settings)
            assert "confirm" in admin(home, "vault", "shred", "--confirm", "another", expect=1, settings=settings).stderr
            assert "2 keys are gone" in admin(home, "vault", "shred", "--confirm", "default", settings=settings).stdout
            assert "bluebird" not in json.dumps(service.request(items, key=root)[2])
        tombstones = home.path + "/audit-checkpoints/shredded.jsonl"
        for name, more, readable in (("without", [], True), ("with", ["--tombstones", tombstones], False)):
            with scratch_database() if where else contextlib.nullcontext() as target:
                to = ["--database", target[0]] if target else []
                other = f"{folder}/{name}"
                told = admin(other, "restore", *parts, *more, *to).stderr
                assert ("WARNING" in told) == readable and f"{0 if readable else 2} keys that were shredded" in told, told
                kept, home.path = home.path, other
                with Service(home, "--no-default", *(["--store-database", target[0]] if target else [])) as service:
                    status, _, answer = service.request(items, key=root)
                    assert status == 200 and ("bluebird" in json.dumps(answer)) == readable, (name, answer)
                    entries = service.request("/v1/organization/audit_logs", key=root)[2]["data"]
                    again = [entry for entry in entries if entry["type"] == "vault.shredded_again"]
                    assert len(again) == (0 if readable else 1), entries
                home.path = kept


@test
def what_was_shredded_stays_shredded():
    shredded_after_backup(None)


@test
def what_was_shredded_stays_shredded_in_postgresql():
    if not postgresql:
        print("# SKIPPED: PLINTH_TEST_POSTGRESQL names no PostgreSQL", flush=True)
        return
    with scratch_database() as (where, _):
        shredded_after_backup(where)


@test
def a_second_gateway_with_other_secrets_does_not_start():
    if not postgresql:
        print("# SKIPPED: PLINTH_TEST_POSTGRESQL names no PostgreSQL", flush=True)
        return
    with scratch_database() as (where, _), Home(plinth, ()) as one, Home(plinth, ()) as two:
        with Service(one, "--no-default", "--store-database", where):
            up = [plinth, "--home", two.path, "up", "--no-default", "--listen", "127.0.0.1:0", "--store-database", where]
            refused = subprocess.run(up, capture_output=True, text=True, timeout=60)
            assert refused.returncode == 1 and "audit_key, pepper, session_key differ" in refused.stderr, refused.stderr
            share_secrets(one, two)
            with Service(two, "--no-default", "--store-database", where) as second:
                assert second.request("/v1/organization/projects", key=second.ready["admin_key"])[0] == 200


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, timeout=60, capture_output=True)


def tls_files(folder):
    """An authority that is nobody's yet, certificates that it signed, and one of another authority."""
    config = "[server]\nsubjectAltName=IP:127.0.0.1\n[client]\nextendedKeyUsage=clientAuth\n"
    with open(folder + "/ext", "w", encoding="utf-8") as file:
        file.write(config)
    for ca in ("ca", "other"):
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                f"/CN={ca}", "-keyout", ca + ".key", "-out", ca + ".pem", "-addext", "keyUsage=critical,keyCertSign")
    for name, ca, kind in (("server", "ca", "server"), ("client", "ca", "client"), ("stranger", "other", "client")):
        openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout",
                name + ".key", "-out", name + ".csr")
        openssl(folder, "x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial", "-days",
                "2", "-extfile", "ext", "-extensions", kind, "-out", name + ".pem")
        os.chmod(f"{folder}/{name}.key", 0o600)


def ask_tls(service, folder, name, path="/v1/models", key=None):
    """(status, answer) of one request, with a client's certificate; (0, "") where TLS refuses."""
    context = ssl.create_default_context(cafile=folder + "/ca.pem")
    if name:
        context.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")
    request = urllib.request.Request(service.url + path, headers={"Authorization": "Bearer " + (key or service.key)})
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (urllib.error.URLError, OSError):
        return 0, ""


@test
def clients_present_certificates():
    with Home(plinth, ()) as home, tempfile.TemporaryDirectory() as folder:
        tls_files(folder)
        settings = {"PLINTH_SERVER_TLS_CERTIFICATE": folder + "/server.pem", "PLINTH_SERVER_TLS_KEY": folder + "/server.key",
                    "PLINTH_SERVER_TLS_CLIENT_CERTIFICATES": "optional", "PLINTH_CA_FILE": folder + "/ca.pem"}
        os.environ.update(settings)
        try:
            with Service(home, "--no-default") as service:
                assert ask_tls(service, folder, None)[0] == 200, "no authority is active"
                made = admin(home, "certificate", "add", folder + "/ca.pem", "--name", "office").stdout.strip()
                admin(home, "certificate", "activate", made)
                for name, status, word in ((None, 401, "none was presented"), ("stranger", 401, "not accepted"), ("client", 200, "")):
                    got = ask_tls(service, folder, name)
                    assert got[0] == status and word in got[1], (name, got)
                assert ask_tls(service, folder, None, "/healthz")[0] == 200
                shutil.copy(folder + "/server.pem", folder + "/again.pem")
                os.replace(folder + "/again.pem", folder + "/server.pem")
                service.process.send_signal(signal.SIGHUP)
                time.sleep(1)
                assert ask_tls(service, folder, None)[0] == 401 and ask_tls(service, folder, "client")[0] == 200
            os.environ["PLINTH_SERVER_TLS_CLIENT_CERTIFICATES"] = "required"
            with Service(home, "--no-default") as service:
                assert ask_tls(service, folder, None, "/healthz")[0] == 0, "no handshake without one"
                assert ask_tls(service, folder, "client")[0] == 200
                assert ask_tls(service, folder, "stranger")[0] == 401
                root = ask_tls(service, folder, "client", "/v1/organization/projects", service.ready["admin_key"])
                assert root[0] == 401 and "no authority" in root[1], root
            os.environ["PLINTH_SERVER_TLS_CLIENT_CERTIFICATES"] = "optional"
            with Service(home, "--no-default") as service:
                admin(home, "certificate", "activate", "--organization", made)
                assert "certificate is required" in admin(home, "project", "list", expect=1).stderr
                mine = {"PLINTH_CLIENT_CERTIFICATE": folder + "/client.pem", "PLINTH_CLIENT_KEY": folder + "/client.key"}
                assert "default" in admin(home, "project", "list", settings=mine.items()).stdout
        finally:
            for name in settings:
                os.environ.pop(name, None)


@test
def a_damaged_backup_is_refused():
    with Home(plinth) as home, tempfile.TemporaryDirectory() as folder:
        with Service(home, "--no-default"):
            admin(home, "backup", folder + "/data")
        with open(folder + "/data/database.sqlite", "r+b") as file:
            file.seek(5000)
            byte = file.read(1)
            file.seek(5000)
            file.write(bytes([byte[0] ^ 1]))
        assert "was changed" in admin(folder + "/home", "restore", folder + "/data", expect=1).stderr
        assert not os.path.exists(folder + "/home/plinth.db")
        assert "is no backup" in admin(folder + "/home", "restore", folder, expect=1).stderr


@test
def a_start_finds_what_is_damaged():
    with Home(plinth) as home:
        with Service(home) as service:
            price(service)
            assert service.chat()[0] == 200
        with contextlib.closing(sqlite3.connect(home.path + "/plinth.db")) as database:
            database.execute("update usage_hour set amount_pico = amount_pico + 1")
            database.commit()
        up = [plinth, "--home", home.path, "up", "--no-default", "--listen", "127.0.0.1:0"]
        refused = subprocess.run(up, capture_output=True, text=True, timeout=60)
        assert refused.returncode == 1 and "plinth admin verify --mend" in refused.stderr, refused.stderr
        assert "sums differ" in admin(home, "verify", expect=1).stderr
        admin(home, "verify", "--mend")
        with Service(home, "--no-default"):
            pass
        with open(home.path + "/plinth.db", "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 4096)
        refused = subprocess.run(up, capture_output=True, text=True, timeout=60)
        assert refused.returncode == 1 and "plinth admin restore" in refused.stderr, refused.stderr


@test
def a_full_disk_charges_nothing_that_was_not_told():
    with Home(plinth) as home, Service(home) as service:
        price(service)
        assert service.chat()[0] == 200
        callers = Callers(service, 2, max_tokens=4)
        eventually(lambda: len(callers.told) > 3, 60, "answers")
        limits = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
        # Any write beyond the first page fails, as on a full disk.
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (4096, limits[1]))
        eventually(lambda: len(callers.failed) >= 2, 60, "errors")
        assert service.request("/healthz")[0] == 200
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, limits)
        so_far = len(callers.told)
        eventually(lambda: len(callers.told) > so_far + 3, 60, "answers after the disk has space again")
        callers.end()
        assert all(status in (500, 503) and answer["error"]["message"] for status, answer in callers.failed.values()), callers.failed
        ledger = ledger_of(home)
        check_told(callers.told, ledger)
        assert not set(callers.failed) & set(ledger), "an error was charged"
        admin(home, "verify")


def away_for_10_s(service, home, cut, where=None):
    """Requests that are in flight when the database goes are answered when it is back."""
    price(service)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(service.chat(max_tokens=200, ignore_eos=True)))
               for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    assert not answers
    with cut():
        time.sleep(10)
        assert not answers, "a usage was told that no row holds"
    for thread in threads:
        thread.join(60)
    assert [status for status, _, _ in answers] == [200] * 3, answers
    check_told({headers["x-request-id"]: answer["usage"] for _, headers, answer in answers}, ledger_of(home, where))


@test
def a_locked_sqlite_for_10_s_costs_time_alone():
    with Home(plinth) as home, Service(home) as service:
        @contextlib.contextmanager
        def cut():
            with contextlib.closing(sqlite3.connect(home.path + "/plinth.db", timeout=20, isolation_level=None)) as database:
                database.execute("begin immediate")
                yield
                database.execute("rollback")
        away_for_10_s(service, home, cut)


@test
def a_postgresql_away_for_10_s_costs_time_alone():
    if not postgresql:
        print("# SKIPPED: PLINTH_TEST_POSTGRESQL names no PostgreSQL", flush=True)
        return
    with scratch_database() as (where, name), Home(plinth) as home, Service(home, "--store-database", where) as service:
        @contextlib.contextmanager
        def cut():
            def tell(statement):
                subprocess.run(["psql", postgresql, "-qAtc", statement], check=True, timeout=60, stdout=subprocess.DEVNULL)
            tell(f"alter database {name} with allow_connections false")
            tell(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
            yield
            tell(f"alter database {name} with allow_connections true")
        away_for_10_s(service, home, cut, where)


def main():
    lines = []
    for number, function in enumerate([t for t in tests if wanted.search(t.__name__)], 1):
        begun = time.monotonic()
        try:
            function()
            lines.append(f"ok {number} money.{function.__name__}")
        except Exception:
            lines.append(f"not ok {number} money.{function.__name__}")
            traceback.print_exc()
        print(f"{lines[-1]} ({time.monotonic() - begun:.1f} s)", flush=True)
    with open(result, "w", encoding="utf-8") as file:
        file.write("\n".join([f"1..{len(lines)}", *lines]) + "\n")
    sys.exit(any(line.startswith("not") for line in lines))


main()
