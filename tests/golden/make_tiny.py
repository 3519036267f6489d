#!/usr/bin/env python3
"""make_tiny.py: writes tiny-gemma1.gguf, tiny-gemma2.gguf, tiny-gemma3.gguf and tiny-low-bits.gguf (a Gemma
1) beside itself: random weights, real structure, about a megabyte each. Together they hold every weight type
that the engine reads. Needs PyPI gguf and numpy; the seed is fixed.

Weights have a standard deviation of gain / sqrt(n_in) and a mean of zero: a mean would add up over the layers
until the output no longer depended on the input. The gains make layers outweigh the embedding, or a tied head
would only echo the last token."""
import pathlib
import zlib

import numpy as np
from gguf import GGUFWriter, GGMLQuantizationType as T, TokenType, quants

HERE = pathlib.Path(__file__).parent
CHAT = ("{{ bos_token }}{% for m in messages %}"
        "{{ '<start_of_turn>' + m['role'] + '\n' + m['content'] | trim + '<end_of_turn>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}")

# By file; which type each matrix has; a list is walked layer by layer.
MODELS = {
    "tiny-gemma1": dict(
        arch="gemma", n_vocab=707, n_layer=3, n_embd=256, n_head=4, n_head_kv=1, head_dim=64, n_ff=512, n_ctx=512,
        types=dict(token_embd=T.Q6_K, attn_q=T.Q4_0, attn_k=T.Q4_1, attn_v=T.Q5_1, attn_output=T.Q4_0,
                   ffn_gate=T.Q4_0, ffn_up=T.Q5_0, ffn_down=T.Q4_K)),
    "tiny-gemma2": dict(
        arch="gemma2", n_vocab=656, n_layer=3, n_embd=256, n_head=8, n_head_kv=4, head_dim=32, n_ff=256,
        n_ctx=512, window=32,
        types=dict(token_embd=T.Q8_0, attn_q=T.Q4_K, attn_k=T.Q5_K, attn_v=T.Q6_K, attn_output=T.Q4_K,
                   ffn_gate=T.Q5_K, ffn_up=[T.F16, T.Q4_K], ffn_down=T.Q6_K)),
    "tiny-gemma3": dict(
        arch="gemma3", n_vocab=699, n_layer=7, n_embd=128, n_head=4, n_head_kv=1, head_dim=64, n_ff=256,
        n_ctx=512, window=16,
        types=dict(token_embd=T.Q8_0, output=T.Q5_0, attn_q=T.Q5_0, attn_k=T.BF16, attn_v=T.F16, attn_output=T.Q4_1,
                   ffn_gate=[T.Q8_0, T.Q5_1], ffn_up=[T.F32, T.Q5_1, T.Q4_0, T.Q5_1, T.Q4_0, T.Q5_1, T.Q4_0],
                   ffn_down=T.Q5_K)),
    "tiny-low-bits": dict(
        arch="gemma", n_vocab=707, n_layer=3, n_embd=256, n_head=4, n_head_kv=1, head_dim=64, n_ff=512, n_ctx=512,
        types=dict(token_embd=T.Q3_K, attn_q=T.Q2_K, attn_k=T.Q3_K, attn_v=T.IQ4_NL, attn_output=[T.Q3_K, T.Q2_K],
                   ffn_gate=T.Q2_K, ffn_up=T.IQ4_NL, ffn_down=[T.IQ4_NL, T.Q3_K, T.Q2_K])),
}


def learn_pieces(text, n):
    """n pieces of byte-pair encoding, best first, then all characters of the text, rarest last."""
    words, merges = [list(text.replace(" ", "▁"))], []
    while len(merges) < n:
        pairs = {}
        for w in words:
            for pair in zip(w, w[1:]):
                if "\n" not in pair[0] + pair[1]:
                    pairs[pair] = pairs.get(pair, 0) + 1
        best = max(sorted(pairs), key=lambda p: pairs[p])
        merges.append(best)
        for w in words:
            i = 0
            while i < len(w) - 1:
                if (w[i], w[i + 1]) == best:
                    w[i:i + 2] = ["".join(best)]
                i += 1
    pieces = list(dict.fromkeys("".join(m) for m in merges))
    chars = sorted(set(text.replace(" ", "▁")) - {"\n"}, key=lambda c: (-text.count(c), c))
    return pieces, chars


