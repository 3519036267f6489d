#!/usr/bin/env python3
"""judge_llguidance.py: compares, prefix by prefix, the tokens that our grammars allow with those that
llguidance allows, over a real vocabulary.

    pip install llguidance==1.9.1 numpy
    (build build/allowed as tests/constraint/allowed.c says)
    node tests/bench/masks.js CASES.jsonl none > CASES
    python tests/constraint/judge_llguidance.py MODEL.gguf CASES.jsonl CASES

Both are set to write no white space. Cases are schemas with instances, as in tests/constraint/maskbench.js.
Prints how many masks are equal, and the others by class; web/constraint/README.md explains the classes."""
import collections
import json
import subprocess
import sys

try:
    import llguidance
    import llguidance.numpy
    import numpy
    from llguidance._tokenizer import TokenizerWrapper
except ImportError as missing:
    sys.exit(f"SKIPPED: {missing}; pip install llguidance==1.9.1 numpy")

TIGHT = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}


class Pipe:
    def __init__(self, command, stdin):
        self.process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE)

    def bytes(self, n):
        return self.process.stdout.read(n)

    def int(self):
        return int.from_bytes(self.bytes(4), "little", signed=True)


class Vocabulary:
    """As llguidance wants it. A control token's bytes begin with 0xff."""
    def __init__(self, pipe):
        rows = []
        for _ in range(pipe.int()):
            kind, n = pipe.int(), pipe.int()
            rows.append((kind, pipe.bytes(n)))
        self.tokens = [b"\xff" + text if kind else text for kind, text in rows]
        self.special_token_ids = [i for i, (kind, _) in enumerate(rows) if kind]
        self.ends = [i for i, (kind, _) in enumerate(rows) if kind == 2]
        self.eos_token_id, self.bos_token_id = self.ends[0], 2
        self.bytes = {t: i for i, t in reversed(list(enumerate(self.tokens))) if len(t) == 1}

    def __call__(self, text):
        return [self.bytes[bytes([b])] for b in (text if isinstance(text, bytes) else text.encode())]


def instances(path):
    """{schema, text} in the order of masks.js: schemas that it compiles, their valid instances. It says which
    by its grammars' texts."""
    for line in open(path):
        case = json.loads(line)
        for test in case["tests"]:
            if test["valid"]:
                yield case["schema"], json.dumps(test["data"], ensure_ascii=False, separators=(",", ":"))


def texts_of(path):
    """The instances that masks.js wrote, as it wrote them."""
    data, at = open(path, "rb").read(), 0
    while at < len(data):
        end = data.index(b"\n", at)
        n_gbnf, n_text = map(int, data[at:end].split())
        at = end + 1 + n_gbnf + n_text
        yield data[at - n_text:at].decode()
        at += 1


def match(schemas, texts):
    """The schema of each text: both go in the same order, and masks.js leaves out schemas that do not
    compile."""
    for text in texts:
        value = json.loads(text)
        for schema, other in schemas:
            if json.loads(other) == value:
                yield schema, text
                break
        else:
            sys.exit(f"no schema of {text[:80]}")


def place_of(prefix):
    """Where in a JSON text the prefix ends."""
    quoted, key, stack, last, escaped = False, False, [], "", False
    for c in prefix:
        if escaped:
            escaped = False
        elif quoted:
            escaped = c == "\\"
            quoted = c != '"'
            if c == '"':
                last = "key" if key else "string"
        elif c == '"':
            quoted, key = True, bool(stack) and stack[-1] == "{" and last in ("{", ",")
        elif c in "{[":
            stack.append(c)
            last = c
        elif c in "}]":
            stack.pop()
            last = c
        else:
            last = c if c in ",:" else "number" if c in "0123456789.-+eE" else "word"
    inside = "a key" if key else "a string"
    return f"in {inside}" if quoted else f"after {last or 'nothing'}"


