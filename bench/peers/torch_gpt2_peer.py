"""GPT-2 124M on PyTorch for `pretrain`:

    python torch_gpt2_peer.py make FOLDER                       random weights there; prints how many
    python torch_gpt2_peer.py train FOLDER DATA.jsonl --precision float32|bfloat16|autocast    a document
"""

import argparse
import contextlib
import json
import pathlib
import resource
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel


def make(folder):
    torch.manual_seed(1)
    model = GPT2LMHeadModel(GPT2Config())
    model.save_pretrained(folder)
    # Tokens are bytes, as GPT-2 spells them; no text has the others.
    printable = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b <= 255]
    letters = {b: chr(b) for b in printable}
    letters.update({b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in letters)})
    vocab = {letters[b]: b for b in range(256)}
    vocab.update({f"<unused{i}>": i for i in range(256, model.config.vocab_size - 1)})
    end = {"id": model.config.vocab_size - 1, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False,
           "normalized": False, "special": True}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": [end], "normalizer": None, "pre_tokenizer": level, "post_processor": None,
        "decoder": level, "model": {"type": "BPE", "vocab": vocab, "merges": []}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>"}))
    print(sum(weight.numel() for weight in model.parameters()))


def train(arguments):
    torch.set_num_threads(arguments.threads)
    short = arguments.precision == "bfloat16"
    model = GPT2LMHeadModel.from_pretrained(arguments.folder, attn_implementation="sdpa",
                                            dtype=torch.bfloat16 if short else torch.float32)
    for dropout in [part for part in model.modules() if isinstance(part, torch.nn.Dropout)]:
        dropout.p = 0
    model.config.use_cache = False
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    rows = torch.tensor([list(json.loads(line)["text"].encode())[:arguments.tokens]
                         for line in arguments.data.read_text().splitlines()])
    autocast = arguments.precision == "autocast"
    precision = torch.autocast("cpu", torch.bfloat16) if autocast else contextlib.nullcontext()
    seconds, losses = [], []
    for begin in range(0, len(rows), arguments.batch_size):
        started = time.perf_counter()
        batch = rows[begin:begin + arguments.batch_size]
        with precision:
            loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": seconds[1:], "losses": losses,
                      "resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["make", "train"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path, nargs="?")
    parser.add_argument("--precision", default="bfloat16", choices=["float32", "bfloat16", "autocast"])
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    make(arguments.folder) if arguments.what == "make" else train(arguments)


if __name__ == "__main__":
    main()
