"""lm-eval against our completions API and against transformers on the same weights: compare.py PLINTH MODEL.gguf RESULT.tap

Every score must be within the larger standard error of the two; and so must `plinth eval`'s where it has the same task."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TASKS = {"plinth_agreement": "acc,none", "plinth_sums": "acc,none", "plinth_said": "exact_match,word"}
SAVE = """import sys, torch, transformers
tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1], gguf_file=sys.argv[2])
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], gguf_file=sys.argv[2], dtype=torch.float32)
# The numbers are plain by now: a model like any other.
plain = transformers.AutoModelForCausalLM.from_config(model.config, dtype=torch.float32)
plain.load_state_dict(model.state_dict())
if hasattr(plain.config, "quantization_config"): del plain.config.quantization_config
tokenizer.save_pretrained(sys.argv[3]); plain.save_pretrained(sys.argv[3])"""


def lm_eval(scratch, name, arguments, environment):
    output = scratch / name
    subprocess.run([sys.executable, "-m", "lm_eval", "--model", *arguments, "--tasks", ",".join(TASKS), "--include_path",
                    str(scratch / "tasks"), "--output_path", str(output), "--batch_size", "16", "--device", "cpu"],
                   check=True, env=environment, timeout=900, stdout=subprocess.DEVNULL)
    found = json.loads(next(output.rglob("results*.json")).read_text())["results"]
    return {task: (found[task][metric], found[task][metric.replace(",", "_stderr,")]) for task, metric in TASKS.items()}


def ours(plinth, model, scratch, environment):
    command = [plinth, "--home", str(scratch / "home")]
    subprocess.run([*command, "model", "import", str(model), "--as", "tested"], check=True, stdout=subprocess.DEVNULL)
    service = subprocess.Popen([*command, "up", "--no-default", "--model", "tested", "--listen", "127.0.0.1:0", "--json",
                                "--log-level", "warn"], stdout=subprocess.PIPE, text=True)
    try:
        ready = json.loads(service.stdout.readline())
        arguments = (f"base_url={ready['url']}/v1/completions,model=tested,tokenizer_backend=huggingface,"
                     f"tokenizer={scratch / 'hf'},tokenized_requests=True,num_concurrent=4,max_length=2048")
        return lm_eval(scratch, "ours", ["local-completions", "--model_args", arguments],
                       dict(environment, OPENAI_API_KEY=ready["api_key"]))
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(timeout=60)


def main():
    plinth, model, tap = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3]
    environment = dict(os.environ, HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    failed = 0
    with tempfile.TemporaryDirectory() as scratch, open(tap, "w") as results:
        scratch = pathlib.Path(scratch)
        environment["HF_DATASETS_CACHE"] = str(scratch / "cache")
        subprocess.run([sys.executable, str(HERE / "make_tasks.py"), str(scratch / "tasks")], check=True)
        subprocess.run([sys.executable, "-c", SAVE, str(model.parent), model.name, str(scratch / "hf")], check=True,
                       stdout=subprocess.DEVNULL)
        told = ours(plinth, model, scratch, environment)
        expected = lm_eval(scratch, "hf", ["hf", "--model_args", f"pretrained={scratch / 'hf'},dtype=float32"], environment)
        for task, (score, error) in told.items():
            reference, reference_error = expected[task]
            right = abs(score - reference) <= max(error, reference_error)
            failed += not right
            line = f"{'ok' if right else 'not ok'} lm_eval.{task} ours {score:.4f} +- {error:.4f}, transformers {reference:.4f} +- {reference_error:.4f}"
            print(line)
            results.write(line + "\n")
    return 1 if failed else 0


sys.exit(main())
