"""What the SDK tests share: the list of tests, and a few expectations."""
import re
import time
import urllib.request

tests = []
server = None  # the process of the service, while it runs
USER = [{"role": "user", "content": "Name three colours."}]


def test(function):
    tests.append(function)
    return function


def expect(kind, call, param=None, code=None, status=None):
    """call() must raise exactly this class of the SDK's, with these fields."""
    try:
        call()
    except kind as error:
        assert type(error) is kind, type(error)
        assert param is None or error.param == param, error.param
        assert code is None or error.code == code, error.code
        assert status is None or error.status_code == status, error.status_code
        return error
    raise AssertionError(f"no {kind.__name__}")


def metric(client, name):
    """The sum of a metric's samples over its labels."""
    url = str(client.base_url).removesuffix("/v1/") + "/metrics"
    text = urllib.request.urlopen(url, timeout=20).read().decode()
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M))


def eventually(condition, limit_s=20):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s} s"
        time.sleep(0.05)
