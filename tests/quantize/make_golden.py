#!/usr/bin/env python3
"""make_golden.py LLAMA_CPP: asks others what the tests here compare with, and writes
golden/tiny-gemma{1,2,3}.json and .bin. Needs PyPI transformers, torch, tokenizers, gguf, and a checkout of
llama.cpp (figures here: commit 0c1e570; transformers 5.24).

The checkpoints are made by quantize/random_checkpoint.py, as the tests make them. Of each:
  tokens, positions, n_vocab   transformers' logits in float32 for these tokens: .bin, float32 [positions, n_vocab]
  config                       config.json as transformers 5 writes it
  texts                        [{text, ids}]: what PyPI tokenizers makes of them by tokenizer.json
  metadata                     {key: value} that llama.cpp's convert_hf_to_gguf.py writes; of lists
                               [n, SHA-256 of the lines]
  tensors                      {name: [type, [dimensions]]} of the same file, --outtype bf16"""
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np
import tokenizers
import torch
import transformers

HERE = pathlib.Path(__file__).parent
SCRIPT = HERE.parent.parent / "quantize/random_checkpoint.py"
TEXTS = ["the sea at night", "the moon stands in it like a coin in the hand of a child.",
         " two  spaces,   three\tand a tab\n\n\nlines", "", "Grüße 中文 \U0001f41e ▁ é",
         "<b>bold</b><table></table> <start_of_turn>user\nHi<end_of_turn>",
         "<0x41> <unused5> <pad>", "aaaaabbbbb aaaa      x"]


def metadata_of(reader):
    out = {}
    for key, field in reader.fields.items():
        if key.startswith("GGUF."):
            continue
        value = field.contents()
        if isinstance(value, list):
            lines = "\n".join(v if isinstance(v, str) else str(int(v)) for v in value)
            value = [len(value), hashlib.sha256(lines.encode()).hexdigest()]
        out[key] = value
    return out


def make(shape, llama_cpp, work):
    folder = work / f"{shape}-it"
    subprocess.run([sys.executable, SCRIPT, folder, "--shape", shape], check=True)
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = [dict(text=text, ids=tokenizer.encode(text, add_special_tokens=False).ids) for text in TEXTS]
    tokens = [2] + [i for case in texts for i in case["ids"]][:95]
    positions = [0, 1, 2, 7, 15, 16, 17, 31, 32, 33, 64, len(tokens) - 1]

    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32,
        attn_implementation="eager").eval()
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0].numpy()
    logits[positions].astype(np.float32).tofile(HERE / f"golden/{shape}.bin")

    model.config.save_pretrained(work / "config")
    config = json.loads((work / "config/config.json").read_text())
    converted = work / f"{shape}.gguf"
    subprocess.run([sys.executable, llama_cpp / "convert_hf_to_gguf.py", folder, "--outfile", converted,
                    "--outtype", "bf16"], check=True, capture_output=True,
                   env=dict(PYTHONPATH=str(llama_cpp / "gguf-py"), PATH="/usr/bin:/bin"))
    reader = gguf.GGUFReader(converted)
    tensors = {t.name: [t.tensor_type.name, [int(n) for n in t.shape]] for t in reader.tensors}
    golden = dict(config=config, tokens=tokens, positions=positions, n_vocab=logits.shape[1], texts=texts,
                  metadata=metadata_of(reader), tensors=tensors)
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in golden.items())
    (HERE / f"golden/{shape}.json").write_text("{" + lines + "}\n", encoding="utf-8")
    print(shape, "logits from", logits.min(), "to", logits.max())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        for generation in (1, 2, 3):
            make(f"tiny-gemma{generation}", pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(work))
