#!/usr/bin/env python3
"""random_checkpoint.py DIR --shape SHAPE [options]: writes a Gemma checkpoint of random weights in the layout
of PyPI transformers: safetensors, config.json, and a small made-up tokenizer in both forms. For tests, and
for measuring at full size: it needs nothing but Python 3.9, and little memory at any scale. The same options
give the same bytes everywhere.

Rows are cut at random places out of a pool of random numbers, one pool for each standard deviation: drawing
every number would take hours at 17 GB. Weights have a standard deviation of gain / sqrt(n_in); the gains make
layers outweigh the embedding, so that the output of a tied head depends on more than the last token."""
import argparse
import array
import itertools
import json
import math
import pathlib
import random
import struct

SHAPES = {
    #                   generation  layers  embd  heads  kv  head_dim   ff     vocab   context  window
    "tiny-gemma1":      dict(generation=1, n_layer=3, n_embd=256, n_head=4, n_head_kv=1, head_dim=64,
                             n_ff=512, n_vocab=640, n_ctx=512),
    "tiny-gemma2":      dict(generation=2, n_layer=4, n_embd=256, n_head=8, n_head_kv=4, head_dim=32,
                             n_ff=512, n_vocab=640, n_ctx=512, window=16),
    "tiny-gemma3":      dict(generation=3, n_layer=7, n_embd=128, n_head=4, n_head_kv=1, head_dim=32,
                             n_ff=256, n_vocab=640, n_ctx=512, window=16),
    "gemma-2b":         dict(generation=1, n_layer=18, n_embd=2048, n_head=8, n_head_kv=1, head_dim=256,
                             n_ff=16384, n_vocab=256000, n_ctx=8192),
    "gemma-7b":         dict(generation=1, n_layer=28, n_embd=3072, n_head=16, n_head_kv=16, head_dim=256,
                             n_ff=24576, n_vocab=256000, n_ctx=8192),
    "gemma2-2b":        dict(generation=2, n_layer=26, n_embd=2304, n_head=8, n_head_kv=4, head_dim=256,
                             n_ff=9216, n_vocab=256000, n_ctx=8192, window=4096),
    "gemma3-270m":      dict(generation=3, n_layer=18, n_embd=640, n_head=4, n_head_kv=1, head_dim=256,
                             n_ff=2048, n_vocab=262144, n_ctx=32768, window=512),
    "gemma3-1b":        dict(generation=3, n_layer=26, n_embd=1152, n_head=4, n_head_kv=1, head_dim=256,
                             n_ff=6912, n_vocab=262144, n_ctx=32768, window=512),
}
CHAT = ("{{ bos_token }}{% for m in messages %}"
        "{{ '<start_of_turn>' + m['role'] + '\n' + m['content'] | trim + '<end_of_turn>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}")

# ------------------------------------------------------------------------------------------- weights

BYTES = {"BF16": 2, "F16": 2, "F32": 4}


def bell(rng, n, std):
    """n numbers of a bell-shaped distribution: sums of four uniform ones of 16 bits."""
    raw = array.array("H")
    raw.frombytes(rng.getrandbits(64 * n).to_bytes(8 * n, "little"))
    scale = std / math.sqrt(4 / 12) / 65536
    return [(raw[i] + raw[i + 1] + raw[i + 2] + raw[i + 3] - 131070) * scale for i in range(0, 4 * n, 4)]


def encode(numbers, dtype):
    if dtype == "F16":
        return struct.pack(f"<{len(numbers)}e", *numbers)
    floats = struct.pack(f"<{len(numbers)}f", *numbers)
    if dtype == "F32":
        return floats
    bits = struct.unpack(f"<{len(numbers)}I", floats)
    return struct.pack(f"<{len(numbers)}H", *((b + 0x7fff + (b >> 16 & 1)) >> 16 for b in bits))


