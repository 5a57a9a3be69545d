"""llama.cpp's forward pass, measured as `plinth bench model` measures ours: fixed tokens, no
sampling, logits of the last token of a prompt and of every decoded one; the best of the repeats.
Prints one JSON document with the same keys."""

import ctypes
import time

import llama_cpp as llama

from peer_program import peer_arguments, report


class Batch:
    """A llama_batch of one sequence id for each token, filled entry by entry."""

    def __init__(self, tokens_max):
        self.batch = llama.llama_batch_init(tokens_max, 0, 1)

    def clear(self):
        self.batch.n_tokens = 0

    def add(self, token, position, sequence, logits):
        at = self.batch.n_tokens
        self.batch.token[at] = token
        self.batch.pos[at] = position
        self.batch.n_seq_id[at] = 1
        self.batch.seq_id[at][0] = sequence
        self.batch.logits[at] = logits
        self.batch.n_tokens = at + 1


def token(index, stream, vocab):
    return (index * 7919 + stream * 31 + 1) % vocab


class Peer:
    def __init__(self, arguments):
        self.arguments = arguments
        llama.llama_backend_init()
        start = time.perf_counter()
        self.model = llama.llama_model_load_from_file(
            arguments.model.encode(), llama.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"llama.cpp cannot load {arguments.model}")
        self.load_s = time.perf_counter() - start
        self.vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))

    def context(self, streams, tokens):
        params = llama.llama_context_default_params()
        params.n_ctx = streams * ((tokens + 255) // 256 * 256)
        params.n_batch = params.n_ubatch = 512
        params.n_seq_max = streams
        params.n_threads = params.n_threads_batch = self.arguments.threads
        context = llama.llama_init_from_model(self.model, params)
        if not context:
            raise SystemExit("llama.cpp cannot make a context")
        return context

    def decode(self, context, batch):
        """Seconds of one step, with the logits on hand."""
        start = time.perf_counter()
        if llama.llama_decode(context, batch.batch) != 0:
            raise SystemExit("llama_decode failed")
        llama.llama_synchronize(context)
        return time.perf_counter() - start

    def clear(self, context):
        llama.llama_memory_clear(llama.llama_get_memory(context), True)

    def read(self, context, batch, tokens, stream, logits):
        """Seconds of a prompt of `tokens`, in batches of 512; with logits of its last or none."""
        seconds = 0.0
        for begin in range(0, tokens, 512):
            batch.clear()
            for i in range(begin, min(begin + 512, tokens)):
                batch.add(token(i, stream, self.vocab), i, stream, logits and i == tokens - 1)
            seconds += self.decode(context, batch)
        return seconds

    def prefill(self, tokens):
        context = self.context(1, tokens)
        batch = Batch(512)
        best = 0.0
        for _ in range(self.arguments.repeats):
            self.clear(context)
            best = max(best, tokens / self.read(context, batch, tokens, 0, True))
        llama.llama_free(context)
        return best

    def streams(self, count):
        before, steps = self.arguments.context, self.arguments.steps
        context = self.context(count, before + steps)
        batch = Batch(512)
        best = 0.0
        for _ in range(self.arguments.repeats):
            self.clear(context)
            for stream in range(count):
                self.read(context, batch, before, stream, False)
            seconds = 0.0
            for i in range(before, before + steps):
                batch.clear()
                for stream in range(count):
                    batch.add(token(i, stream, self.vocab), i, stream, True)
                seconds += self.decode(context, batch)
            best = max(best, count * steps / seconds)
        llama.llama_free(context)
        return best


def main():
    arguments = peer_arguments(__doc__)
    # The library reports on stderr; only the results matter here.
    quiet = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(quiet, ctypes.c_void_p(0))
    report(Peer(arguments), arguments)


if __name__ == "__main__":
    main()
