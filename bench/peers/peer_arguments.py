"""The command line of a peer's program: that of `plinth bench model`."""

import argparse


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
