// Where the files beside the page's scripts are: this module is in app/, in development and as it is built.

/** @param {string} path   below app/ */
export const addressOf = (path) => new URL(`./${path}`, import.meta.url);
