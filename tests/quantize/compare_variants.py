#!/usr/bin/env python3
"""compare_variants.py [REGULAR_EXPRESSION]: on demand: settings of config.json, each set to many values in a
checkpoint of each Gemma. Either build/quantize refuses it, or the engine computes transformers' logits, or
transformers can't read it either. Prints a line for each; exits with 1 when a model is another than
transformers'. Needs PyPI transformers and torch (figures here: transformers 5.24), `make quantize` and `make
wasm`. variants.test.js holds what came out."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers

ROOT = pathlib.Path(__file__).parent.parent.parent
TOKENS = [2] + [i * 37 % 600 + 30 for i in range(60)]
ABSENT = object()
LIMIT = 1e-3            # of the logits' range
LOCAL, GLOBAL = dict(rope_type="default", rope_theta=10000.0), dict(rope_type="linear", factor=8.0, rope_theta=1e6)
ROPES = [{}, dict(factor=4.0), dict(rope_type="linear"), dict(type="linear", factor=4.0),
         dict(type="linear", rope_type="default", factor=4.0), dict(rope_type="default", factor=4.0),
         dict(rope_type="default", rope_theta=77777.0),
         *(dict(rope_type="linear", factor=f) for f in (0.5, 1.0, 4.0)),
         dict(rope_type="linear", factor=4.0, partial_rotary_factor=0.5),
         dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=128),
         dict(rope_type="dynamic", factor=4.0), dict(rope_type=None, factor=4.0)]
VALUES = dict(
    head_dim=[128], num_key_value_heads=[2], num_attention_heads=[], rms_norm_eps=[1e-5, 0],
    max_position_embeddings=[], rope_theta=[5e5, "10000"], rope_local_base_freq=[5e4],
    hidden_act=["gelu", "gelu_pytorch_tanh", "silu"], hidden_activation=["gelu", "silu"],
    query_pre_attn_scalar=[100, 256], sliding_window=[8], sliding_window_pattern=[2, 3, 6],
    layer_types=[["full_attention"] * n for n in (3, 4, 7)] + [["sliding_attention", "full_attention"] * 2],
    attn_logit_softcapping=[0.0, 20.0], final_logit_softcapping=[0.0, 5.0],
    attention_bias=[True, False], use_bidirectional_attention=[True, False],
    tie_word_embeddings=[True, False], model_type=["gemma", "gemma2", "gemma3_text"],
    partial_rotary_factor=[0.5], rope_scaling=ROPES,
    rope_parameters=ROPES + [dict(full_attention=rope, sliding_attention=LOCAL) for rope in ROPES]
    + [dict(full_attention=GLOBAL, sliding_attention=rope) for rope in ROPES])


def changes():
    for key, values in VALUES.items():
        for value in (ABSENT, None, *values):
            # Old and new ways to say RoPE exclude one another.
            yield {key: value, **(dict(rope_scaling=ABSENT) if key == "rope_parameters" else {})}


def theirs(folder):
    """(logits, None), or (None, why not)."""
    try:
        model, loading = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32,
            attn_implementation="eager", output_loading_info=True)
        if loading["missing_keys"] or loading["mismatched_keys"]:
            return None, "tensors are missing"
        with torch.no_grad():
            logits = model.eval()(torch.tensor([TOKENS])).logits[0].numpy()
        return (logits, None) if np.isfinite(logits).all() else (None, "NaN")
    except Exception as error:      # any exception: transformers does not take the checkpoint
        return None, f"{type(error).__name__}: {str(error)[:60]!r}"


def ours(folder, work):
    model = work / "model.gguf"
    done = subprocess.run([ROOT / "build/quantize", "--in", folder, "--out", model, "--type", "f32"],
                          capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr.strip().split("config.json: ")[-1]
    (work / "ids").write_text(" ".join(map(str, TOKENS)))
    command = ["node", ROOT / "web/node/cli.js", "logits", "--model", model, "--tokens-file", work / "ids",
               "--out", work / "logits", "--exact"]
    subprocess.run([str(c) for c in command], check=True, capture_output=True)
    return np.fromfile(work / "logits", np.float32).reshape(len(TOKENS), -1), None


def main(pattern, work):
    wrong = 0
    for generation in (1, 2, 3):
        folder = work / f"gemma{generation}"
        subprocess.run(
            [sys.executable, ROOT / "quantize/random_checkpoint.py", folder, "--shape",
             f"tiny-gemma{generation}"], check=True)
        config = json.loads((folder / "config.json").read_text())
        for change in changes():
            name = f"Gemma {generation} " + json.dumps(
                {key: "(absent)" if value is ABSENT else value for key, value in change.items()})
            if not re.search(pattern, name):
                continue
            changed = {key: value for key, value in {**config, **change}.items() if value is not ABSENT}
            (folder / "config.json").write_text(json.dumps(changed))
            a, why_not = ours(folder, work)
            if a is None:
                print(f"{name}: refused: {why_not}")
                continue
            b, they = theirs(folder)
            apart = np.abs(a - b).max() / np.ptp(b) if b is not None else None
            wrong += b is not None and not apart <= LIMIT
            print(f"{name}: " + (f"{apart:.1e} apart{'' if apart <= LIMIT else '   <-- !'}" if b is not None
                                 else f"converted, but transformers: {they}"), flush=True)
    return wrong > 0


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ".", pathlib.Path(scratch)))
