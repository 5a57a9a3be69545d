"""Promises 1 and 2 on a real service: storm_test.py PLINTH RESULT.tap [FILTER]

A seeded storm (PLINTH_SEED) of streams with and without usage, clients that leave, several choices, cached prompts,
embeddings, errors and kills. Then the ledger, its sums and the usage API say the same, every usage that a client was told
has its row, and no limit was passed."""
import contextlib
import copy
import http.client
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
import urllib.parse

from service import MODELS, Home, Service, eventually, read_all, share_secrets

plinth, result = sys.argv[1:3]
wanted = re.compile(sys.argv[3] if len(sys.argv) > 3 else "")
seed = int(os.environ.get("PLINTH_SEED", "20261128"))
postgresql = os.environ.get("PLINTH_TEST_POSTGRESQL")
tests = []
PRICE = {"input_per_million": "2.5", "cached_input_per_million": "1.25", "output_per_million": "10"}
INPUT, CACHED, OUTPUT = 2_500_000, 1_250_000, 10_000_000  # pico-units of one token


def test(function):
    tests.append(function)
    return function


class Tenant:
    """An administrator, a project and a key of it."""

    def __init__(self, service, name="storm"):
        self.service, self.admin_key = service, service.ready["admin_key"]
        self.project = self.admin("/projects", {"name": name})["id"]
        self.key = self.admin(f"/projects/{self.project}/api_keys", {"name": "client"})
        service.key = self.key["value"]

    def admin(self, path, body=None, expect=200):
        status, _, answer = self.service.request("/v1/organization" + path, body, key=self.admin_key)
        assert status == expect, (path, status, answer)
        return answer

    def usage(self, kind="completions", width="1d", **more):
        query = [("start_time", int(time.time()) - 86400), ("bucket_width", width), *more.pop("query", [])]
        pages, page = [], None
        while True:
            answer = self.admin(f"/usage/{kind}?" + urllib.parse.urlencode(query + ([("page", page)] if page else [])))
            pages += [r for bucket in answer["data"] for r in bucket["results"]]
            page = answer["next_page"]
            if not page:
                return pages


def ledger_of(home, where=None):
    columns = ("id,project,api_key,model,operation,status,choices,input_tokens,cached_tokens,output_tokens,amount_pico")
    if where:
        text = subprocess.run(["psql", where, "-At", "-F", "\x1f", "-c", f"select {columns} from ledger"], check=True,
                              capture_output=True, text=True, timeout=60).stdout
        rows = [line.split("\x1f") for line in text.splitlines()]
    else:
        with contextlib.closing(sqlite3.connect(f"file:{home.path}/plinth.db?mode=ro", uri=True, timeout=20)) as database:
            rows = database.execute(f"select {columns} from ledger").fetchall()
    numbers = ("choices", "input_tokens", "cached_tokens", "output_tokens", "amount_pico")
    named = [dict(zip(columns.split(","), row)) for row in rows]
    return {row["id"]: {k: int(v) if k in numbers else v for k, v in row.items()} for row in named}


def price_of(row):
    return (row["input_tokens"] - row["cached_tokens"]) * INPUT + row["cached_tokens"] * CACHED + row["output_tokens"] * OUTPUT


