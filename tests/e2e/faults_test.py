"""What happens when parts die, files lie and clients misbehave: faults_test.py PLINTH RESULT.tap [FILTER]"""
import glob
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback

from service import GGUF, Home, Service, alive, eventually, read_all

plinth, result = sys.argv[1:3]
wanted = re.compile(sys.argv[3] if len(sys.argv) > 3 else "")
tests = []


def test(function):
    tests.append(function)
    return function


def first_token(sock):
    """Reads until a chunk with text has come."""
    data = b""
    while b'"content":"' not in data.replace(b'"content":""', b""):
        piece = sock.recv(1 << 14)
        assert piece, data
        data += piece
    return data


@test
def killed_worker_errs_running_and_retries_waiting():
    with Home(plinth) as home, Service(home) as service:
        running = service.stream(max_tokens=2000, ignore_eos=True)
        first_token(running)
        worker, = service.workers()
        os.kill(worker, signal.SIGSTOP)  # so that what is sent now has had no answer when it dies
        answers = []
        waiting = [threading.Thread(target=lambda: answers.append(service.chat())) for _ in range(3)]
        for thread in waiting:
            thread.start()
        eventually(lambda: len(waiting) == 3)
        time.sleep(0.3)
        os.kill(worker, signal.SIGKILL)
        rest = read_all(running)
        assert '"error"' in rest and "[DONE]" not in rest, rest[-500:]
        for thread in waiting:
            thread.join(60)
        assert [a[0] for a in answers] == [200] * 3, answers
        assert service.workers() not in ([], [worker])


@test
def worker_restarts_with_back_off_and_the_gateway_stays():
    with Home(plinth) as home, Service(home) as service:
        for _ in range(3):
            worker, = eventually(service.workers)
            os.kill(worker, signal.SIGKILL)
            eventually(lambda: not alive(worker))
            assert service.request("/healthz")[0] == 200
            assert service.chat()[0] == 200


@test
def killed_gateway_takes_its_workers_and_the_home_opens_again():
    with Home(plinth) as home:
        with Service(home) as service:
            key = service.key
            busy = service.stream(max_tokens=2000, ignore_eos=True)
            first_token(busy)
            workers = service.workers()
            assert workers
            service.kill()
            eventually(lambda: not any(alive(w) for w in workers), 5, "the workers' end")
            busy.close()
        with Service(home) as again:
            assert again.key == key and again.chat()[0] == 200


@test
def sigterm_lets_running_requests_finish():
    with Home(plinth) as home, Service(home) as service:
        sock = service.stream(max_tokens=150, ignore_eos=True, stream_options={"include_usage": True})
        first_token(sock)
        service.process.send_signal(signal.SIGTERM)
        rest = read_all(sock)
        assert "[DONE]" in rest and '"completion_tokens":150' in rest.replace(" ", ""), rest[-400:]
        assert service.process.wait(timeout=45) == 0
        eventually(lambda: not service.workers(), 5)