def vocabulary(n_vocab):
    """(piece, score, type) by id, ordered as Gemma's: specials, user-defined, bytes, pieces, characters."""
    rows = [("<pad>", -1000, TokenType.CONTROL), ("<eos>", -1000, TokenType.CONTROL),
            ("<bos>", -1000, TokenType.CONTROL),
            ("<unk>", -1000, TokenType.UNKNOWN), ("<mask>", -1000, TokenType.USER_DEFINED)]
    rows += [("<start_of_turn>", -1000, TokenType.CONTROL), ("<end_of_turn>", -1000, TokenType.CONTROL)]
    rows += [("\n" * n, -1000, TokenType.USER_DEFINED) for n in range(1, 6)]
    rows += [("▁" * n, -1000, TokenType.USER_DEFINED) for n in range(2, 6)]
    rows += [(t, -1000, TokenType.USER_DEFINED) for t in ("<b>", "</b>", "<table>", "</table>")]
    rows += [(f"<0x{b:02X}>", -1000, TokenType.BYTE) for b in range(256)]
    text = (HERE / "text.txt").read_text()
    pieces, chars = learn_pieces(text, n_vocab - len(rows) - len(set(text)))
    taken = {r[0] for r in rows}
    normal = [p for p in dict.fromkeys(pieces + chars) if p not in taken][:n_vocab - len(rows)]
    rows += [(p, -float(i), TokenType.NORMAL) for i, p in enumerate(normal)]
    rows += [(f"<unused{i}>", -1000, TokenType.UNUSED) for i in range(n_vocab - len(rows))]
    return rows


def block_halves(rng, n, base):
    """d of n blocks, near base."""
    return (base * rng.uniform(0.8, 1.2, n)).astype(np.float16)


def k_scales(sc, m):
    """8 scales and 8 minimums of 6 bits as the 12 bytes of Q4_K and Q5_K; sc, m: uint8 [n, 8]."""
    out = np.zeros((len(sc), 12), np.uint8)
    out[:, 0:4] = (sc[:, :4] & 63) | ((sc[:, 4:] >> 4) << 6)
    out[:, 4:8] = (m[:, :4] & 63) | ((m[:, 4:] >> 4) << 6)
    out[:, 8:12] = (sc[:, 4:] & 15) | ((m[:, 4:] & 15) << 4)
    return out


def signed(rng, d):
    """As bytes, each of random sign: for types without a minimum, whose codes have a mean."""
    return (d * rng.choice(np.array([-1, 1], np.float16), len(d)))[:, None].view(np.uint8)


def block_matrix(rng, kind, rows, cols, std):
    """Random blocks of types that the gguf package can read but not write."""
    if kind == T.IQ4_NL:
        n = rows * cols // 32
        out = rng.integers(0, 256, (n, 18), np.uint8)
        out[:, 0:2] = signed(rng, block_halves(rng, n, std / 67))
        return out.reshape(rows, -1)
    n = rows * cols // 256
    if kind == T.Q2_K:
        out = rng.integers(0, 256, (n, 84), np.uint8)
        out[:, 0:16] = rng.integers(5, 16, (n, 16), np.uint8) * 17      # a sub-min that is the sub-scale
        d = block_halves(rng, n, std / 1.12 / 10.5)
        out[:, 80:82] = d[:, None].view(np.uint8)
        out[:, 82:84] = (d * np.float16(1.5))[:, None].view(np.uint8)
        return out.reshape(rows, -1)
    if kind == T.Q3_K:
        out = rng.integers(0, 256, (n, 110), np.uint8)
        out[:, 108:110] = signed(rng, block_halves(rng, n, std / 2.35 / 18.5))
        return out.reshape(rows, -1)
    if kind == T.Q6_K:
        out = rng.integers(0, 256, (n, 210), np.uint8)
        out[:, 192:208] = rng.integers(32, 96, (n, 16), np.int8).view(np.uint8)
        out[:, 208:210] = signed(rng, block_halves(rng, n, std / 18.5 / 65))
        return out.reshape(rows, -1)
    five = kind == T.Q5_K
    out = rng.integers(0, 256, (n, 176 if five else 144), np.uint8)
    spread, mean = (9.2, 16) if five else (4.6, 8)
    d = block_halves(rng, n, std / spread / 40)
    sc = rng.integers(20, 60, (n, 8), dtype=np.uint8)
    out[:, 0:2] = d[:, None].view(np.uint8)
    out[:, 2:4] = (d * np.float16(mean))[:, None].view(np.uint8)
    out[:, 4:16] = k_scales(sc, np.round(sc * (mean - 0.5) / mean).astype(np.uint8))
    return out.reshape(rows, -1)


