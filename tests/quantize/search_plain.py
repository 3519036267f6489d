"""What the Python package gguf writes for the weights of tests/c/test_search.c's
plain_is_the_reference_rounding, as the hashes that this test has: FNV-1a of all bytes. Needs numpy and gguf
(0.17 or newer) from PyPI.

    python3 tests/quantize/search_plain.py
"""
import numpy
from gguf import GGMLQuantizationType as Type
from gguf.quants import quantize

ROWS, COLS = 64, 672


def random_floats(n, state=1):
    """test.h's test_random_float."""
    out, mask = [], 2**64 - 1
    for _ in range(n):
        state = (state + 0x9e3779b97f4a7c15) & mask
        z = state
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9 & mask
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb & mask
        out.append((z ^ (z >> 31)) >> 32)
    return numpy.array(out, numpy.uint32).view(numpy.int32).astype(numpy.float32) * numpy.float32(2**-31)


x = random_floats(ROWS * COLS).reshape(ROWS, COLS)
x[1::2] = numpy.round(x[1::2] * 8) / 4         # many ties
x[0] = 0
for name in 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0':
    hash = 0xcbf29ce484222325
    for byte in quantize(x, Type[name]).view(numpy.uint8).ravel().tolist():
        hash = (hash ^ byte) * 0x100000001b3 & 2**64 - 1
    print(f'{{QUANT_{name}, 0x{hash:016x}}},')
