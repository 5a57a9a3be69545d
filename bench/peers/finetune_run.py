"""Runs of `plinth finetune --json`, timed by the lines that they print."""

import json
import os
import subprocess
import sys
import time

from peers import ROOT


def texts(path, count, size):
    """`count` pieces of a text, of `size` characters each."""
    files = [path] if path else sorted((ROOT / "docs").rglob("*.md"))
    text = "\n".join(file.read_text(errors="replace") for file in files)
    pieces = [text[i * size:(i + 1) * size] for i in range(count)]
    if len(pieces[-1]) < size:
        sys.exit(f"the text has {len(text)} characters, {size * count} are needed")
    return pieces


def timed_steps(command, log):
    """Seconds and losses by step, from the program's own lines as they come; the first step has no time."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log.open("w"), text=True)
    times, losses = [], []
    for line in process.stdout:
        if line.startswith("{") and "loss" in (step := json.loads(line)):
            times.append(time.perf_counter())
            losses.append(step["loss"])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[1]}: " + log.read_text()[-400:])
    return {"seconds": [b - a for a, b in zip(times, times[1:])], "losses": losses,
            "resident_mib": usage.ru_maxrss / 1024}


def best_rate(rounds, step_tokens):
    return step_tokens / min(min(one["seconds"]) for one in rounds)
