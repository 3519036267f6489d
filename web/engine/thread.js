// thread.js: the worker of one of the engine's threads, until Emscripten's script takes it over. Knows
// nothing else. Bundlers take this script apart and put it together again; Emscripten's they leave as it is.

/** What comes while that script is fetched. @type {MessageEvent[]} */
const early = [];

self.onmessage = async ({data: {starter}}) => {
    self.onmessage = (event) => early.push(event);
    try {
        await import(/* @vite-ignore */ /* webpackIgnore: true */ starter);
        for (const event of early) self.onmessage(event);      // its own function by now, which it may change
    } catch (error) {
        reportError(error);
    }
};