def check_books(tenants, ledger):
    """The ledger against its sums, through the usage API, in every bucket and grouping; and against the prices."""
    tenant = tenants[0]
    rows = [row for row in ledger.values() if row["project"] in {t.project for t in tenants}]
    assert rows
    for row in rows:
        assert row["amount_pico"] == price_of(row), row
        assert 0 <= row["cached_tokens"] <= row["input_tokens"], row
    for kind, operations in (("completions", ("chat", "text_completion")), ("embeddings", ("embeddings",))):
        of_kind = [row for row in rows if row["operation"] in operations]
        projects = [("project_ids[]", t.project) for t in tenants]
        for width in ("1m", "1h", "1d"):
            for group in ([], [("group_by[]", "model")], [("group_by[]", "api_key_id"), ("group_by[]", "project_id")]):
                more = [("limit", "1440")] if width == "1m" else []
                results = tenant.usage(kind, width, query=projects + group + more)
                total = {name: sum(r.get(name, 0) for r in results)
                         for name in ("input_tokens", "output_tokens", "input_cached_tokens", "num_model_requests")}
                assert total["num_model_requests"] == len(of_kind), (kind, width, group, total, len(of_kind))
                assert total["input_tokens"] == sum(r["input_tokens"] for r in of_kind), (kind, width, group)
                if kind == "completions":
                    assert total["output_tokens"] == sum(r["output_tokens"] for r in of_kind), (width, group)
                    assert total["input_cached_tokens"] == sum(r["cached_tokens"] for r in of_kind), (width, group)
    costs = tenant.admin("/costs?" + urllib.parse.urlencode(
        [("start_time", int(time.time()) - 86400)] + [("project_ids[]", t.project) for t in tenants]))
    exact = [r["amount"]["exact"] for bucket in costs["data"] for r in bucket["results"]]
    total = sum(int(whole) * 10**12 + int((part + "0" * 12)[:12])
                for whole, _, part in (text.partition(".") for text in exact))
    assert total == sum(row["amount_pico"] for row in rows), (exact, rows)


class Client:
    """One user of the storm: remembers every usage that it was told, by the request's id."""

    def __init__(self, service, seed_of_mine):
        self.service, self.random, self.told, self.refused = service, random.Random(seed_of_mine), {}, 0
        self.history = ["You are terse. " * 20]

    def body(self, **more):
        text = self.random.choice(self.history) + " " + self.random.choice(["Go.", "Again?", "Colours?", "More."])
        if self.random.random() < 0.3:
            self.history.append(text)
        return {"model": "smollm2", "messages": [{"role": "user", "content": text}], "temperature": 0.8,
                "max_tokens": self.random.randint(1, 24), **more}

    def remember(self, headers, usage):
        self.told[headers["x-request-id"]] = usage

    def plain(self, path="/v1/chat/completions", body=None):
        status, headers, answer = self.service.request(path, body or self.body(n=self.random.choice([1, 1, 3])))
        if status == 200:
            self.remember(headers, answer["usage"])
        elif status == 429:
            self.refused += 1
        return status, headers, answer

    def completion(self):
        return self.plain("/v1/completions", {"model": "smollm2", "prompt": ["One two", "Three", "Five six seven"],
                                              "max_tokens": self.random.randint(0, 1) * 5 + 1})

    def embedding(self):
        return self.plain("/v1/embeddings", {"model": "minilm", "input": ["a b c", "d" * self.random.randint(1, 50)]})

    def broken(self):
        status, _, _ = self.service.request("/v1/chat/completions", self.random.choice([
            {"model": "smollm2"}, {"model": "nobody", "messages": [{"role": "user", "content": "x"}]},
            self.body(temperature=9), self.body(messages=[{"role": "user", "content": "word " * 20000}])]))
        assert status in (400, 404, 429, 503), status

    def stream(self, leave=False):
        usage_too = self.random.random() < 0.5
        more = {"stream_options": {"include_usage": True}} if usage_too else {}
        if leave:
            more.update(max_tokens=400, ignore_eos=True)
        sock = self.service.stream(**{k: v for k, v in self.body().items() if k != "messages"} | more
                                   | {"text": self.random.choice(self.history)})
        with contextlib.closing(sock):
            if leave:
                data = b""
                while data.count(b"data: ") < self.random.randint(2, 12):
                    piece = sock.recv(1 << 14)
                    if not piece:
                        return
                    data += piece
                return
            text = read_all(sock)
        head, _, rest = text.partition("\r\n\r\n")
        if not head:
            return  # the gateway was killed
        if " 429 " in head.splitlines()[0]:
            self.refused += 1
            return
        if "data: [DONE]" not in rest:
            return
        headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
        if usage_too:
            usages = [json.loads(m)["usage"] for m in re.findall(r"^data: (\{.*\})\r?$", rest, re.M) if '"usage":{' in m]
            assert len(usages) == 1, rest[-600:]
            self.remember(headers, usages[0])

    def act(self):
        action = self.random.choice([self.plain, self.plain, self.stream, self.stream, self.completion, self.embedding,
                                     self.broken, lambda: self.stream(leave=True)])
        try:
            action()
        except (OSError, http.client.HTTPException):
            pass  # the gateway was killed