class Weights:
    def __init__(self, seed, dtype, pool_size):
        self.rng, self.dtype, self.pool_size, self.pools = random.Random(seed), dtype, pool_size, {}

    def pool(self, std, n_cols):
        if std not in self.pools:
            self.pools[std] = encode(bell(self.rng, max(self.pool_size, 2 * n_cols), std), self.dtype)
        return self.pools[std]

    def write(self, f, tensor):
        """All rows of a tensor, some megabytes at a time."""
        n_rows, n_cols, size = math.prod(tensor.shape[:-1]), tensor.shape[-1], BYTES[self.dtype]
        pool = memoryview(self.pool(tensor.std, n_cols))
        places, random_float = len(pool) // size - n_cols + 1, self.rng.random
        at_once = max(1, (4 << 20) // (n_cols * size))
        for first in range(0, n_rows, at_once):
            starts = (int(random_float() * places) * size for _ in range(min(at_once, n_rows - first)))
            f.write(b"".join(pool[s:s + n_cols * size] for s in starts))


class Tensor:
    def __init__(self, name, shape, gain=1.0, std=None):
        self.name, self.shape, self.std = name, shape, std or gain / math.sqrt(shape[-1])


def text_tensors(s, prefix):
    n_q, n_kv, e, ff = s["n_head"] * s["head_dim"], s["n_head_kv"] * s["head_dim"], s["n_embd"], s["n_ff"]
    norms = {1: ["input_layernorm", "post_attention_layernorm"]}.get(
        s["generation"],
        ["input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
         "post_feedforward_layernorm"])
    yield Tensor(f"{prefix}embed_tokens.weight", [s["n_vocab"], e])
    for i in range(s["n_layer"]):
        layer = f"{prefix}layers.{i}."
        for norm in norms:
            yield Tensor(f"{layer}{norm}.weight", [e], std=0.1)
        if s["generation"] == 3:
            for norm in ("q_norm", "k_norm"):
                yield Tensor(f"{layer}self_attn.{norm}.weight", [s["head_dim"]], std=0.1)
        for name, rows, cols, gain in (("self_attn.q_proj", n_q, e, 1), ("self_attn.k_proj", n_kv, e, 1),
                                       ("self_attn.v_proj", n_kv, e, 1), ("self_attn.o_proj", e, n_q, 4),
                                       ("mlp.gate_proj", ff, e, 1), ("mlp.up_proj", ff, e, 1),
                                       ("mlp.down_proj", e, ff, 3)):
            yield Tensor(f"{layer}{name}.weight", [rows, cols], gain)
    yield Tensor(f"{prefix}norm.weight", [e], std=0.1)


def other_tensors():
    """A stump of what a multimodal checkpoint has beside the text model."""
    yield Tensor("multi_modal_projector.mm_input_projection_weight", [48, 64])
    yield Tensor("multi_modal_projector.mm_soft_emb_norm.weight", [48], std=0.1)
    yield Tensor("vision_tower.vision_model.embeddings.patch_embedding.weight", [48, 3, 4, 4])
    yield Tensor("vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight", [48, 48])


def write_safetensors(path, tensors, weights):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for t in tensors:
        size = math.prod(t.shape) * BYTES[weights.dtype]
        header[t.name] = {"dtype": weights.dtype, "shape": t.shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for t in tensors:
            weights.write(f, t)
    return at


def write_weights(folder, tensors, weights, n_shards):
    if n_shards == 1:
        write_safetensors(folder / "model.safetensors", tensors, weights)
        return
    total = sum(math.prod(t.shape) for t in tensors)
    shards, done = [[] for _ in range(n_shards)], 0
    for t in tensors:
        shards[min(n_shards - 1, done * n_shards // total)].append(t)
        done += math.prod(t.shape)
    names = [f"model-{i + 1:05d}-of-{n_shards:05d}.safetensors" for i in range(n_shards)]
    size = sum(write_safetensors(folder / name, shard, weights) for name, shard in zip(names, shards))
    index = {"metadata": {"total_size": size},
             "weight_map": {t.name: name for name, shard in zip(names, shards) for t in shard}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))


# ------------------------------------------------------------------------------------------- config.json

def text_config(s):
    """In the form of Google's published files; transformers 5 reads it, too."""
    c = dict(hidden_size=s["n_embd"], intermediate_size=s["n_ff"], num_hidden_layers=s["n_layer"],
             num_attention_heads=s["n_head"], num_key_value_heads=s["n_head_kv"], head_dim=s["head_dim"],
             vocab_size=s["n_vocab"], max_position_embeddings=s["n_ctx"], rms_norm_eps=1e-6,
             hidden_activation="gelu_pytorch_tanh", attention_bias=False, attention_dropout=0.0,
             bos_token_id=2, eos_token_id=1, pad_token_id=0,
             model_type={1: "gemma", 2: "gemma2", 3: "gemma3_text"}[s["generation"]], rope_theta=10000.0)
    if s["generation"] > 1:
        c.update(sliding_window=s["window"], query_pre_attn_scalar=s["head_dim"])
    if s["generation"] == 2:
        c.update(attn_logit_softcapping=50.0, final_logit_softcapping=30.0, cache_implementation="hybrid")
    if s["generation"] == 3:
        c.update(rope_theta=1000000.0, rope_local_base_freq=10000.0,
                 rope_scaling={"factor": 8.0, "rope_type": "linear"},
                 sliding_window_pattern=6, attn_logit_softcapping=None, final_logit_softcapping=None)
    return c


def config(s, dtype, multimodal):
    c = text_config(s)
    c["torch_dtype"] = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}[dtype]
    if multimodal:
        return dict(architectures=["Gemma3ForConditionalGeneration"], model_type="gemma3", text_config=c,
                    torch_dtype=c["torch_dtype"], eos_token_id=[1, 106], boi_token_index=3,
                    eoi_token_index=3, image_token_index=3, mm_tokens_per_image=4,
                    vision_config=dict(model_type="siglip_vision_model", hidden_size=48, image_size=16, patch_size=4))
    return dict(c, architectures=[{1: "Gemma", 2: "Gemma2", 3: "Gemma3"}[s["generation"]] + "ForCausalLM"])


def write_card(folder):
    """What published folders have besides."""
    (folder / "README.md").write_text(
        "---\nlicense: gemma\ntags:\n- random\n- for-tests\npipeline_tag: text-generation\n"
        "language: [en, de]\nbase_model: google/gemma-3-270m\ndatasets:\n"
        "- https://huggingface.co/datasets-of/random-numbers-v2\n- A list of words\n---\n\n"
        "# Random weights\n\nThey continue no text that makes sense.\n")
    (folder / "generation_config.json").write_text(
        json.dumps(dict(do_sample=True, eos_token_id=[1, 106], temperature=1.0, top_k=64, top_p=0.95),
                   indent=2))


# ------------------------------------------------------------------------------------------- tokenizer

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
TEXT = ("the sea at night is not black but a deep blue, and the moon stands in it like a coin in the hand of a "
        "child. there is a wind that comes and goes, and then the waves are heard again: one, two, three, and a "
        "long silence. whoever walks there thinks of nothing; the sand is cold, the stars are many, and the "
        "light of a ship is seen far out. it stays there all the night. ")
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?'\"-()\u2581\u00e9\u00e4\u4e2d"


def learn(text, n):
    """The first n merges of byte-pair encoding: [(left, right), ...]."""
    symbols, merges = list(text.replace(" ", "\u2581")), []
    while len(merges) < n:
        counts = {}
        for pair in zip(symbols, symbols[1:]):
            counts[pair] = counts.get(pair, 0) + 1
        best = max(sorted(counts), key=counts.get)
        if counts[best] < 2:
            break
        merges.append(best)
        merged, i = [], 0
        while i < len(symbols):
            if tuple(symbols[i:i + 2]) == best:
                merged.append(symbols[i] + symbols[i + 1])
                i += 2
            else:
                merged.append(symbols[i])
                i += 1
        symbols = merged
    return merges


def vocabulary(s):
    """[(text, score, type)] by id, in the order of Gemma's: special, unused, turns, user-defined, bytes,
    merged pieces, characters."""
    turns = 105 if s["generation"] == 3 else 106
    rows = [("<pad>", 0, CONTROL), ("<eos>", 0, CONTROL), ("<bos>", 0, CONTROL), ("<unk>", 0, UNKNOWN),
            ("<mask>", 0, USER_DEFINED)]
    rows += [(f"<unused{i}>", 0, USER_DEFINED) for i in range(turns - len(rows))]
    rows += [("<start_of_turn>", 0, USER_DEFINED), ("<end_of_turn>", 0, USER_DEFINED)]
    rows += [("\n" * n, 0, USER_DEFINED) for n in range(1, 6)] + [("\u2581" * n, 0, USER_DEFINED) for n in range(2, 6)]
    rows += [(tag, 0, USER_DEFINED) for tag in ("<table>", "</table>", "<b>", "</b>")]
    rows += [(f"<0x{byte:02X}>", 0, BYTE) for byte in range(256)]
    n_pieces = s["n_vocab"] - len(rows) - len(LETTERS)
    pieces = dict.fromkeys(a + b for a, b in learn(TEXT, n_pieces))
    longer = (
        start + letter
        for start in itertools.chain(LETTERS, map("".join, itertools.product(LETTERS, repeat=2)))
        for letter in LETTERS)
    taken = {text for text, _, _ in rows}
    while len(pieces) < n_pieces:
        piece = next(longer)
        if piece not in taken:
            pieces.setdefault(piece)
    return rows + [(piece, -float(i), NORMAL) for i, piece in enumerate([*pieces, *LETTERS])]


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def sentencepiece_model(rows):
    """ModelProto: pieces, TrainerSpec, NormalizerSpec (google/sentencepiece, src/sentencepiece_model.proto)."""
    out = bytearray()
    for text, score, kind in rows:
        out += field(1,
                     field(1, text.encode()) + b"\x15" + struct.pack("<f", score)
                     + (b"\x18" + varint(kind) if kind != NORMAL else b""))
    ids = b"".join(varint(number << 3) + varint(i) for number, i in ((40, 3), (41, 2), (42, 1), (43, 0)))
    trainer = b"\x18\x02" + varint(4 << 3) + varint(len(rows)) + varint(35 << 3) + b"\x01" + ids
    normalizer = field(1, b"identity") + b"\x18\x00\x20\x00\x28\x01"
    return bytes(out + field(2, trainer) + field(3, normalizer))


def merges_of(rows):
    """For each piece, best first, all pairs of pieces that make it; before them those that make the
    user-defined runs of newlines and spaces, longest first: what transformers' converter lists."""
    for character in "\n\u2581":
        runs = [text for text, _, _ in rows if text.strip(character) == "" and text]
        pairs = [(left, right) for left in runs for right in runs if left + right in runs]
        yield from map(list, sorted(pairs, key=lambda pair: (-len(pair[0]), -len(pair[1]))))
    known = {text for text, _, kind in rows if kind == NORMAL}
    for text, _, kind in rows:
        if kind == NORMAL:
            yield from ([text[:i], text[i:]] for i in range(1, len(text)) if text[:i] in known and text[i:] in known)


def added_tokens(rows):
    special = (CONTROL, UNKNOWN)
    return [dict(id=i, content=text, single_word=False, lstrip=False, rstrip=False, normalized=False,
                 special=kind in special or text.endswith("_of_turn>"))
            for i, (text, _, kind) in enumerate(rows) if kind in special or kind == USER_DEFINED]


def tokenizer_json(rows):
    bos, a, b = ({"SpecialToken": {"id": "<bos>", "type_id": 0}},
                 {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}})
    text = lambda piece, kind: "\t" if piece == "<0x09>" else piece
    return dict(
        version="1.0", truncation=None, padding=None, added_tokens=added_tokens(rows),
        normalizer=dict(type="Replace", pattern={"String": " "}, content="\u2581"), pre_tokenizer=None,
        post_processor=dict(type="TemplateProcessing", single=[bos, a], pair=[bos, a, bos, b],
                            special_tokens={"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}}),
        decoder=dict(type="Sequence",
                     decoders=[dict(type="Replace", pattern={"String": "\u2581"}, content=" "),
                               dict(type="ByteFallback"), dict(type="Fuse")]),
        model=dict(type="BPE", dropout=None, unk_token="<unk>", continuing_subword_prefix=None,
                   end_of_word_suffix=None, fuse_unk=True, byte_fallback=True, ignore_merges=False,
                   vocab={text(t, k): i for i, (t, _, k) in enumerate(rows)}, merges=list(merges_of(rows))))


def write_tokenizer(folder, s, forms):
    rows = vocabulary(s)
    if "model" in forms:
        (folder / "tokenizer.model").write_bytes(sentencepiece_model(rows))
    if "json" in forms:
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(rows), ensure_ascii=False), encoding="utf-8")
    decoder = {str(t.pop("id")): t for t in added_tokens(rows)}
    settings = dict(add_bos_token=True, add_eos_token=False, added_tokens_decoder=decoder, bos_token="<bos>",
                    eos_token="<eos>", pad_token="<pad>", unk_token="<unk>", chat_template=CHAT,
                    tokenizer_class="GemmaTokenizer", clean_up_tokenization_spaces=False)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2))


