// constraint.js: gemma constraint: compiles a constraint without a model, and says which texts it accepts.

import {compileGrammar, writeGrammar} from '../../engine/constraints.js';
import {GemmaError} from '../../base/error.js';
import {detectFeatures} from '../../engine/features.js';
import {makeProbe} from '../../engine/open.js';
import {UsageError, parseArgs} from '../args.js';
import {CONSTRAINT_OPTIONS, printJson, readConstraint, readText} from './shared.js';

/** One instance a line. @param {string} text */
const lines = (text) => text.replace(/\r?\n$/, '').split(/\r?\n/);

/**
 * @param {import('../../gemma.js').ConstraintOptions} constraint
 * @param {import('../../engine/module.js').Module} module
 */
async function compile(constraint, module) {
    const start = performance.now();
    try {
        const grammar = compileGrammar(module, await writeGrammar(constraint));
        return {grammar, error: null, compileMs: performance.now() - start};
    } catch (error) {
        if (!(error instanceof GemmaError)) throw error;
        return {error: error.message, compileMs: performance.now() - start};
    }
}

/** @param {() => boolean} judge @returns {boolean | null} null: the text can be read in too many ways */
function verdictOf(judge) {
    try {
        return judge();
    } catch (error) {
        if (error instanceof GemmaError) return null;
        throw error;
    }
}

/** @param {string[]} argv */
export default async function run(argv) {
    const {options} = parseArgs(argv, {...CONSTRAINT_OPTIONS, instances: 'text', json: 'flag'}),
        given = await readConstraint(options);
    if (!given) throw new UsageError('Constraint needs one of --schema, --regex, --choices and --grammar.');
    // What is judged was written by others: any white space that JSON allows.
    const constraint = given.schema === undefined ? given
        : {whitespace: /** @type {const} */ ('free'), ...given};
    const instances = options.instances === undefined ? [] : lines(await readText(options.instances));
    const module = await makeProbe(await detectFeatures(), {});
    try {
        await writeGrammar({choices: ['']});        // the time to load the code is not part of compiling
        const {grammar, error, compileMs} = await compile(constraint, module),
            accepted = grammar ? instances.map((text) => verdictOf(() => grammar.accepts(text))) : [];
        if (options.json) return printJson({compiled: grammar !== undefined, error, accepted, compileMs});
        if (error !== null) throw new GemmaError('bad-constraint', error);
        const words = accepted.map((is) => is === null ? 'cannot be told' : is ? 'accepted' : 'refused');
        process.stdout.write(words.map((word) => `${word}\n`).join('') || `compiled in ${compileMs.toFixed(1)} ms\n`);
    } finally {
        module.close();
    }
}
