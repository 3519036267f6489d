// kinds.js: what an object of the platform is, from any window, frame or context: each has its own classes.
// Knows no callers.

/** @param {any} value @param {...string} names   of classes @returns {boolean} */
export const isA = (value, ...names) => typeof value === 'object' && value !== null
    && names.includes(Object.prototype.toString.call(value).slice(8, -1));
