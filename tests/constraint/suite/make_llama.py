"""Makes llama.json of the schemas of llama.cpp's test-grammar-integration.cpp (MIT, see LICENSE-llama.cpp),
each with the texts that pass and those that fail there:

    python3 make_llama.py test-grammar-integration.cpp > llama.json
"""

import json, re, sys

# A raw string, a plain one, or a mark. Comments are dropped first.
TOKEN = re.compile(r'R"(\w*|"")\((.*?)\)\1"|"((?:[^"\\]|\\.)*)"|([{}(),;])', re.S)
source = re.sub(r'(?m)^\s*//.*$', '', open(sys.argv[1]).read())
lines = []
for call in re.split(r'\btest_schema\(', source)[2:]:
    parts, depth, text, lists = [], 0, None, []
    for raw_mark, raw, plain, mark in TOKEN.findall(call):
        if mark == ';' and depth == 0:
            break
        if mark == '{':
            depth += 1
            lists.append([])
        elif mark == '}':
            depth -= 1
        elif mark not in ('', ';'):
            continue
        else:
            value = raw if raw or not plain else plain.encode().decode('unicode_escape')
            if depth:
                lists[-1].append(value)
            else:
                parts.append(value)
    name, schema = parts[0], ''.join(parts[1:])
    lines.append(json.dumps([name, json.loads(schema), lists[0], lists[1] if len(lists) > 1 else []]))
print('[' + ',\n'.join(lines) + ']')
