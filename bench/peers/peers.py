"""The peers: how each is installed, once, into build/peers, and how it is started.

llama.cpp is built for this machine (through llama-cpp-python, whose vendored copy is of the same
day: ten minutes on two cores); node-llama-cpp brings a prebuilt one (700 MB with the builds for
other machines), OpenVINO GenAI is PyPI's (300 MB), and so are what runs encoders (400 MB), the
LiteLLM proxy (750 MB) and PyTorch with PEFT (6 GB, since its wheels bring what GPUs need)."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HOME = ROOT / "build" / "peers"
VERSIONS = {"llama.cpp": "llama-cpp-python==0.3.36", "node-llama-cpp": "node-llama-cpp@3.22.1",
            "openvino": "openvino-genai==2026.4.1.0",
            "encoders": "onnxruntime==1.32.0 onnx==1.23.2 onnx-ir==1.1.0 openvino==2026.4.1 "
                        "safetensors==0.8.0",
            "litellm": "litellm[proxy]==1.106.12",
            "torch": "torch==2.15.0 transformers==5.24.0 peft==0.21.2 gguf==0.19.0 "
                     "lm-eval[api]==0.4.13"}
CMAKE = "-DGGML_NATIVE=ON -DMTMD_BUILD=OFF -DLLAVA_BUILD=OFF"
# The version that node-llama-cpp needs at least; Debian 12 has an older one.
NODE = "node@22.12.0"


class Missing(Exception):
    """A peer cannot be had here, or cannot run this model; says why."""


def call(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode < 0:
        raise Missing(f"{pathlib.Path(command[0]).name}: {signal.strsignal(-done.returncode)}")
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise Missing(f"{pathlib.Path(command[0]).name}: " + " / ".join(lines[-3:])[-400:])
    return done.stdout


def measure(command):
    """The JSON document that a program prints last."""
    return json.loads(call(command).strip().splitlines()[-1])


def machine(names):
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), "unknown")
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
                            capture_output=True, text=True).stdout.strip()
    return {"processor": model, "cores": len(os.sched_getaffinity(0)),
            "peers": {name: VERSIONS[name] for name in names}, "commit": commit}


def multiplies_bfloat16():
    """Whether the processor has instructions for it. PyTorch emulates them elsewhere, slower than fp32."""
    flags = next(line for line in open("/proc/cpuinfo") if line.startswith("flags")).split()
    return bool({"amx_bf16", "avx512_bf16"} & set(flags))


def python_with(name, module, *flags, **variables):
    """A Python of its own in which VERSIONS[name] is installed."""
    python = HOME / name / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", f"import {module}"],
                                             capture_output=True).returncode != 0:
        print(f"installing {VERSIONS[name]} (once)", file=sys.stderr)
        venv.create(HOME / name, with_pip=True)
        call([python, "-m", "pip", "install", "--quiet", *flags, *VERSIONS[name].split()],
             env=dict(os.environ, **variables))
    return str(python)


def llama_cpp():
    """PLINTH_PEER_PYTHON names a Python that has it already."""
    python = os.environ.get("PLINTH_PEER_PYTHON") or python_with(
        "llama.cpp", "llama_cpp", "--no-binary", "llama-cpp-python", CMAKE_ARGS=CMAKE)
    return [python, str(HERE / "llama_cpp_peer.py")]


def node_llama_cpp():
    modules = HOME / "node-llama-cpp"
    node = modules / "node_modules" / ".bin" / "node"
    if not node.exists():
        print(f"installing {VERSIONS['node-llama-cpp']} (once)", file=sys.stderr)
        modules.mkdir(parents=True, exist_ok=True)
        (modules / "package.json").write_text('{"private": true}\n')
        # Its own script would look for other builds; node's fetches its program.
        options = ["--prefix", str(modules), "--no-audit", "--no-fund"]
        call(["npm", "install", *options, "--ignore-scripts", VERSIONS["node-llama-cpp"]])
        call(["npm", "install", *options, NODE],
             env=dict(os.environ, NODE_LLAMA_CPP_SKIP_DOWNLOAD="true"))
    return ["env", f"PEER_FOLDER={modules}", str(node), str(HERE / "node_llama_peer.mjs")]


def openvino():
    return [python_with("openvino", "openvino_genai"), str(HERE / "openvino_peer.py")]


PEERS = {"llama.cpp": llama_cpp, "node-llama-cpp": node_llama_cpp, "openvino": openvino}


def installed(names):
    """The commands of those peers that can be had; the others are named with their reason."""
    commands = {}
    for name in names:
        try:
            commands[name] = PEERS[name]()
        except (Missing, OSError) as reason:
            print(f"without {name}: {reason}", file=sys.stderr)
    return commands


def generated(plinth, dtype):
    """The path of a model with random weights of `dtype`, written once."""
    path = HOME / f"llama-1b.{dtype}.gguf"
    if not path.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        call([plinth, "bench", "generate", "--type", dtype, str(path)])
    return str(path)
