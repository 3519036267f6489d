// constants.js: writes web/base/constants.js, what JavaScript needs of the numbers in src/gemma.h. Run it (node wasm/constants.js) after a change
// there; tests/engine/version.test.js compares. The file is kept, so that the page runs unbundled and is checked without a build.

import {readFileSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';

const HEADER = new URL('../src/gemma.h', import.meta.url), TARGET = new URL('../web/base/constants.js', import.meta.url);

/** The code that the library's users know. */
const codeOf = (name) => name.toLowerCase().replaceAll('_', '-');

/** The enumerators of gemma.h by name. @param {string} text @returns {Map<string, number>} */
function enumerators(text) {
    const found = new Map(), plain = text.replace(/\/\*.*?\*\//gs, '');
    for (const [, body] of plain.matchAll(/enum\s*\{(.*?)\}/gs)) {
        let next = 0;
        for (const part of body.split(',').map((p) => p.trim()).filter(Boolean)) {
            const [, name, value] = /^GEMMA_(\w+)(?:\s*=\s*(.+))?$/s.exec(part);
            if (value) {
                const [, n, shift = '0'] = /^(-?\d+)(?:\s*<<\s*(\d+))?$/.exec(value.trim());
                next = Number(n) * 2 ** Number(shift);
            }
            found.set(name, next++);
        }
    }
    return found;
}

/** @returns {string} what web/base/constants.js holds */
export function constants() {
    const text = readFileSync(HEADER, 'utf8'), all = enumerators(text), [, version] = /#define GEMMA_VERSION "(.+)"/.exec(text);
    const statuses = [...all].slice(0, [...all.keys()].indexOf('BAD_NUMBERS') + 1).map(([name]) => `'${codeOf(name)}'`);
    const roles = ['SYSTEM', 'USER', 'ASSISTANT', 'TOOL'].map((name) => `${name.toLowerCase()}: ${all.get(name)}`);
    const number = (name, key) => `export const ${name} = ${all.get(key)};`;
    return `// constants.js: numbers of src/gemma.h. Written by wasm/constants.js.

export const VERSION = '${version}';
/** Codes of errors, by GemmaStatus. */
export const CODES = [${statuses.join(', ')}];
export const ROLES = {${roles.join(', ')}};
/** GemmaPrecision. */
${number('F16_CACHE', 'F16_CACHE')}
${number('INT8_CACHE', 'INT8_CACHE')}
${number('EXACT', 'EXACT')}
${number('MAX_BATCH', 'MAX_BATCH')}
${number('MAX_DRAFT', 'MAX_DRAFT')}
${number('MAX_LOGPROBS', 'MAX_LOGPROBS')}
${number('MAX_LAYERS', 'MAX_LAYERS')}
${number('MAX_VOCABULARY', 'MAX_VOCABULARY')}
/** GemmaTextFlags. */
${number('ADD_BOS', 'ADD_BOS')}
${number('PARSE_CONTROL', 'PARSE_CONTROL')}
/** GemmaConversation. */
${number('CONTINUED_CONVERSATION', 'CONTINUED')}
${number('NEW_CONVERSATION', 'NEW')}
/** What sampling gives where no token may come. */
${number('NO_TOKEN', 'NO_TOKEN')}
/** GemmaConstraint. */
${number('AMBIGUOUS', 'AMBIGUOUS')}
${number('COMPLETE', 'COMPLETE')}
${number('ENDED', 'ENDED')}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TARGET, constants());