def storm(services, clients, seconds):
    end = time.monotonic() + seconds
    failures = []

    def run(client):
        try:
            while time.monotonic() < end:
                client.act()
        except Exception:
            failures.append(traceback.format_exc())
    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    return threads, failures


def check_told(clients, ledger):
    for client in clients:
        for request, usage in client.told.items():
            row = ledger.get(request)
            assert row, f"{request} was told {usage} and has no row"
            assert row["input_tokens"] == usage["prompt_tokens"], (row, usage)
            assert row["output_tokens"] == usage.get("completion_tokens", 0), (row, usage)
            cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
            assert row["cached_tokens"] == cached, (row, usage)


def settled(home, where=None):
    """The ledger once it grows no more: clients that left are charged when it is noticed."""
    def stable():
        first = ledger_of(home, where)
        time.sleep(1.0)
        return first if ledger_of(home, where) == first else None
    return eventually(stable, 60, "a quiet ledger")


def storm_home():
    home = Home(plinth)
    home.add("minilm", MODELS + "/minilm")
    return home


@test
def every_usage_that_was_told_has_its_row():
    with storm_home() as home, Service(home) as service:
        tenant = Tenant(service)
        tenant.admin("/prices", PRICE)
        clients = [Client(service, seed * 100 + i) for i in range(6)]
        threads, failures = storm([service], clients, 15)
        for thread in threads:
            thread.join(120)
        assert not failures, failures[0]
        ledger = settled(home)
        check_told(clients, ledger)
        check_books([tenant], ledger)
        kinds = {(row["operation"], row["status"]) for row in ledger.values()}
        assert {("chat", "ok"), ("chat", "client_gone"), ("text_completion", "ok"), ("embeddings", "ok")} <= kinds, kinds
        assert any(row["cached_tokens"] for row in ledger.values()), "nothing was cached"
        assert any(row["choices"] == 3 for row in ledger.values())


@test
def kills_lose_no_row_that_was_told():
    with storm_home() as home:
        clients, rounds = [], random.Random(seed)
        project = None
        for i in range(3):
            with Service(home) as service:
                if project is None:
                    tenant = Tenant(service)
                    tenant.admin("/prices", PRICE)
                    project, key = tenant.project, tenant.key
                service.key = key["value"]
                mine = [Client(service, seed * 1000 + i * 10 + n) for n in range(4)]
                clients += mine
                threads, failures = storm([service], mine, 6)
                time.sleep(rounds.uniform(2, 4))
                for worker in service.workers()[:1]:
                    os.kill(worker, 9)
                time.sleep(rounds.uniform(1, 2))
                service.kill()
                for thread in threads:
                    thread.join(120)
                assert not failures, failures[0]
        with Service(home) as service:
            tenant.service, tenant.admin_key = service, service.ready["admin_key"]
            ledger = settled(home)
            check_told(clients, ledger)
            check_books([tenant], ledger)
            assert sum(len(client.told) for client in clients) > 20


@contextlib.contextmanager
def shared_database(purpose):
    name = f"plinth_{purpose}_{os.getpid()}"
    subprocess.run(["psql", postgresql, "-qc", f"create database {name}"], check=True, timeout=60)
    try:
        yield postgresql.replace("/postgres?", f"/{name}?")
    finally:
        subprocess.run(["psql", postgresql, "-qc", f"drop database if exists {name} with (force)"], timeout=60)


def with_key(service, key):
    """The same gateway, called by somebody else."""
    view = copy.copy(service)
    view.key = key
    return view


def no_postgresql():
    if not postgresql:
        print("# SKIPPED: PLINTH_TEST_POSTGRESQL names no PostgreSQL", flush=True)
    return not postgresql


