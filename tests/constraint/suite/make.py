"""Makes cases.json of the JSON Schema Test Suite, as the source package of jsonschema 4.26.0 on PyPI has it
(MIT, see LICENSE):

    pip download jsonschema==4.26.0 --no-deps --no-binary :all: && tar xzf jsonschema-4.26.0.tar.gz
    python3 make.py jsonschema-4.26.0/json > cases.json
"""

import glob, json, sys

FORMATS = ['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid', 'uri',
           'unknown', 'regex', 'uri-reference']
OPTIONAL = ['ecmascript-regex', 'non-bmp-regex', 'anchor', 'id', 'float-overflow', 'bignum',
            'format-assertion', 'unknownKeyword',
            'refOfUnknownKeyword', 'no-schema'] + ['format/' + each for each in FORMATS]
root = sys.argv[1] + '/tests/draft2020-12/'
names = sorted(each[len(root):-5] for each in glob.glob(root + '*.json')) + ['optional/' + each for each in OPTIONAL]
lines = []
for name in names:
    for group in json.load(open(root + name + '.json')):
        tests = [[test['valid'], test['data']] for test in group['tests']]
        lines.append(json.dumps([name, group['description'], group['schema'], tests], separators=(',', ':')))
print('[' + ',\n'.join(lines) + ']')
