"""What every peer of `embed` computes, and the document that it prints: the inputs are those of
src/engine/encoder_bench.cc."""

import argparse
import json
import time

INPUTS, TOKENS = 256, 64
VOCAB = 30522
# As many tokens in one pass as ours takes.
BATCH = 8


def token_ids():
    return [[(i * 7919 + t * 104729 + 5) % VOCAB for t in range(TOKENS)] for i in range(INPUTS)]


def arguments_of(document, variants):
    parser = argparse.ArgumentParser(description=document)
    parser.add_argument("model", help="folder of all-MiniLM-L6-v2")
    parser.add_argument("variant", choices=variants)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def report(embed, arguments, version):
    """Times `embed`, which returns one vector for each input, after one call to warm it up."""
    vectors, best = embed(), float("inf")
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        embed()
        best = min(best, time.perf_counter() - start)
    print(json.dumps({"version": version, "tokens_per_s": INPUTS * TOKENS / best,
                      "vectors": [[float(x) for x in vector] for vector in vectors]}), flush=True)
