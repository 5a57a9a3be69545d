"""llama.cpp's scores over the tokens that `plinth bench perplexity --save PREFIX` wrote: perplexity,
and with --reference the divergence from PREFIX.logits. Prints one JSON document."""

import argparse
import ctypes
import json
import math
import os

import llama_cpp as llama
import numpy


def log_softmax(rows):
    top = rows.max(axis=1, keepdims=True)
    return rows - top - numpy.log(numpy.exp(rows - top).sum(axis=1, keepdims=True))


class Model:
    def __init__(self, path, context, threads):
        self.model = llama.llama_model_load_from_file(
            path.encode(), llama.llama_model_default_params())
        params = llama.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = context
        params.n_threads = params.n_threads_batch = threads
        self.context = llama.llama_init_from_model(self.model, params)
        self.vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))

    def rows(self, window):
        """Logits [second half of the window, vocab] as float64."""
        first, size = len(window) // 2, len(window)
        batch = llama.llama_batch_init(size, 0, 1)
        for i, token in enumerate(window):
            batch.token[i] = int(token)
            batch.pos[i] = i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = i >= first
        batch.n_tokens = size
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)
        if llama.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama_decode failed")
        rows = numpy.empty((size - first, self.vocab))
        for i in range(first, size):
            row = llama.llama_get_logits_ith(self.context, i)
            rows[i - first] = numpy.ctypeslib.as_array(row, (self.vocab,))
        llama.llama_batch_free(batch)
        return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("prefix")
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--reference", action="store_true")
    arguments = parser.parse_args()
    quiet = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(quiet, ctypes.c_void_p(0))
    llama.llama_backend_init()
    model = Model(arguments.model, arguments.context, arguments.threads)
    tokens = numpy.fromfile(arguments.prefix + ".tokens", dtype=numpy.int32)
    half = arguments.context - arguments.context // 2
    reference = None
    if arguments.reference:
        reference = numpy.memmap(arguments.prefix + ".logits", dtype=numpy.float32,
                                 mode="r").reshape(-1, half, model.vocab)
    losses, divergences, same = [], [], []
    for index, window in enumerate(tokens.reshape(-1, arguments.context)):
        scores = log_softmax(model.rows(window)[:-1])
        wanted = window[arguments.context // 2 + 1:]
        losses.extend(-scores[numpy.arange(len(wanted)), wanted])
        if reference is None:
            continue
        exact = log_softmax(reference[index][:-1].astype(numpy.float64))
        divergences.extend((numpy.exp(exact) * (exact - scores)).sum(axis=1))
        same.extend(exact.argmax(axis=1) == scores.argmax(axis=1))
    results = {"scored": len(losses), "perplexity": math.exp(numpy.mean(losses))}
    if reference is not None:
        results["divergence"] = float(numpy.mean(divergences))
        results["same_top"] = float(numpy.mean(same))
    print(json.dumps(results), flush=True)
    os._exit(0)  # leaves the library's own teardown out


if __name__ == "__main__":
    main()
