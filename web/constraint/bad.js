// The error of a constraint that can't be held to, and the work that one may take.

import {GemmaError} from '../base/error.js';

/** @param {string} message @param {unknown} [cause] @returns {never} */
export function bad(message, cause) {
    throw new GemmaError('bad-constraint', message, {cause});
}

/** @param {number} limit @param {string} what */
export const tooMuch = (limit, what) => bad(`The constraint is too large: more than ${limit} ${what}.`);

/** About a second. */
const MAX_WORK = 2_000_000;
let work = 0;

/** Before each constraint. One count is enough: none is compiled while another is. */
export const begin = () => void (work = 0);

/** @param {number} steps */
export function spend(steps) {
    if ((work += steps) > MAX_WORK) tooMuch(MAX_WORK, 'steps of work');
}

/**
 * The value of a key, made where it is missing.
 * @template K, V
 * @param {Map<K, V>} map
 * @param {K} key
 * @param {() => V} make
 * @returns {V}
 */
export function known(map, key, make) {
    let value = map.get(key);
    if (value === undefined) map.set(key, (value = make()));
    return value;
}
