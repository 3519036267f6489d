// The texts that an instance may have: as JavaScript and Python write it, with its members in any order.

const STYLES = {
    compact: {comma: ',', colon: ':', ascii: false},
    python: {comma: ', ', colon: ': ', ascii: true},
    pretty: {comma: ',', colon: ': ', ascii: false, indent: 2},
};

/**
 * @param {any} value
 * @param {number} [limit]
 * @returns {Map<string, string[]>} for each style the texts in all orders of members, up to a limit
 */
export function spellings(value, limit = 200) {
    return new Map(
        Object.entries(STYLES).map(([name, style]) => [
            name,
            orders(value, limit).map((each) => write(each, style, 0)),
        ]),
    );
}

/** An instance in the order of its members, as lists of pairs. */
function orders(value, limit) {
    if (Array.isArray(value))
        return product(
            value.map((each) => orders(each, limit)),
            limit,
        ).map((items) => ({items}));
    if (typeof value !== 'object' || value === null) return [{scalar: value}];
    const out = [];
    for (const keys of permutations(Object.keys(value), limit)) {
        for (const values of product(
            keys.map((key) => orders(value[key], limit)),
            limit,
        )) {
            out.push({members: keys.map((key, i) => [key, values[i]])});
            if (out.length >= limit) return out;
        }
    }
    return out;
}

function product(lists, limit) {
    let all = [[]];
    for (const list of lists) all = all.flatMap((each) => list.map((one) => [...each, one])).slice(0, limit);
    return all;
}

function permutations(keys, limit) {
    if (keys.length < 2) return [keys];
    const out = [];
    for (let i = 0; i < keys.length && out.length < limit; i++) {
        for (const rest of permutations(
            keys.filter((_, k) => k !== i),
            limit,
        ))
            out.push([keys[i], ...rest]);
    }
    return out.slice(0, limit);
}

function write(value, style, depth) {
    if ('scalar' in value) {
        const text = JSON.stringify(value.scalar);
        return style.ascii
            ? text.replace(
                  /[\x7f-\uffff]/g,
                  (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
              )
            : text;
    }
    const [open, close, parts] = value.items
        ? ['[', ']', value.items.map((each) => write(each, style, depth + 1))]
        : [
              '{',
              '}',
              value.members.map(
                  ([key, each]) =>
                      write({scalar: key}, style, depth) + style.colon + write(each, style, depth + 1),
              ),
          ];
    if (!style.indent || parts.length === 0) return open + parts.join(style.comma) + close;
    const line = `\n${' '.repeat(style.indent * (depth + 1))}`;
    return `${open}${line}${parts.join(style.comma + line)}\n${' '.repeat(style.indent * depth)}${close}`;
}