@test
def two_gateways_keep_one_ledger():
    if no_postgresql():
        return
    with shared_database("storm") as where, storm_home() as one, storm_home() as two:
        with Service(one, "--store-database", where) as first:
            share_secrets(one, two)
            with Service(two, "--store-database", where) as second:
                tenant = Tenant(first)
                tenant.admin("/prices", PRICE)
                second.key = first.key
                # The other gateway reads prices again within seconds.
                time.sleep(12)
                clients = [Client(gateway, seed * 10 + i) for i, gateway in enumerate([first, second] * 2)]
                threads, failures = storm([first, second], clients, 10)
                time.sleep(6)
                second.kill()
                for thread in threads:
                    thread.join(120)
                assert not failures, failures[0]
                ledger = settled(one, where)
                check_told(clients, ledger)
                check_books([tenant], ledger)
                assert all(len(client.told) > 1 for client in clients), [len(c.told) for c in clients]


@test
def limits_hold_over_two_gateways():
    """A rate and a budget, each asked for on both gateways at once; one of them is killed and starts again."""
    if no_postgresql():
        return
    tokens, requests, budget = 1200, 40, 8_000_000_000  # little enough for slow machines to reach
    with shared_database("limits") as where, storm_home() as one, storm_home() as two:
        with Service(one, "--store-database", where) as first:
            share_secrets(one, two)
            rated, paying = Tenant(first, "rated"), Tenant(first, "paying")
            rated.admin("/prices", PRICE)
            rated.admin(f"/projects/{rated.project}/rate_limits/rl-smollm2",
                        {"max_tokens_per_1_minute": tokens, "max_requests_per_1_minute": requests})
            paying.admin(f"/projects/{paying.project}/spend_limits", {"amount": "0.008", "period": "day"})
            keys, clients, begun = [rated.key["value"], paying.key["value"]], [], time.time()
            # The second gateway reads the limits as it starts; it is killed and starts with what is left of them.
            for round_of_two in range(2):
                with Service(two, "--store-database", where) as second:
                    mine = [Client(with_key(gateway, key), seed * 20 + round_of_two * 8 + i)
                            for i, (gateway, key) in enumerate((g, k) for g in (first, second) for k in keys * 2)]
                    clients += mine
                    threads, failures = storm([first, second], mine, 10)
                    time.sleep(7)
                    second.kill()
                    for thread in threads:
                        thread.join(120)
                    assert not failures, failures[0]
            took = time.time() - begun
            ledger = settled(one, where)
            check_told(clients, ledger)
            check_books([rated, paying], ledger)
            rows = [row for row in ledger.values() if row["project"] == rated.project and row["model"] == "smollm2"]
            used = sum(row["input_tokens"] - row["cached_tokens"] + row["output_tokens"] for row in rows)
            spent = sum(row["amount_pico"] for row in ledger.values() if row["project"] == paying.project)
            print(f"# {used} tokens and {len(rows)} requests in {took:.0f} s, {spent / budget:.3f} of the budget", flush=True)
            assert used <= tokens * (1 + took / 60), (used, took)
            assert len(rows) <= requests * (1 + took / 60), (len(rows), took)
            assert used > tokens / 2, used
            assert budget / 2 < spent <= budget, spent
            assert sum(client.refused for client in clients) > 0, "the storm did not reach the limits"


