"""Counts the instructions of each gate under callgrind and compares them with bounds.txt:
instructions_test.py BUILD RESULT.tap

callgrind's processor has AVX2 and no more, so that the counts are the same on every machine that
has it. A count may be 10 % over its bound before the gate fails, as another compiler may make it;
one that is 25 % below fails too: the bound is to be lowered, or it would hide the next change."""
import json
import pathlib
import subprocess
import sys
import tempfile

build, result = sys.argv[1:3]
HERE = pathlib.Path(__file__).resolve().parent
OVER_MAX, UNDER_MAX = 1.10, 0.75


def instructions(room, gate):
    """Of one repeat of a gate."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=gate",
             f"--callgrind-out-file={folder}/out", f"{build}/src/{room}/plinth_{room}_bench",
             f"--benchmark_filter=^repeat/{gate}/", "--benchmark_format=json"],
            capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        run, = json.loads(done.stdout)["benchmarks"]
        lines = pathlib.Path(folder, "out").read_text(encoding="utf-8").splitlines()
        totals = [int(line.split()[1]) for line in lines if line.startswith(("totals:", "summary:"))]
        assert totals and totals[0] > 0, "callgrind counted nothing: is gate() inlined?"
        return totals[0] // run["iterations"]


def bounds():
    for line in (HERE / "bounds.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            room, gate, bound = line.split()[:3]
            yield room, gate, int(bound)


def gates(room):
    listed = subprocess.run([f"{build}/src/{room}/plinth_{room}_bench", "--benchmark_list_tests",
                             "--benchmark_filter=^repeat/"],
                            capture_output=True, text=True, timeout=60, check=True)
    return {line.split("/")[1] for line in listed.stdout.splitlines()}


def main():
    failed = 0
    # Neither list may have what the other lacks.
    bounded = {(room, gate) for room, gate, _ in bounds()}
    present = {(room, gate) for room in {room for room, _ in bounded} for gate in gates(room)}
    assert bounded == present, f"bounds.txt and the programs differ: {bounded ^ present}"
    with open(result, "w", encoding="utf-8") as tap:
        for room, gate, bound in bounds():
            count = instructions(room, gate)
            share = count / bound
            ok = UNDER_MAX <= share <= OVER_MAX
            failed += not ok
            tap.write(f"{'ok' if ok else 'not ok'} instructions.{gate}\n")
            print(f"{'ok' if ok else 'not ok'} {gate}: {count} instructions, {share:.0%} of its bound")
    return 1 if failed else 0


sys.exit(main())
