// args.js: command-line options by a table. Knows no commands.

/**
 * @typedef {Record<string, keyof typeof parsers | ((value: string, name: string) => any)>}
 *     OptionTable   option names with their kinds
 */

/** A mistake in how a command was called: exit code 2. */
export class UsageError extends Error {}

/** An option that the command does not have. */
export class UnknownOption extends UsageError {
    /** @param {string} option @param {string} [near]   one that it may have been meant for */
    constructor(option, near) {
        super(`Unknown option ${option}.${near === undefined ? '' : ` Did you mean --${near}?`}`);
    }
}

/** Not a mistake: what a program prints for -h and --help is asked for. */
export class HelpAsked extends Error {}

/**
 * @type {Record<'flag' | 'text' | 'filled' | 'number' | 'whole' | 'port' | 'count', (value: string, name: string)
 *     => any>}
 */
const parsers = {
    flag: () => true,
    text: (value) => value,
    filled(value, name) {
        if (!value.trim()) throw new UsageError(`--${name} is empty; leave it out, or give it a value.`);
        return value.trim();
    },
    number(value, name) {
        const n = Number(value);
        if (value.trim() === '' || !Number.isFinite(n))
            throw new UsageError(`--${name} ${value}: a number is expected.`);
        return n;
    },
    whole(value, name) {
        const n = Number(value);
        if (!/^\d+$/.test(value) || !Number.isSafeInteger(n))
            throw new UsageError(`--${name} ${value}: a whole number from 0 is expected.`);
        return n;
    },
    port(value, name) {
        const n = parsers.whole(value, name);
        if (n > 65535) throw new UsageError(`--${name} ${value}: a port from 0 to 65535 is expected.`);
        return n;
    },
    count(value, name) {
        const n = parsers.whole(value, name);
        if (n < 1) throw new UsageError(`--${name} ${value}: a whole number from 1 is expected.`);
        return n;
    },
};

/** One of some words. @param {string[]} words @returns {(value: string, name: string) => string} */
export const oneOf = (...words) => (value, name) => {
    if (!words.includes(value))
        throw new UsageError(`--${name} ${value}: ${words.join(' or ')} is expected.`);
    return value;
};

/** @param {string} name */
const camel = (name) => name.replace(/-([a-z0-9])/g, (_, c) => c.toUpperCase());

const MOST_EDITS = 2, LONGEST = 40;

/**
 * How many characters must be put in, left out, changed, or swapped with the next.
 * @param {string} a @param {string} b
 */
function edits(a, b) {
    const rows = [Array.from({length: b.length + 1}, (_, k) => k)];
    for (let i = 0; i < a.length; i++) {
        const row = rows[i], next = rows[i + 1] = [i + 1];
        for (let k = 0; k < b.length; k++) {
            const isSwapped = i && k && a[i] === b[k - 1] && a[i - 1] === b[k];
            next.push(Math.min(row[k + 1] + 1, next[k] + 1, row[k] + Number(a[i] !== b[k]),
                isSwapped ? rows[i - 1][k - 1] + 1 : Infinity));
        }
    }
    return rows[a.length][b.length];
}

/**
 * The name that a mistyped one was meant for, if one is near.
 * @param {string} name @param {string[]} names
 */
function nearest(name, names) {
    const most = Math.min(MOST_EDITS, Math.floor(name.length / 2));     // more make another word
    return names.map((one) => ({one, far: edits(name.slice(0, LONGEST), one)}))
        .filter(({far}) => far <= most).sort((a, b) => a.far - b.far)[0]?.one;
}

/**
 * @param {string[]} argv
 * @param {OptionTable} table
 * @param {number} [positionals]   how many other words there may be
 * @returns {{options: Record<string, any>, words: string[]}} options in camelCase; throws HelpAsked for -h
 *     and --help, which every table has
 */
export function parseArgs(argv, table, positionals = 0) {
    /** @type {Record<string, any>} */
    const options = {}, words = [];
    for (let i = 0; i < argv.length; i++) {
        if (argv[i] === '-h' || argv[i] === '--help') throw new HelpAsked();
        if (argv[i] === '--') {
            words.push(...argv.slice(i + 1));
            break;
        }
        if (!argv[i].startsWith('-') || argv[i] === '-') {
            words.push(argv[i]);
            continue;
        }
        if (!argv[i].startsWith('--')) throw new UnknownOption(argv[i]);
        const [name, ...rest] = argv[i].slice(2).split('='), kind = table[name];
        if (!Object.hasOwn(table, name))
            throw new UnknownOption(`--${name}`, nearest(name, Object.keys(table)));
        if (kind === 'flag' && rest.length) throw new UsageError(`--${name} takes no value.`);
        const value = kind === 'flag' ? '' : rest.length ? rest.join('=') : argv[++i];
        if (value === undefined) throw new UsageError(`--${name} needs a value.`);
        options[camel(name)] = (typeof kind === 'string' ? parsers[kind] : kind)(value, name);
    }
    if (words.length > positionals) throw new UsageError(`Unexpected word ${words[positionals]}.`);
    return {options, words};
}
