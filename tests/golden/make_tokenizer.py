#!/usr/bin/env python3
"""make_tokenizer.py GEMMA3_270M: asks the sentencepiece library for the ids of many texts and writes
tokenizer.json: {model: [{text | base64, ids | n_ids + first + sum}]}. Needs PyPI sentencepiece, protobuf and
gguf.

The vocabulary of each GGUF is turned back into a SentencePiece model (BPE, byte fallback, identity
normaliser, no dummy prefix), and the real library encodes with it. Control pieces are left out of that
model's matching, as for text that a user typed. Text that isn't UTF-8 is not defined by the library (it puts
U+FFFD): those cases are stored without ids, for the round trip alone."""
import base64
import json
import pathlib
import random
import sys

import sentencepiece
from gguf import GGUFReader
from sentencepiece import sentencepiece_model_pb2 as pb

HERE = pathlib.Path(__file__).parent
CONTROL = {"<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>"}


def load(path):
    fields = GGUFReader(path).fields
    get = lambda key: fields[f"tokenizer.ggml.{key}"]
    tokens = [bytes(get("tokens").parts[i]).decode() for i in get("tokens").data]
    scores = [float(get("scores").parts[i][0]) for i in get("scores").data]
    types = [int(get("token_type").parts[i][0]) for i in get("token_type").data]
    m = pb.ModelProto()
    for text, score, kind in zip(tokens, scores, types):
        if text in CONTROL:
            kind = 3
        # A user-defined piece may be stored with plain spaces; the library matches the escaped text.
        m.pieces.add(piece=text.replace(" ", "▁") if kind == 4 else text, score=score, type=kind)
    t, n = m.trainer_spec, m.normalizer_spec
    t.model_type, t.byte_fallback, t.vocab_size = pb.TrainerSpec.BPE, True, len(tokens)
    t.unk_id, t.bos_id, t.eos_id, t.pad_id = 3, 2, 1, 0
    t.unk_piece, t.bos_piece, t.eos_piece, t.pad_piece = "<unk>", "<bos>", "<eos>", "<pad>"
    n.name, n.add_dummy_prefix, n.remove_extra_whitespaces, n.escape_whitespaces = "identity", False, False, True
    return sentencepiece.SentencePieceProcessor(model_proto=m.SerializeToString())


TEXTS = """
Hello world
 Hello  world
The quick brown fox jumps over the lazy dog. 0123456789
don't can't won't I'm you're it's
émigré naïve façade Ærøskøbing Łódź
Η γρήγορη καφέ αλεπού πηδάει πάνω από τον τεμπέλη σκύλο
Съешь ещё этих мягких французских булок, да выпей чаю
نص عربي مع تشكيل: اَلْعَرَبِيَّةُ
טקסט בעברית עם ניקוד: שָׁלוֹם
हिन्दी में कुछ शब्द और संयुक्ताक्षर क्ष त्र ज्ञ
ภาษาไทยไม่มีช่องว่างระหว่างคำ
这是一个中文句子，没有空格。
昨日、友達とラーメンを食べました。カタカナ・ひらがな・漢字
한국어 문장과 띄어쓰기
አማርኛ ጽሑፍ
ქართული ანბანი
Tiếng Việt có nhiều dấu
def f(x):\\n    return [i ** 2 for i in range(x) if i % 2 == 0]\\n
for (int i = 0; i < n; ++i) { a[i] = b[i] * 0x1F; }  // comment
SELECT * FROM users WHERE name = 'O''Brien' AND age >= 42;
<html><body class="x"><b>bold</b><i>it</i><table><tr><td>1</td></tr></table></body></html>
<start_of_turn>user\\nhi<end_of_turn>\\n<start_of_turn>model\\n
<bos><eos><pad><unk><mask><unused5><unused99>
</s><s>[INST]<|im_start|><0x41><0x0A>
🙂👩‍👩‍👧🏳️‍🌈👍🏽 emoji
ﬁ ligature ﷺ ㍿ ½ ² ℌ
À À́ ḗ combining
▁ literal ▁▁ two ▁x
\\t\\ttabs\\tand\\r\\nCRLF\\r\\n
\\u0000\\u0001\\u001f\\u007f control
\\u200b\\u200e\\ufeff\\u00a0\\u3000 odd spaces
\\U00012345\\U0001F9FF\\U000E0041 astral
http://example.org/a?b=c&d=%20e#f user@example.org
3.14159 1,000,000 1e-9 0b1010 ½ 50%
ALLCAPS CamelCase snake_case kebab-case
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
The  end.   Really    the     end.
""".strip("\n").split("\n")


def texts():
    yield ""
    for line in TEXTS:
        yield line.encode("latin-1", "backslashreplace").decode("unicode_escape")
    for n in (*range(1, 41), 100):
        yield " " * n
        yield "\n" * n
        yield "a" + " " * n + "b" + "\n" * n + "c"
    for n in range(1, 8):
        yield "\t" * n + "x" + "▁" * n
    rng = random.Random(2026)
    alphabets = ["abcdefghij   \n\n", "αβγδ жзий 你好世界 ", "<b></b><table> \n", "0123456789.,- ",
                 "".join(map(chr, range(1, 256)))]
    for i in range(60):
        a = alphabets[i % len(alphabets)]
        yield "".join(rng.choice(a) for _ in range(rng.randrange(1, 60)))
    for _ in range(20):
        yield "".join(chr(c) for c in (rng.randrange(1, 0x30000) for _ in range(20)) if not 0xD800 <= c < 0xE000)
    yield (HERE / "text.txt").read_text()
    for piece in ("a", "ab", " ", "\n", "é", "="):
        yield piece * (100000 // len(piece))


def marks():
    """Literal U+2581 beside spaces and beside what is cut out. The library takes a ▁ for a space, in runs of
    any mixture (llama.cpp and PyPI tokenizers do not, each in its own way)."""
    yield from ("▁", "▁▁", "a▁▁b", "a▁b", "a ▁b", "a▁ b", " ▁ ▁ ", "▁▁▁▁the▁sea")
    rng = random.Random(2581)
    parts = ["▁", "▁▁", "▁▁▁▁", " ", "  ", "a", "the", "x▁y", "\n", "\n\n", "\t", "é", "中", "<b>", "</b>",
             "7", ".", "🙂"]
    for _ in range(150):
        yield "".join(rng.choice(parts) for _ in range(rng.randrange(1, 15)))


def broken():
    rng = random.Random(7)
    yield b"\xff\xfe ok \xc3"
    yield b"\xed\xa0\x80 surrogate \xf4\x90\x80\x80 \xc0\xaf overlong"
    for _ in range(20):
        yield rng.randbytes(rng.randrange(1, 80))


def case(model, text):
    ids = model.encode(text)
    if len(text) < 4000:
        return dict(text=text, ids=ids)
    return dict(repeat=[text[:2] if text[0] != text[1] else text[0], len(text)], n_ids=len(ids),
                first=ids[:20], sum=sum(ids))


if __name__ == "__main__":
    out = {}
    for path in [sys.argv[1], *sorted(HERE.glob("tiny-gemma*.gguf"))]:
        model = load(path)
        name = "gemma3-270m" if path == sys.argv[1] else path.name
        chosen = list(texts()) if path == sys.argv[1] else list(texts())[:60]
        out[name] = [case(model, t) for t in [*chosen, *marks()]] + [
            dict(base64=base64.b64encode(b).decode()) for b in broken()]
        print(name, len(out[name]), "cases")
    (HERE / "tokenizer.json").write_text(json.dumps(out, ensure_ascii=False) + "\n")
