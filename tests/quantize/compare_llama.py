#!/usr/bin/env python3
"""compare_llama.py LLAMA_LOGITS LLAMA_QUANTIZE: on demand: llama.cpp opens every type that build/quantize
writes; its logits are ours, and llama-quantize chooses the same type for each tensor. LLAMA_LOGITS is
tests/golden/llama_logits.cpp, built; LLAMA_QUANTIZE llama.cpp's own tool. Needs PyPI numpy and gguf, and
`make quantize`. Prints a line for each file; exits with 1 when one is too far off.

Distances are the largest difference as a share of the range. llama.cpp computes in 8 or 16 bits where the
weights are quantised or bf16, and so do we, each with its own rounding; hence the limit."""
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np

ROOT = pathlib.Path(__file__).parent.parent.parent
TYPES = "f32 f16 bf16 q8_0 q4_0 q4_k q4_k_s q4_k_m q5_k q5_k_s q5_k_m q6_k".split()
THEIR_NAME = {"q4_k": None, "q5_k": "q5_k_s"}       # a Q4_K without mixture llama-quantize does not make
LIMIT = {"f32": 1e-3, "f16": 1e-3, "bf16": 1e-2}    # others: 0.03
TOKENS = [2] + [i * 37 % 630 + 5 for i in range(95)]


def run(*command):
    subprocess.run([str(c) for c in command], check=True, capture_output=True)


def types_of(path):
    return {t.name: t.tensor_type.name for t in gguf.GGUFReader(path).tensors}


def main(llama_logits, llama_quantize, work):
    quantize, cli, failed = ROOT / "build/quantize", ROOT / "web/node/cli.js", False
    (work / "ids").write_text(" ".join(map(str, TOKENS)))
    for shape in ("tiny-gemma1", "tiny-gemma2", "tiny-gemma3"):
        folder, f32, theirs, model = work / shape, work / "f32.gguf", work / "theirs.gguf", work / "model.gguf"
        run(sys.executable, ROOT / "quantize/random_checkpoint.py", folder, "--shape", shape)
        run(quantize, "--in", folder, "--out", f32, "--type", "f32")
        for kind in TYPES:
            run(quantize, "--in", folder, "--out", model, "--type", kind)
            run(llama_logits, "logits", model, work / "ids", work / "a", "f32")
            run("node", cli, "logits", "--model", model, "--tokens-file", work / "ids", "--out", work / "b")
            a, b = np.fromfile(work / "a", np.float32), np.fromfile(work / "b", np.float32)
            apart, their_name, same = np.abs(a - b).max() / np.ptp(a), THEIR_NAME.get(kind, kind), "-"
            if their_name:
                run(llama_quantize, f32, theirs, their_name.upper())
                same = types_of(theirs) == types_of(model)
            good = same is not False and apart <= LIMIT.get(kind, 0.03)
            failed |= not good
            print(f"{shape} {kind:7} logits apart {apart:.1e}  same types: {same}{'' if good else '   <-- !'}")
    return failed


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        sys.exit(main(*map(pathlib.Path, sys.argv[1:3]), pathlib.Path(work)))
