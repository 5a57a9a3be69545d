"""Questions, a JSON list from stdin, answered greedily by a folder's model: ask_transformers.py FOLDER

Prints one JSON document: the prompts as the folder's template makes them, and the answers."""
import json
import sys

import torch
import transformers

tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
prompts = [tokenizer.apply_chat_template([{"role": "user", "content": question}], add_generation_prompt=True, tokenize=False)
           for question in json.load(sys.stdin)]
answers = []
for prompt in prompts:
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
    out = model.generate(**ids, max_new_tokens=16, do_sample=False)
    answers.append(tokenizer.decode(out[0][ids["input_ids"].shape[1]:], skip_special_tokens=True))
print(json.dumps({"prompts": prompts, "answers": answers}))
