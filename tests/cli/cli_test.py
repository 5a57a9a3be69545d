"""Every test of the command line: cli_test.py PLINTH RESULT.tap [FILTER]"""
import os
import re
import sys
import time
import traceback

import harness

harness.plinth = os.path.abspath(sys.argv[1])
harness.models = os.environ["PLINTH_TEST_MODELS"]

import chat_tests  # noqa: E402,F401
import eval_tests  # noqa: E402,F401
import finetune_tests  # noqa: E402,F401
import model_tests  # noqa: E402,F401
import ranks_tests  # noqa: E402,F401
import usage_tests  # noqa: E402,F401


def main():
    failed = ran = 0
    with open(sys.argv[2], "w") as tap:
        for function in harness.tests:
            if len(sys.argv) > 3 and not re.search(sys.argv[3], function.__name__):
                continue
            started = time.monotonic()
            ran += 1
            try:
                function()
                verdict = "ok"
            except Exception:
                traceback.print_exc()
                verdict = "not ok"
                failed += 1
            tap.write(f"{verdict} cli.{function.__name__}\n")
            print(f"{verdict} {function.__name__} ({time.monotonic() - started:.1f} s)", flush=True)
    print(f"cli: {ran - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