@test
def a_home_has_one_owner():
    with Home(plinth) as home, Service(home):
        second = subprocess.run([plinth, "--home", home.path, "up", "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=20)
        assert second.returncode == 1 and "in use" in second.stderr, second


@test
def a_client_that_leaves_frees_its_request():
    with Home(plinth) as home, Service(home) as service:
        socks = [service.stream(max_tokens=4000, ignore_eos=True) for _ in range(4)]
        for sock in socks:
            first_token(sock)
        eventually(lambda: service.metric("plinth_model_requests_running", model="smollm2") == 4, 10, "four running")
        for sock in socks:
            sock.close()
        eventually(lambda: service.metric("plinth_model_requests_running", model="smollm2") == 0, 5, "none running")


@test
def a_hostile_model_file_ends_its_worker_alone():
    with Home(plinth) as home:
        broken = home.path + "/broken.gguf"
        with open(GGUF, "rb") as whole, open(broken, "wb") as file:
            file.write(whole.read(3 << 20))
        home.add("broken", broken)
        with Service(home) as service:
            status, _, body = service.chat("broken")
            assert status == 503 and "broken" in body["error"]["message"], (status, body)
            assert service.chat()[0] == 200


@test
def models_load_on_first_use_and_the_least_used_leaves():
    with Home(plinth, ("smollm2", "second", "third")) as home:
        # Two of them fit: weights twice and the keys and values.
        with Service(home, "--model-memory-mib", "700", "--kv-mib", "128") as service:
            assert len(service.workers()) == 1
            assert service.chat("second")[0] == 200
            assert len(service.workers()) == 2
            assert service.chat("third")[0] == 200
            eventually(lambda: len(service.workers()) == 2, 10, "one unloaded")
            assert service.chat("smollm2")[0] == 200
            assert len(service.workers()) <= 2


@test
def a_removed_model_is_gone_and_its_running_answer_is_not():
    with Home(plinth, ("smollm2", "second")) as home, Service(home) as service:
        running = service.stream("second", max_tokens=100, ignore_eos=True, stream_options={"include_usage": True})
        first_token(running)
        assert len(service.workers()) == 2
        subprocess.run([plinth, "--home", home.path, "model", "rm", "second"], check=True, timeout=20, stdout=subprocess.DEVNULL)
        status, _, body = service.chat("second")
        assert status == 404 and body["error"]["code"] == "model_not_found", (status, body)
        assert [model["id"] for model in service.request("/v1/models")[2]["data"]] == ["smollm2"]
        rest = read_all(running)
        assert "[DONE]" in rest and '"completion_tokens":100' in rest, rest[-400:]
        eventually(lambda: len(service.workers()) == 1, 10, "the removed model's worker to end")
        assert service.chat()[0] == 200
        home.add("second", GGUF)
        assert service.chat("second")[0] == 200


@test
def a_stopped_worker_loses_its_lease():
    with Home(plinth) as home, Service(home) as service:
        worker, = service.workers()
        os.kill(worker, signal.SIGSTOP)
        eventually(lambda: not alive(worker), 30, "the silent worker's end")
        assert service.chat()[0] == 200


@test
def the_sandboxed_worker_has_no_network_and_no_programs():
    with Home(plinth) as home, Service(home) as service:
        worker, = service.workers()
        status = open(f"/proc/{worker}/status", encoding="utf-8").read()
        assert re.search(r"^Seccomp:\s+2$", status, re.M) and re.search(r"^NoNewPrivs:\s+1$", status, re.M), status


def worker_log(home):
    with open(home.path + "/logs/worker-smollm2.log", encoding="utf-8") as log:
        return log.read()


@test
def the_files_of_a_start_speed_up_the_next_and_may_be_damaged():
    options = ["--engine-packed-cache"]
    with Home(plinth) as home:
        answers = []
        for damage in (None, None, "cut", "scribble"):
            cache = sorted(glob.glob(home.path + "/cache/*"))
            if damage:
                assert [os.path.splitext(name)[1] for name in cache] == [".packed", ".json"], cache
                for name in cache:
                    with open(name, "r+b") as file:
                        if damage == "cut":
                            file.truncate(os.path.getsize(name) // 2)
                        else:
                            file.write(b"{}" * 100)
            before = len(worker_log(home)) if cache else 0
            with Service(home, *options) as service:
                status, _, body = service.chat()
                assert status == 200, body
                answers.append(body["choices"][0]["message"]["content"])
            log = worker_log(home)[before:]
            if damage is None:
                assert ("chose the blocking" in log) == (not cache), log
                assert (" 0 packed matrices" in log) == (not cache), log
            else:
                assert "ignored and measured anew" in log, log
                assert "chose the blocking" in log, log
        assert len(set(answers)) == 1, answers
        for name in cache:
            os.remove(name)
        with Service(home, "--no-autotune") as service:
            assert service.chat()[2]["choices"][0]["message"]["content"] == answers[0]
        assert glob.glob(home.path + "/cache/*") == []


def main():
    failed = ran = 0
    with open(result, "w", encoding="utf-8") as tap:
        for function in tests:
            if not wanted.search(function.__name__):
                continue
            ran += 1
            started = time.monotonic()
            try:
                function()
                tap.write(f"ok e2e.{function.__name__}\n")
                print(f"ok {function.__name__} ({time.monotonic() - started:.1f} s)", flush=True)
            except Exception:
                traceback.print_exc()
                failed += 1
                tap.write(f"not ok e2e.{function.__name__}\n")
                print(f"not ok {function.__name__}", flush=True)
    print(f"e2e: {ran - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