@test
def provisioned_throughput_holds_over_two_gateways():
    """A bucket that both gateways draw on at once, and one that is killed in between."""
    if no_postgresql():
        return
    rate, weight, units = 60, 3, 20  # 1,200 a minute: 20 drain in a second
    with shared_database("provisioned") as where, storm_home() as one, storm_home() as two:
        with Service(one, "--store-database", where) as first:
            share_secrets(one, two)
            tenant = Tenant(first)
            tenant.admin("/prices", PRICE)
            tenant.admin("/provisioned_throughput/smollm2",
                         {"unitTokensPerMinute": rate, "outputWeight": weight, "firstTokenMs": 500, "tokenUs": 50000})
            tenant.admin(f"/projects/{tenant.project}/deployments/ptu",
                         {"sku": {"name": "ProvisionedManaged", "capacity": units}, "properties": {"model": {"name": "smollm2"}}})
            told, refused, begun = {}, [], time.time()

            def call(service, seed_of_mine, end):
                draw = random.Random(seed_of_mine)
                while time.monotonic() < end:
                    try:
                        status, headers, answer = service.request("/v1/chat/completions", {
                            "model": "ptu", "messages": [{"role": "user", "content": "Go. " * draw.randint(1, 20)}],
                            "max_tokens": draw.randint(1, 16)})
                    except (OSError, http.client.HTTPException):
                        return
                    if status == 200:
                        told[headers["x-request-id"]] = answer["usage"]
                    else:
                        assert status == 429, answer
                        assert int(headers["retry-after-ms"]) > 0, headers
                        refused.append(int(headers["retry-after-ms"]))
                        time.sleep(0.05)
            for round_of_two in range(2):
                with Service(two, "--store-database", where) as second:
                    end = time.monotonic() + 10
                    threads = [threading.Thread(target=call, args=(with_key(gateway, tenant.key["value"]), seed * 9 + i, end))
                               for i, gateway in enumerate([first, second] * 2)]
                    for thread in threads:
                        thread.start()
                    time.sleep(8)
                    used = tenant.admin(f"/projects/{tenant.project}/deployments/ptu")["properties"]["utilisation"]
                    second.kill()
                    for thread in threads:
                        thread.join(120)
            took = time.time() - begun
            ledger = settled(one, where)
            rows = [row for row in ledger.values() if row["project"] == tenant.project]
            spent = [row["input_tokens"] - row["cached_tokens"] + weight * row["output_tokens"] for row in rows]
            print(f"# {sum(spent)} of {rate * units / 60 * (took + 10):.0f} in {took:.0f} s, {len(refused)} refused, {used} %", flush=True)
            assert set(told) <= set(ledger)
            assert sum(spent) <= rate * units / 60 * (took + 10) + max(spent), (sum(spent), took)
            assert sum(spent) > rate * units / 60 * 10 and refused and used > 50, (sum(spent), used)


@test
def limits_are_never_passed():
    with storm_home() as home, Service(home) as service:
        tenant = Tenant(service)
        tenant.admin("/prices", PRICE)
        limit = tenant.admin(f"/projects/{tenant.project}/rate_limits/rl-smollm2",
                             {"max_tokens_per_1_minute": 1500, "max_requests_per_1_minute": 60})
        assert limit["max_tokens_per_1_minute"] == 1500, limit
        begun = time.time()
        clients = [Client(service, seed * 7 + i) for i in range(6)]
        threads, failures = storm([service], clients, 12)
        for thread in threads:
            thread.join(120)
        took = time.time() - begun
        assert not failures, failures[0]
        ledger = settled(home)
        check_told(clients, ledger)
        rows = [row for row in ledger.values() if row["model"] == "smollm2"]
        used = sum(row["input_tokens"] - row["cached_tokens"] + row["output_tokens"] for row in rows)
        assert used <= 1500 * (1 + took / 60), used
        assert len(rows) <= 60 * (1 + took / 60), len(rows)
        assert sum(client.refused for client in clients) > 0, "the storm did not reach the limit"
        status, headers, answer = 0, None, None
        for _ in range(80):
            status, headers, answer = clients[0].plain()
            if status == 429:
                break
        assert status == 429, status
        assert answer["error"]["code"] == "rate_limit_exceeded" and answer["error"]["type"] in ("requests", "tokens"), answer
        assert int(headers["retry-after-ms"]) > 0 and int(headers["retry-after"]) >= 1, headers
        assert headers["x-ratelimit-limit-tokens"] == "1500" and headers["x-ratelimit-limit-requests"] == "60", headers
        assert re.fullmatch(r"(\d+h)?(\d+m)?[\d.]+m?s", headers["x-ratelimit-reset-tokens"]), headers


