// kinds.js: what an object of the platform is, whichever window, frame or context it was made in: each has
// classes of its own. Knows no callers.

/** @param {any} value @param {...string} names   of classes @returns {boolean} */
export const isA = (value, ...names) => typeof value === 'object' && value !== null
    && names.includes(Object.prototype.toString.call(value).slice(8, -1));
