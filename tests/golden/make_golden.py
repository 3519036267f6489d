#!/usr/bin/env python3
"""make_golden.py LLAMA_LOGITS LLAMA_QUANTIZE [GEMMA3_270M]: asks llama.cpp what the golden tests compare
with. LLAMA_LOGITS is llama_logits.cpp, built; LLAMA_QUANTIZE is llama.cpp's own tool. Needs PyPI numpy.
llama.cpp runs the same weights in f32 (made by llama-quantize --allow-requantize ... F32) with an f32 KV
cache and without flash attention; its own quantised run (f16 cache) tells how far off a good engine is.

Tiny models: NAME.json {tokens, positions, n_vocab, llama: {max_diff_of_range, mean_kl}} and NAME.bin, float32
[positions, n_vocab]. The 270M, 512 tokens of text.txt: gemma3-270m.json {tokens, n_top, llama: {mean_kl,
top1, perplexity, perplexity_f32}} and gemma3-270m.bin: for each position log-sum-exp f32, then n_top ids u32,
then their log-probabilities f32, best first. The same of 1,500 tokens, of text.txt and then of LICENSE,
almost three times the windows of its local layers: gemma3-270m-long, with fewer tokens a position, {...,
first, nll}: the divergences are those of positions from `first` on, and nll has -log p of each next token.

Divergences there are sums over the stored tokens plus one bucket for all others: what a test can compute from
the file, a little below the full sum for both engines alike."""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).parent
N_TOP = 256


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


class Llama:
    def __init__(self, logits, quantize, work):
        self.tool, self.quantize, self.work = logits, quantize, pathlib.Path(work)

    def as_f32(self, model):
        out = self.work / "f32.gguf"
        subprocess.run([self.quantize, "--allow-requantize", model, out, "F32"], check=True, capture_output=True)
        return out

    def tokenize(self, model, text):
        return [int(i) for i in subprocess.run([self.tool, "tokenize", model, text],
                                               check=True, capture_output=True).stdout.split()]

    def logits(self, model, tokens, cache):
        ids, out = self.work / "ids", self.work / "logits"
        ids.write_text(" ".join(map(str, tokens)))
        subprocess.run([self.tool, "logits", model, ids, out, cache], check=True)
        return np.fromfile(out, np.float32).reshape(len(tokens), -1)


def make_tiny(llama, name):
    model = HERE / f"{name}.gguf"
    tokens = llama.tokenize(model, HERE / "text.txt")[:200]
    f32 = llama.logits(llama.as_f32(model), tokens, "f32")
    own = llama.logits(model, tokens, "f16")
    positions = sorted({*range(0, len(tokens), 13), 15, 16, 17, 31, 32, 33, len(tokens) - 1})
    f32[positions].tofile(HERE / f"{name}.bin")
    p, q = log_softmax(f32), log_softmax(own)
    write_json(name, dict(
        model=model.name, n_vocab=f32.shape[1], tokens=tokens, positions=positions,
        llama=dict(max_diff_of_range=float(np.abs(f32 - own).max() / np.ptp(f32)),
                   mean_kl=float((np.exp(p) * (p - q)).sum(-1).mean()))))


def top_kl(p, q, ids):
    """KL(p || q) with all tokens but `ids` in one bucket."""
    pt, qt = np.take_along_axis(p, ids, -1), np.take_along_axis(q, ids, -1)
    rest_p, rest_q = 1 - np.exp(pt).sum(-1), 1 - np.exp(qt).sum(-1)
    return (np.exp(pt) * (pt - qt)).sum(-1) + rest_p * np.log(rest_p / rest_q)


def make_270m(llama, model, name, text, n_tok, n_top, first):
    """Its divergences are those of positions from `first` on."""
    tokens = llama.tokenize(model, text)[:n_tok]
    f32 = llama.logits(llama.as_f32(model), tokens, "f32")
    own = llama.logits(model, tokens, "f16")
    target = np.array(tokens[1:] + [0])
    kl, same, nll = [], [], []
    with open(HERE / f"{name}.bin", "wb") as out:
        for i in range(0, n_tok, 64):       # as float64 all of them would take gigabytes
            p, q = log_softmax(f32[i:i + 64]), log_softmax(own[i:i + 64])
            ids = np.argsort(-p, -1, kind="stable")[:, :n_top]
            top = np.take_along_axis(p, ids, -1).astype(np.float32)
            lse = (f32[i:i + 64, 0] - p[:, 0]).astype(np.float32)
            for row in zip(lse, ids.astype(np.uint32), top):
                out.write(b"".join(x.tobytes() for x in row))
            kl.extend(top_kl(p, q, ids))
            same.extend(p.argmax(-1) == q.argmax(-1))
            nll.extend(-np.stack([np.take_along_axis(x, target[i:i + 64, None], -1)[:, 0] for x in (p, q)], -1))
    nll = np.array(nll)[:-1]
    perplexity, perplexity_f32 = np.exp(nll[first:].mean(0))[::-1]
    write_json(name, dict(
        tokens=tokens, n_top=n_top, **(dict(first=first, nll=[round(float(x), 4) for x in nll[:, 0]]) if first else {}),
        llama=dict(mean_kl=float(np.mean(kl[first:])), top1=float(np.mean(same[first:])),
                   perplexity=float(perplexity), perplexity_f32=float(perplexity_f32))))


def write_json(name, data):
    (HERE / f"{name}.json").write_text(json.dumps(data) + "\n")
    print(name, data["llama"])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        llama = Llama(*sys.argv[1:3], work)
        for tiny in ("tiny-gemma1", "tiny-gemma2", "tiny-gemma3", "tiny-low-bits"):
            make_tiny(llama, tiny)
        if len(sys.argv) > 3:
            make_270m(llama, sys.argv[3], "gemma3-270m", HERE / "text.txt", 512, 256, 0)
            long = llama.work / "long.txt"
            long.write_text((HERE / "text.txt").read_text() + (HERE / "../../LICENSE").read_text())
            make_270m(llama, sys.argv[3], "gemma3-270m-long", long, 1500, 8, 512)
