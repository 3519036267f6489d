// webidl.js: values as Web IDL takes them from scripts: what is undefined counts as not given, strings and
// numbers are converted, and what can't be is a TypeError. Members are read in the order in which browsers
// read them. Knows no meanings.

/** @param {any} value */
const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';

/** @param {string} sentence @returns {never} */
const fail = (sentence) => {
    throw new TypeError(sentence);
};

/** @param {any} value @param {string} what @returns {Record<string, any>} */
export function toDictionary(value, what) {
    if (value === undefined || value === null) return {};
    return isObject(value) ? value : fail(`${what} must be an object.`);
}

/** Whether that is taken for a sequence where a string may stand, too. @param {any} value */
export const isSequence = (value) =>
    isObject(value) && value[Symbol.iterator] !== undefined && value[Symbol.iterator] !== null;

/** @template T @param {any} value @param {(each: any) => T} convert @param {string} what @returns {T[]} */
export function toSequence(value, convert, what) {
    const iterator = isObject(value) ? value[Symbol.iterator] : undefined;
    if (typeof iterator !== 'function') fail(`${what} must be a sequence.`);
    return Array.from({[Symbol.iterator]: () => iterator.call(value)}, (each) => convert(each));
}

/** @param {any} value @returns {string} a symbol is a TypeError */
export const toText = (value) => `${value}`;

/** @param {any} value @returns {number} */
export const toNumber = (value) => +value;

/** @template {string} T @param {any} value @param {readonly T[]} names @param {string} what @returns {T} */
export function toEnum(value, names, what) {
    const name = toText(value);
    return (
        names.find((each) => each === name)
        ?? fail(`${what} is '${name}'; one of ${names.join(', ')} is expected.`)
    );
}

/** @param {any} value @param {string} what @returns {object} */
export const toObject = (value, what) => (isObject(value) ? value : fail(`${what} must be an object.`));

/** @param {any} value @param {string} what @returns {(...args: any[]) => any} */
export const toFunction = (value, what) =>
    typeof value === 'function' ? value : fail(`${what} must be a function.`);

/** Of any realm. @param {any} value @param {string} what @returns {AbortSignal} */
export const toSignal = (value, what) =>
    isObject(value) && Object.prototype.toString.call(value) === '[object AbortSignal]'
        ? value
        : fail(`${what} must be an AbortSignal.`);

/**
 * A member of a dictionary.
 * @template T
 * @param {Record<string, any>} dictionary
 * @param {string} name
 * @param {(value: any, name: string) => T} convert
 * @returns {T | undefined}
 */
export function member(dictionary, name, convert) {
    const value = dictionary[name];
    return value === undefined ? undefined : convert(value, name);
}

/**
 * The same of one that must be there.
 * @template T
 * @param {Record<string, any>} dictionary
 * @param {string} name
 * @param {(value: any, name: string) => T} convert
 * @returns {T}
 */
export function required(dictionary, name, convert) {
    const value = dictionary[name];
    return value === undefined ? fail(`The required member ${name} is missing.`) : convert(value, name);
}

/** @param {number} given   how many arguments @param {number} least @param {string} method */
export function requireArguments(given, least, method) {
    if (given < least) fail(`${method} needs ${least} argument${least > 1 ? 's' : ''}, got ${given}.`);
}

/** Handlers, by their object and type. @type {WeakMap<EventTarget, Record<string, {value: any}>>} */
const handlers = new WeakMap();

/** Gives a class the attribute on + type. @param {{prototype: EventTarget}} target @param {string} type */
export function defineHandler(target, type) {
    Object.defineProperty(target.prototype, `on${type}`, {
        configurable: true,
        enumerable: true,
        get() {
            return handlers.get(this)?.[type]?.value ?? null;
        },
        set(value) {
            const all = handlers.get(this) ?? {};
            handlers.set(this, all);
            if (!all[type]) {
                all[type] = {value: null};
                this.addEventListener(type, (/** @type {Event} */ event) => {
                    const {value: handler} = all[type];
                    if (typeof handler === 'function' && handler.call(this, event) === false)
                        event.preventDefault();
                });
            }
            all[type].value = isObject(value) ? value : null;
        },
    });
}