@test
def what_is_cached_needs_no_reservation():
    """A long prompt comes again: it passes a rate and a budget that another one of its length does not."""
    with storm_home() as home, Service(home) as service:
        tenant = Tenant(service)
        tenant.admin("/prices", PRICE)

        def ask(word):
            return service.request("/v1/chat/completions", {
                "model": "smollm2", "messages": [{"role": "user", "content": f"{word} " * 300}], "max_tokens": 4, "ignore_eos": True})
        status, _, answer = ask("one")
        assert status == 200, (status, answer)
        prompt = answer["usage"]["prompt_tokens"]
        assert prompt > 300 and not answer["usage"]["prompt_tokens_details"]["cached_tokens"], answer["usage"]

        def second_passes():
            status, headers, answer = ask("one")
            assert status == 200, (status, answer)
            cached = answer["usage"]["prompt_tokens_details"]["cached_tokens"]
            assert prompt - 32 <= cached < prompt, answer["usage"]
            row = ledger_of(home)[headers["x-request-id"]]
            assert (row["input_tokens"], row["cached_tokens"], row["amount_pico"]) == (prompt, cached, price_of(row)), row
        path = f"/projects/{tenant.project}/rate_limits/rl-smollm2"
        tenant.admin(path, {"max_tokens_per_1_minute": prompt // 2})
        status, _, answer = ask("two")
        assert status == 429 and answer["error"]["code"] == "rate_limit_exceeded", (status, answer)
        second_passes()
        tenant.admin(path, {"max_tokens_per_1_minute": None})
        # Between what the prompt costs cached and what it costs computed.
        spent = sum(row["amount_pico"] for row in ledger_of(home).values())
        budget = spent + (prompt * (INPUT + CACHED)) // 2 + 4 * OUTPUT
        tenant.admin(f"/projects/{tenant.project}/spend_limits", {"amount": f"{budget / 1e12:.9f}", "period": "day"})
        status, _, answer = ask("two")
        assert status == 429 and answer["error"]["code"] == "insufficient_quota", (status, answer)
        second_passes()
        assert sum(row["amount_pico"] for row in settled(home).values()) <= budget
        check_books([tenant], settled(home))


@test
def a_budget_is_never_overspent():
    with storm_home() as home, Service(home) as service:
        tenant = Tenant(service)
        tenant.admin("/prices", PRICE)
        budget = 10_000_000_000  # 0.01 units: some thousand tokens
        tenant.admin(f"/projects/{tenant.project}/spend_limits", {"amount": "0.01", "period": "day"})
        clients = [Client(service, seed * 3 + i) for i in range(6)]
        threads, failures = storm([service], clients, 12)
        for thread in threads:
            thread.join(120)
        assert not failures, failures[0]
        ledger = settled(home)
        spent = sum(row["amount_pico"] for row in ledger.values())
        assert budget * 0.5 < spent <= budget, spent
        limits = tenant.admin(f"/projects/{tenant.project}/spend_limits")["data"]
        assert limits[0]["spent"]["value"] == f"{spent / 1e12:.12f}".rstrip("0"), (limits, spent)
        status, headers, answer = 0, None, None
        for _ in range(60):
            status, headers, answer = clients[0].plain(body=clients[0].body(max_tokens=400))
            if status != 200:
                break
        assert status == 429 and answer["error"]["code"] == "insufficient_quota", (status, answer)
        assert headers["x-should-retry"] == "false", headers
        # The budget of another project is another.
        other = Tenant(service, "other")
        assert service.chat()[0] == 200
        # It holds after a crash, too.
        service.kill()
    assert other


def main():
    print(f"# PLINTH_SEED={seed}", flush=True)
    lines = []
    for number, function in enumerate([t for t in tests if wanted.search(t.__name__)], 1):
        begun = time.monotonic()
        try:
            function()
            lines.append(f"ok {number} metering.{function.__name__}")
        except Exception:
            lines.append(f"not ok {number} metering.{function.__name__}")
            traceback.print_exc()
        print(f"{lines[-1]} ({time.monotonic() - begun:.1f} s)", flush=True)
    with open(result, "w", encoding="utf-8") as file:
        file.write("\n".join([f"1..{len(lines)}", *lines]) + "\n")
    sys.exit(any(line.startswith("not") for line in lines))


main()