def compare(pipe, vocabulary, tokenizer, cases, n_bytes):
    counts, classes, examples = collections.Counter(), collections.Counter(), {}
    for schema, text in cases:
        n = pipe.int()
        counts["texts"] += 1
        if n < 0:
            sys.exit(f"no grammar: {text[:80]}")
        grammar = (llguidance.LLMatcher.grammar_from_json_schema({**schema, "x-guidance": TIGHT})
                   if isinstance(schema, dict) else None)
        matcher = llguidance.LLMatcher(tokenizer, grammar) if grammar else None
        if not matcher or matcher.is_error():
            matcher = None
            counts["texts whose schema llguidance refuses"] += 1
        bitmask = llguidance.numpy.allocate_token_bitmask(1, tokenizer.vocab_size)
        prefix, given = b"", 0
        for _ in range(n + 1):
            ours = numpy.frombuffer(pipe.bytes(n_bytes), numpy.uint8)
            may_end, token = pipe.int(), pipe.int()
            if matcher:
                llguidance.numpy.fill_next_token_bitmask(matcher, bitmask)
                theirs = bitmask.view(numpy.uint8)[0][:n_bytes].copy()
                their_end = any(theirs[e // 8] >> (e % 8) & 1 for e in vocabulary.ends)
                for e in vocabulary.special_token_ids:
                    theirs[e // 8] &= 255 ^ (1 << (e % 8))
                counts["masks"] += 1
                if numpy.array_equal(ours, theirs) and bool(may_end) == their_end:
                    counts["equal masks"] += 1
                else:
                    name, example = describe(vocabulary, prefix, ours, theirs, may_end, their_end)
                    classes[name] += 1
                    examples.setdefault(name, []).append((text[:60], example, json.dumps(schema)[:300]))
            if token >= 0:
                prefix += vocabulary.tokens[token]
                if matcher and not matcher.consume_token(token):
                    counts["texts that llguidance refuses"] += 1
                    classes[f"(refuses the token) {place_of(prefix.decode(errors='ignore'))}"] += 1
                    matcher = None
    return counts, classes, examples


def class_of(place, tokens, ours, theirs, may_end, their_end):
    """What a difference is about. `ours`, `theirs`: texts of the tokens that one alone allows; `tokens`: all
    of ours."""
    longest = max(tokens, key=len, default=b"")
    if not theirs and all(longest.startswith(t) for t in tokens):
        return "forced text: llguidance allows its usual token alone"
    if bool(may_end) != their_end:
        return f"{place}: the end, ours {bool(may_end)}"
    if not theirs and place.startswith("in a") and all(b"\x7f" in t or b"\\/" in t for t in ours):
        return "strings: DEL, and a slash that is escaped, are JSON; llguidance leaves them out"
    if not theirs and place.startswith("in a") and all(b"\x7f" in t or b"\\" in t for t in ours):
        return "strings: escapes that llguidance leaves out"
    who = "both allow more" if ours and theirs else "we allow more" if ours else "llguidance allows more"
    return f"{place}: {who}"


def describe(vocabulary, prefix, ours, theirs, may_end, their_end):
    def texts(mask):
        return sorted(
            (vocabulary.tokens[i] for i in numpy.flatnonzero(numpy.unpackbits(mask, bitorder="little"))),
            key=len)
    text, only = prefix.decode(errors="ignore"), [texts(ours & ~theirs), texts(theirs & ~ours)]
    few = texts(ours) if len(only[0]) < 1000 and int(numpy.unpackbits(ours).sum()) < 1000 else only[0] + [b"?", b"!"]
    shown = [[t.decode(errors="replace") for t in some[:8]] for some in only]
    return (class_of(place_of(text), few, *only, may_end, their_end),
            f"...{text[-50:]} {[len(some) for some in only]} {shown}")


def main(model, schemas, cases):
    pipe = Pipe(["build/allowed", model], open(cases, "rb"))
    vocabulary = Vocabulary(pipe)
    tokenizer = llguidance.LLTokenizer(TokenizerWrapper(vocabulary))
    n_bytes = (len(vocabulary.tokens) + 31) // 32 * 4
    counts, classes, examples = compare(pipe, vocabulary, tokenizer,
                                        match(instances(schemas), texts_of(cases)), n_bytes)
    for name, n in counts.items():
        print(f"{n:8} {name}")
    for name, n in classes.most_common():
        print(f"{n:8} {name}")
        for example in examples.get(name, [])[:: max(1, len(examples.get(name, [])) // 3)][:3]:
            print("        ", *example, sep="\n           ")


if __name__ == "__main__":
    main(*sys.argv[1:])
