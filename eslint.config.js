// ESLint: the recommended rules, how long files and functions may be, and which room of web/ may import which
// (tests/check/directions.js).

import {existsSync} from 'node:fs';
import {dirname, relative, resolve, sep} from 'node:path';
import {fileURLToPath} from 'node:url';
import js from '@eslint/js';
import {createNodeResolver, importX} from 'eslint-plugin-import-x';
import globals from 'globals';
import {JS} from './tests/check/directions.js';

const WEB = fileURLToPath(new URL('web', import.meta.url));

/** A zone for each room: what of web/ it may not import. */
const ZONES = [...JS].map(([room, uses]) => ({
    target: `./web/${room}`,
    from: './web',
    except: [room, ...uses].map((name) => `./${name}`),
    message: 'It does not stand to the right of this file (tests/check/directions.js).',
}));

/**
 * @param {string} path
 * @returns {string | undefined} the name in the directions of what a path of web/ belongs to
 */
function roomOf(path) {
    const below = relative(WEB, path).split(sep);
    return below.length > 0 && below[0] !== '..' ? below[0] : undefined;
}

/**
 * What imports don't show: types that JSDoc takes from another file, and workers that are named by
 * their address.
 */
const mentions = {
    meta: {type: 'problem', schema: []},
    create: (context) => ({
        Program(program) {
            const room = roomOf(context.filename), {text} = context.sourceCode;
            for (const {1: type, 2: address,
                index} of text.matchAll(
                    /@?import\('(\.[^']+)'\)|new URL\('(\.[^']+)', import\.meta\.url\)/g)) {
                const path = resolve(dirname(context.filename), type ?? address), used = roomOf(path);
                const loc = context.sourceCode.getLocFromIndex(index);
                if (type && !existsSync(path))
                    context.report({node: program, loc, message: `There is no ${type}.`});
                if (!used || used === room || !path.endsWith('.js') || JS.get(room)?.has(used)) continue;
                context.report({node: program, loc,
                    message: `${type ?? address} does not stand to the right of this file (tests/check/directions.js).`});
            }
        },
    }),
};

export default [
    {ignores: ['.toolchain/', 'build/', 'dist/', 'models/', 'test-output/']},
    js.configs.recommended,
    {
        plugins: {'import-x': importX},
        languageOptions: {globals: {...globals.browser, ...globals.node}},
        settings: {'import-x/resolver-next': [createNodeResolver()]},
        linterOptions: {reportUnusedDisableDirectives: 'error'},
        rules: {'no-empty': ['error', {allowEmptyCatch: true}],
            'no-unused-vars': ['error', {ignoreRestSiblings: true, varsIgnorePattern: '^_$'}]},
    },
    {
        files: ['web/**/*.js'],
        plugins: {rooms: {rules: {mentions}}},
        rules: {
            'no-restricted-syntax': ['error', {
                selector: 'AssignmentExpression[left.property.name=/^on/] > ArrowFunctionExpression > LogicalExpression.body',
                message: 'A handler that returns false cancels its event, as a key that is pressed. Write a body.',
            }],
            'max-lines': ['error', 350],
            'max-lines-per-function': ['error', 60],
            'import-x/no-cycle': 'error',
            'import-x/no-restricted-paths': ['error', {basePath: dirname(WEB), zones: ZONES}],
            'import-x/no-unresolved': 'error',
            'rooms/mentions': 'error',
        },
    },
    // what a test puts into a page
    {files: ['tests/**/*.js'], languageOptions: {globals: {axe: 'readonly', page: 'readonly'}}},
    {files: ['web/app/sw.js'], languageOptions: {globals: globals.serviceworker}},
];
