"""PEFT on PyTorch for `finetune`: LoRA over a GGUF's weights, tokens from a file, as a document:

    python peft_peer.py MODEL.gguf TOKENS.json --dtype bfloat16 --threads 2 --rank 16 --batch-size 4
"""

import argparse
import json
import pathlib
import resource
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("tokens", type=pathlib.Path)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(
        str(arguments.model.parent), gguf_file=arguments.model.name,
        dtype=getattr(torch, arguments.dtype), attn_implementation="sdpa")
    base.config.use_cache = False
    model = get_peft_model(base, LoraConfig(
        r=arguments.rank, lora_alpha=16, lora_dropout=0, bias="none", task_type="CAUSAL_LM",
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]))
    learnt = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=2e-4, weight_decay=0)
    rows = torch.tensor(json.loads(arguments.tokens.read_text()))
    seconds, losses = [], []
    for begin in range(0, len(rows), arguments.batch_size):
        started = time.perf_counter()
        batch = rows[begin:begin + arguments.batch_size]
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": seconds, "losses": losses,
                      "resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