def matrix(name, kind, rows, cols):
    rng = np.random.default_rng([2026, zlib.crc32(name.encode())])
    gain = 4 if "attn_output" in name else 3 if "ffn_down" in name else 1
    std = gain / np.sqrt(cols)
    if kind in (T.IQ4_NL, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K):
        return block_matrix(rng, kind, rows, cols, std)
    return quants.quantize((rng.standard_normal((rows, cols)) * std).astype(np.float32), kind)


def write(model):
    s, a = MODELS[model], MODELS[model]["arch"]
    w = GGUFWriter(HERE / f"{model}.gguf", a)
    w.add_name(f"tiny random {a}" + ("" if a == "gemma2" else " it"))
    w.add_context_length(s["n_ctx"])
    w.add_embedding_length(s["n_embd"])
    w.add_block_count(s["n_layer"])
    w.add_feed_forward_length(s["n_ff"])
    w.add_head_count(s["n_head"])
    w.add_head_count_kv(s["n_head_kv"])
    w.add_key_length(s["head_dim"])
    w.add_value_length(s["head_dim"])
    w.add_layer_norm_rms_eps(1e-6)
    if a == "gemma2":
        w.add_attn_logit_softcapping(50.0)
        w.add_final_logit_softcapping(30.0)
    if "window" in s:
        w.add_sliding_window(s["window"])
    if a == "gemma3":
        w.add_rope_freq_base(1e6)
        w.add_string("gemma3.rope.scaling.type", "linear")
        w.add_float32("gemma3.rope.scaling.factor", 8.0)
    vocab = vocabulary(s["n_vocab"])
    w.add_tokenizer_model("llama")
    w.add_token_list([v[0] for v in vocab])
    w.add_token_scores([float(v[1]) for v in vocab])
    w.add_token_types([int(v[2]) for v in vocab])
    w.add_bos_token_id(2)
    w.add_eos_token_id(1)
    w.add_unk_token_id(3)
    w.add_add_bos_token(True)
    w.add_add_space_prefix(False)
    if a != "gemma2":
        w.add_chat_template(CHAT)
    n_q, n_kv = s["n_head"] * s["head_dim"], s["n_head_kv"] * s["head_dim"]
    shapes = dict(attn_q=(n_q, s["n_embd"]), attn_k=(n_kv, s["n_embd"]), attn_v=(n_kv, s["n_embd"]),
                  attn_output=(s["n_embd"], n_q),
                  ffn_gate=(s["n_ff"], s["n_embd"]), ffn_up=(s["n_ff"], s["n_embd"]), ffn_down=(s["n_embd"], s["n_ff"]))
    norms = dict(attn_norm=s["n_embd"], ffn_norm=s["n_embd"])
    if a != "gemma":
        norms.update(post_attention_norm=s["n_embd"], post_ffw_norm=s["n_embd"])
    if a == "gemma3":
        norms.update(attn_q_norm=s["head_dim"], attn_k_norm=s["head_dim"])

    def add_matrix(name, kind, shape):
        w.add_tensor(name + ".weight", matrix(name, kind, *shape), raw_dtype=kind)

    def add_norm(name, n):
        x = 1 + 0.1 * np.random.default_rng([7, zlib.crc32(name.encode())]).standard_normal(n)
        w.add_tensor(name + ".weight", x.astype(np.float32))

    add_matrix("token_embd", s["types"]["token_embd"], (s["n_vocab"], s["n_embd"]))
    if "output" in s["types"]:
        add_matrix("output", s["types"]["output"], (s["n_vocab"], s["n_embd"]))
    add_norm("output_norm", s["n_embd"])
    for i in range(s["n_layer"]):
        for part, n in norms.items():
            add_norm(f"blk.{i}.{part}", n)
        for part, shape in shapes.items():
            kind = s["types"][part]
            add_matrix(f"blk.{i}.{part}", kind[i % len(kind)] if isinstance(kind, list) else kind, shape)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    for model in MODELS:
        write(model)
