// Chooses the packages that make up Emscripten: emscripten, its tools, and their shared libraries.
// Owns: which packages are needed. Must not know: how they are fetched or unpacked.

/** @typedef {import('./apt.js').Package} Package */

// The system's own Node and Python run Emscripten; ccache is not needed.
const FROM_SYSTEM = new Set(['ccache', 'nodejs', 'python3']);
// Libraries of programs that are not used: debuggers, profilers, downloads of debug information.
const NOT_NEEDED = /^(libclang1-|libcurl|libpfm|gcc-.*-base$|libc-gconv)/;
// Holds clang's own headers, and is no library.
const HEADERS = /^libclang-common-\d+-dev$/;

/**
 * @param {Map<string, Package>} index
 * @returns {string[]} package names, emscripten first
 */
export function emscriptenPackages(index) {
    const tools = depends(index, 'emscripten').filter((name) => !FROM_SYSTEM.has(name));
    const chosen = new Set(['emscripten', ...tools]);
    for (const name of chosen) { // a Set's iteration also visits what is added on the way
        if (name === 'emscripten') continue;
        depends(index, name)
            .filter((needed) => index.get(needed)?.Section === 'libs' || HEADERS.test(needed))
            .filter((needed) => !NOT_NEEDED.test(needed))
            .forEach((needed) => chosen.add(needed));
    }
    return [...chosen];
}

/** Names in a package's Depends, the first of each set of alternatives, versions and architectures cut off. */
function depends(index, name) {
    const field = index.get(name)?.Depends ?? '';
    return field.split(', ').filter(Boolean).map((entry) => entry.split('|')[0].trim().split(/[ :(]/)[0]);
}
