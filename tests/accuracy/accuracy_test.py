"""What 8-bit arithmetic changes about the default model's predictions of a text that never changes:
accuracy_test.py PLINTH RESULT.tap

The bounds stand above what was measured on AVX2 and AVX-512 by what another rounding may make;
bench/accuracy/run has the comparison with llama.cpp."""
import json
import os
import pathlib
import subprocess
import sys

plinth, result = sys.argv[1:3]
MODEL = os.environ["PLINTH_TEST_MODELS"] + "/SmolLM2-135M-Instruct.Q4_1.gguf"
TEXT = pathlib.Path(__file__).resolve().parents[2] / "LICENSE"
PERPLEXITY_SHARE_MAX = 0.01
DIVERGENCE_MAX = 0.005


def main():
    done = subprocess.run([plinth, "bench", "perplexity", MODEL, "--text", TEXT, "--tokens", "1024",
                           "--context", "256", "--against-exact", "--json"],
                          capture_output=True, text=True, timeout=200, check=True)
    scores = json.loads(done.stdout)
    share = scores["perplexity"] / scores["perplexity_exact"] - 1
    checks = {"perplexity": abs(share) <= PERPLEXITY_SHARE_MAX and scores["perplexity"] < 50,
              "divergence": scores["divergence"] <= DIVERGENCE_MAX}
    print(f"perplexity {scores['perplexity']:.3f}, {share:+.2%} of fp32's; divergence "
          f"{scores['divergence']:.5f} nat, same token first {scores['same_top']:.1%}")
    pathlib.Path(result).write_text("".join(
        f"{'ok' if held else 'not ok'} accuracy.{name}\n" for name, held in checks.items()),
        encoding="utf-8")
    return 0 if all(checks.values()) else 1


sys.exit(main())
