// The formats of strings that are held to, as regular expressions.
//
// Owns what each of them means here: never more than its standard allows. A leap second, a quoted local part
// and a host name in Punycode are left out: whether they are right can't be told from their letters.

const DAY =
    '(?:(?:\\d{3}[1-9]|\\d\\d[1-9]\\d|\\d[1-9]\\d\\d|[1-9]\\d{3})-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))'
    + '|(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29)';
const CLOCK =
    '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:[Zz]|[+\\-](?:[01]\\d|2[0-3]):[0-5]\\d)';
const LETTER = '[A-Za-z0-9]';
const LABEL = `(?:${LETTER}(?:-?${LETTER}){0,31}|${LETTER}{33,63})`,
    SHORT_LABEL = `${LETTER}(?:-?${LETTER}){0,9}`;
/** At most 253 characters. */
const HOSTNAME = `(?:${LABEL}(?:\\.${LABEL}){0,2}|${SHORT_LABEL}(?:\\.${SHORT_LABEL}){3,11})`;
const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = `${BYTE}(?:\\.${BYTE}){3}`;
const ATOM = "[A-Za-z0-9!#$%&'*+/=?\\^_`{|}~\\-]";
const HEX4 = '[0-9A-Fa-f]{1,4}';
/** @param {string} last4   the last four bytes */
const ipv6 = (last4) =>
    '(?:'
    + [
        `(?:${HEX4}:){6}${last4}`,
        `::(?:(?:${HEX4}:){0,5}${last4}|${HEX4})`,
        ...[1, 2, 3, 4, 5].map((n) => `${HEX4}(?::${HEX4}){${n - 1}}::(?:${HEX4}:){0,${5 - n}}${last4}`),
        ...[1, 2, 3, 4, 5, 6].map((n) => `${HEX4}(?::${HEX4}){${n - 1}}::${HEX4}`),
        `(?:${HEX4}(?::${HEX4}){0,6})?::`,
    ].join('|')
    + ')';
const IPV6 = ipv6(`(?:${HEX4}:${HEX4}|${IPV4})`);
const PERCENT = '%[0-9A-Fa-f]{2}';
const URI_CHAR = `(?:[A-Za-z0-9\\-._~!$&'()*+,;=:@]|${PERCENT})`;
const HOST = `(?:\\[${IPV6}\\]|(?:[A-Za-z0-9\\-._~!$&'()*+,;=]|${PERCENT})*)`;
const URI =
    `[A-Za-z][A-Za-z0-9+.\\-]*:(?://(?:(?:[A-Za-z0-9\\-._~!$&'()*+,;=:]|${PERCENT})*@)?${HOST}(?::\\d*)?(?:/${URI_CHAR}*)*`
    + `|/(?:${URI_CHAR}+(?:/${URI_CHAR}*)*)?|${URI_CHAR}+(?:/${URI_CHAR}*)*|)(?:\\?(?:${URI_CHAR}|[/?])*)?(?:#(?:${URI_CHAR}|[/?])*)?`;
const TIME_PART = '(?:\\d+H(?:\\d+M(?:\\d+S)?)?|\\d+M(?:\\d+S)?|\\d+S)';
const DATE_PART = '(?:\\d+D|\\d+M(?:\\d+D)?|\\d+Y(?:\\d+M(?:\\d+D)?)?)';

/** @type {Map<string, string>} */
export const FORMATS = new Map(
    Object.entries({
        'date-time': `^${DAY}[Tt]${CLOCK}$`,
        date: `^${DAY}$`,
        time: `^${CLOCK}$`,
        duration: `^P(?:\\d+W|${DATE_PART}(?:T${TIME_PART})?|T${TIME_PART})$`,
        hostname: `^${HOSTNAME}$`,
        email: `^${ATOM}+(?:\\.${ATOM}+)*@${HOSTNAME}$`,
        ipv4: `^${IPV4}$`,
        ipv6: `^${IPV6}$`,
        uuid: '^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$',
        uri: `^${URI}$`,
    }),
);

const ANY_URI_CHAR = `(?:${URI_CHAR}|[/?])`;

/**
 * What stands for a format beside a length: a part of it that is simple enough to be counted.
 * @type {Map<string | undefined, string>}
 */
export const SHORTER = new Map([
    [FORMATS.get('ipv6'), `^${ipv6(`${HEX4}:${HEX4}`)}$`],
    [FORMATS.get('hostname'), `^${LETTER}(?:[.\\-]?${LETTER}){0,31}$`],
    [FORMATS.get('email'), `^${ATOM}(?:\\.?${ATOM})*@${LETTER}(?:[.\\-]?${LETTER}){0,31}$`],
    [
        FORMATS.get('uri'),
        `^[A-Za-z][A-Za-z0-9+.\\-]{0,11}:(?://[A-Za-z0-9.\\-]{1,63}(?::\\d{1,5})?(?:[/?]${ANY_URI_CHAR}*)?`
            + `|${URI_CHAR}${ANY_URI_CHAR}*)$`,
    ],
]);

/** Those of the standard that are not held to. They are refused, for to pass over them would be a lie. */
export const REFUSED_FORMATS = new Set([
    'idn-email',
    'idn-hostname',
    'uri-reference',
    'iri',
    'iri-reference',
    'uri-template',
    'json-pointer',
    'relative-json-pointer',
    'regex',
]);
