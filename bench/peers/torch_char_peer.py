"""nanoGPT's small model on PyTorch for `train_char`: 4 layers, 4 heads, width 128, windows of 64, no dropout, no biases.

    python torch_char_peer.py TEXT --steps 2000 --batch-size 12 --threads 2 [--bfloat16]

Prints one document: seconds of the steps alone, and the loss over the whole unseen last tenth."""

import argparse
import contextlib
import json
import math
import pathlib
import time

import torch
from torch.nn import functional

LAYERS, HEADS, WIDTH, WINDOW = 4, 4, 128, 64


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(WIDTH, bias=False) for _ in range(2))
        self.qkv = torch.nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = torch.nn.Linear(WIDTH, WIDTH, bias=False)
        self.up = torch.nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = torch.nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = (part.view(b, t, HEADS, -1).transpose(1, 2) for part in self.qkv(self.norms[0](x)).split(WIDTH, 2))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, WIDTH))
        return x + self.down(functional.gelu(self.up(self.norms[1](x))))


class Model(torch.nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.tokens, self.places = torch.nn.Embedding(vocab, WIDTH), torch.nn.Embedding(WINDOW, WIDTH)
        self.blocks = torch.nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = torch.nn.LayerNorm(WIDTH, bias=False)
        for weight in self.parameters():
            if weight.dim() > 1:
                torch.nn.init.normal_(weight, 0, 0.02)
        for block in self.blocks:
            for weight in (block.out.weight, block.down.weight):
                torch.nn.init.normal_(weight, 0, 0.02 / math.sqrt(2 * LAYERS))

    def forward(self, ids, targets):
        x = self.norm(self.blocks(self.tokens(ids) + self.places(torch.arange(ids.shape[1]))))
        return functional.cross_entropy((x @ self.tokens.weight.T).flatten(0, 1).float(), targets.flatten())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bfloat16", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1337)
    text = arguments.text.read_text()
    letters = {letter: i for i, letter in enumerate(sorted(set(text)))}
    data = torch.tensor([letters[letter] for letter in text])
    learnt, unseen = data[:len(data) * 9 // 10], data[len(data) * 9 // 10:]
    model = Model(len(letters))
    decays = [weight for weight in model.parameters() if weight.dim() > 1]
    others = [weight for weight in model.parameters() if weight.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": decays, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}],
                                  lr=1e-3, betas=(0.9, 0.99), fused=True)
    precision = torch.autocast("cpu", torch.bfloat16) if arguments.bfloat16 else contextlib.nullcontext()
    started = time.perf_counter()
    for step in range(arguments.steps):
        part = (step - 100) / (arguments.steps - 100)
        rate = 1e-3 * (step + 1) / 100 if step < 100 else 1e-4 + 0.5 * (1 + math.cos(math.pi * part)) * 9e-4
        for group in optimizer.param_groups:
            group["lr"] = rate
        at = torch.randint(len(learnt) - WINDOW, (arguments.batch_size,))
        ids = torch.stack([learnt[i:i + WINDOW] for i in at])
        targets = torch.stack([learnt[i + 1:i + WINDOW + 1] for i in at])
        with precision:
            loss = model(ids, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    seconds = time.perf_counter() - started
    count = (len(unseen) - 1) // WINDOW
    with torch.no_grad():
        ids, targets = unseen[:count * WINDOW].view(-1, WINDOW), unseen[1:count * WINDOW + 1].view(-1, WINDOW)
        valid = sum(model(ids[i:i + 64], targets[i:i + 64]).item() * len(ids[i:i + 64]) for i in range(0, count, 64)) / count
    print(json.dumps({"seconds": seconds, "valid": valid}))


if __name__ == "__main__":
    main()
