// Which version of a file a server gives, as far as its answers tell: this alone decides whether bytes of two
// answers belong together, and whether what is stored is what a server has now. Knows headers; knows neither
// requests nor the store.

/**
 * @typedef {object} Version
 * @property {string} validator     ETag, or Last-Modified without one; '' where a server shows neither
 * @property {string} [modified]    Last-Modified, beside an ETag
 * @property {string} [digest]     what a host publishes as the file's digest: a SHA-256 in hex, or what
 *     X-Linked-ETag says
 */

/** @param {Headers} headers   of an answer @returns {Version} */
export function versionOf(headers) {
    const etag = headers.get('ETag'), modified = headers.get('Last-Modified'), digest = digestOf(headers);
    return {validator: etag || modified || '', ...etag && modified && {modified}, ...digest && {digest}};
}

/**
 * Whether two versions of the same length are the same file. Nodes of one host may have an ETag each for it,
 * and a proxy that compresses makes a weak one of it: then a digest or the date decides.
 * @param {Version} a @param {Version} b
 * @returns {boolean | undefined} undefined where nothing tells
 */
export function isSame(a, b) {
    if (a.digest && a.digest.length === b.digest?.length) return a.digest === b.digest;
    if (a.validator && strong(a.validator) === strong(b.validator)) return true;
    const [first, second] = [dateOf(a), dateOf(b)];
    return first && second ? first === second : undefined;
}

/** @param {string} etag   W/"x" and "x" name the same file */
const strong = (etag) => etag.replace(/(^| )W\//g, '$1');

/** @param {Version} version */
const dateOf = ({validator, modified}) => modified
    ?? (/^[A-Z][a-z]{2}, /.test(validator) ? validator : undefined);

/**
 * Hugging Face's ETag of 64 digits is the SHA-256 of some files and another kind of digest of others: it
 * is not taken.
 * @param {Headers} headers
 */
function digestOf(headers) {
    const linked = headers.get('X-Linked-ETag');
    if (linked) return strong(linked).replaceAll('"', '').toLowerCase();
    const fields = `${headers.get('Repr-Digest') ?? ''},${headers.get('Digest') ?? ''}`;
    const [, base64] = /(?:^|,)\s*sha-256=:?([A-Za-z0-9+/]{43}=)/i.exec(fields) ?? [];
    return base64 ? Array.from(atob(base64), (c) => c.charCodeAt(0).toString(16).padStart(2, '0'))
        .join('') : '';
}

/** The SHA-256 of the whole file among what is published, in hex; ''. @param {Version} version */
export function publishedDigest({digest = ''}) {
    return /^[0-9a-f]{64}$/.test(digest) ? digest : '';
}