# ------------------------------------------------------------------------------------------- all of it

def main():
    parser = argparse.ArgumentParser(
        description="Writes a Gemma checkpoint of random weights, in the layout of PyPI transformers.")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--shape", required=True, choices=SHAPES)
    parser.add_argument("--dtype", default="BF16", choices=BYTES)
    parser.add_argument("--shards", type=int, default=1, help="number of safetensors files")
    parser.add_argument("--layers", type=int, help="instead of the shape's own")
    parser.add_argument("--tokenizer", default="model,json", help="which forms to write: model, json, or both")
    parser.add_argument("--multimodal", action="store_true", help="a Gemma 3 with the stump of a vision tower")
    parser.add_argument("--seed", type=int, default=1)
    o = parser.parse_args()
    s = dict(SHAPES[o.shape])
    s["n_layer"] = o.layers or s["n_layer"]
    o.folder.mkdir(parents=True, exist_ok=True)
    tensors = list(text_tensors(s, "language_model.model." if o.multimodal else "model."))
    tensors += other_tensors() if o.multimodal else []
    pool_size = 1 << 20 if sum(math.prod(t.shape) for t in tensors) > 1 << 24 else 1 << 15
    write_weights(o.folder, tensors, Weights(o.seed, o.dtype, pool_size), o.shards)
    (o.folder / "config.json").write_text(json.dumps(config(s, o.dtype, o.multimodal), indent=2))
    write_tokenizer(o.folder, s, o.tokenizer.split(","))
    write_card(o.folder)


if __name__ == "__main__":
    main()
