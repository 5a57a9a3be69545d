"""What the programs of the peers share: the command line of `plinth bench model`, and its document."""

import argparse
import json
import os
import resource


def peer_arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--prefill", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--context", type=int, default=64)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--first-token", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def report(peer, arguments):
    """Measures and ends the program. A peer has load_s, and prefill(tokens) and streams(count) in
    tokens a second."""
    results = {"threads": arguments.threads, "load_ms": peer.load_s * 1000}
    for tokens in arguments.prefill:
        results[f"prefill_{tokens}"] = peer.prefill(tokens)
    for count in arguments.streams:
        results[f"decode_{count}"] = peer.streams(count)
    results["first_token_ms"] = arguments.first_token / peer.prefill(arguments.first_token) * 1000
    results["resident_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(results), flush=True)
    os._exit(0)  # leaves the library's own teardown out
