"""OpenVINO GenAI on the same GGUF file, measured as llama_cpp_peer.py measures llama.cpp, but for
what its interface leaves open: it samples (the likeliest token), and several streams begin
together, so that their decoding is what a long answer takes more than a short one.
Prints one JSON document with the same keys."""

import time

import numpy
import openvino
import openvino_genai

from peer_program import peer_arguments, report


def tokens(count, stream, vocab):
    ids = (numpy.arange(count, dtype=numpy.int64) * 7919 + stream * 31 + 1) % vocab
    return openvino.Tensor(ids.reshape(1, -1))


class Peer:
    def __init__(self, arguments):
        self.arguments = arguments
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.max_num_batched_tokens = 512
        scheduler.cache_size = 1 if max(arguments.prefill) <= 4096 else 4  # GiB
        scheduler.enable_prefix_caching = False
        start = time.perf_counter()
        self.pipeline = openvino_genai.ContinuousBatchingPipeline(
            arguments.model, scheduler, "CPU",
            {"INFERENCE_NUM_THREADS": arguments.threads})
        self.load_s = time.perf_counter() - start
        self.vocab = len(self.pipeline.get_tokenizer().get_vocab())

    def seconds(self, prompts, new_tokens):
        """Seconds until all prompts have their `new_tokens`."""
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = config.min_new_tokens = new_tokens
        config.ignore_eos = True
        config.do_sample = False
        start = time.perf_counter()
        answers = self.pipeline.generate(prompts, [config] * len(prompts))
        took = time.perf_counter() - start
        for answer in answers:
            if len(answer.m_generation_ids[0]) != new_tokens:
                raise SystemExit("an answer ended early")
        return took

    def best(self, prompts, new_tokens):
        return min(self.seconds(prompts, new_tokens) for _ in range(self.arguments.repeats))

    def prefill(self, count):
        return count / self.best([tokens(count, 0, self.vocab)], 1)

    def streams(self, count):
        prompts = [tokens(self.arguments.context, i, self.vocab) for i in range(count)]
        steps = self.arguments.steps
        return count * steps / (self.best(prompts, steps + 1) - self.best(prompts, 1))


def main():
    arguments = peer_arguments(__doc__)
    report(Peer(arguments), arguments)


if __name__ == "__main__":
    main()
