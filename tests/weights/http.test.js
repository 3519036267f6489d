// Files on web servers that misbehave: each ends in the right bytes or in one sentence, never in wrong bytes.

import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {createServer} from 'node:http';
import test, {describe} from 'node:test';
import {gzipSync} from 'node:zlib';
import {openRemote} from '../../web/weights/download/http.js';
import {readManifest} from '../../web/weights/file/manifest.js';
import {beside} from '../../web/weights/file/names.js';
import {askManifest, askPointer} from '../../web/weights/download/request.js';

const PIECE = 1000;
/** Trouble as in life, in less time. */
const HASTE = {tries: 3, pauseMs: 10, longestMs: 2500, stallMs: 3000};
const FILE = Buffer.from(Array.from({length: 2500}, (_, i) => i * 7 % 251));

/** Runs `body` with the address of a file on a server that answers by `answer(request, response, nth)`. */
async function withServer(answer, body) {
    const asked = [];
    const server = createServer((request, response) => {
        asked.push(request.method === 'HEAD' ? 'HEAD' : request.headers.range);
        answer(request, response, asked.length - 1);
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    try {
        return await body(`http://127.0.0.1:${server.address().port}/models/tiny%20one.gguf?x=1`, asked);
    } finally {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
    }
}

/** What a good server answers; `change` spoils it. */
function sendRange(request, response, {bytes = FILE, headers = {}, cutAt} = {}) {
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? 'bytes=0-').map(Number);
    if (from >= bytes.length)
        return response.writeHead(416, {'Content-Range': `bytes */${bytes.length}`}).end();
    const part = bytes.subarray(from, to ? to + 1 : undefined);
    response.writeHead(206, {
        ETag: '"v1"', 'Content-Length': part.length,
        'Content-Range': `bytes ${from}-${from + part.length - 1}/${bytes.length}`, ...headers,
    });
    if (cutAt === undefined) return response.end(part);
    response.write(part.subarray(0, cutAt), () => response.destroy());
}

function sendWhole(request, response, bytes = FILE) {
    response.writeHead(200, {'Content-Length': bytes.length}).end(bytes);
}

async function readAll(url, options) {
    const remote = await openRemote(url, {pieceSize: PIECE, patience: HASTE, ...options});
    const pieces = [];
    for (let i = 0; i * PIECE < remote.size; i++) pieces.push(Buffer.from(await remote.read(i)));
    return Buffer.concat(pieces);
}

const refused = (code, message) => (error) => {
    assert.equal(error.code, code, error.stack);
    assert.match(error.message, message);
    assert.match(error.message, /^[^\n]+\.$/, 'one sentence');
    return true;
};

test('a file comes in ranges, any of them, with its name, size and version',
    () => withServer((request, response) => sendRange(request, response), async (url, asked) => {
    let counted = 0;
    const remote = await openRemote(url,
        {pieceSize: PIECE, first: 1, onBytes: (bytes) => { counted += bytes; }});
    const {name, size, validator, ranges} = remote;
    assert.deepEqual({name, size, validator, ranges}, {
        name: 'tiny one.gguf', size: 2500, validator: '"v1"', ranges: true,
    });
    for (const i of [2, 1]) assert.deepEqual(Buffer.from(await remote.read(i)),
        FILE.subarray(i * PIECE, (i + 1) * PIECE));
    assert.deepEqual(asked, ['bytes=1000-1999', 'bytes=2000-2499'],
        'the first answer is not asked for twice');
    assert.equal(counted, 1500);
}));

test('headers of the caller are sent along', () => withServer((request, response) => {
    if (request.headers.authorization !== 'Bearer x') return response.writeHead(401).end();
    sendRange(request, response);
}, async (url) => assert.deepEqual(await readAll(url, {headers: {Authorization: 'Bearer x'}}), FILE)));

test('the caller\'s headers go to the model\'s own origin alone, not to mirrors or redirects', async () => {
    const secrets = {'Authorization': 'Bearer x', 'X-Token': 'y'}, seen = [];
    const note = (place) => (request, response, nth) => {
        seen.push([place, request.headers.authorization, request.headers['x-token']]);
        if (place === 'own' && request.url.startsWith('/models/'))
            return response.writeHead(302, {Location: `${elsewhere}cdn`}).end();
        if (place === 'first' && nth > 0) return response.writeHead(410).end();
        sendRange(request, response);
    };
    let elsewhere;
    for (const headers of [secrets, {Authorization: 'Bearer x'}]) {
        const token = headers['X-Token'];
        await withServer(note('mirror'), (second) => withServer(note('first'), async (first) => {
            assert.deepEqual(await readAll([first, second], {headers}), FILE);
            assert.deepEqual(seen.splice(0), [
                ...Array(2).fill(['first', 'Bearer x', token]),
                ...Array(2).fill(['mirror', undefined, undefined]),
            ]);
            elsewhere = second.replace('models', 'other');
            await withServer(note('own'),
                async (url) => assert.deepEqual(await readAll(url, {headers}), FILE));
            assert.deepEqual(seen.splice(0),
                Array(3).fill([['own', 'Bearer x', token], ['mirror', undefined, undefined]]).flat());
            elsewhere = '/';        // within the origin they stay
            await withServer(note('own'),
                async (url) => assert.deepEqual(await readAll(url, {headers}), FILE));
            assert.deepEqual(seen.splice(0), Array(6).fill(['own', 'Bearer x', token]));
            await withServer(note('parts'), async (other) => {
                const parts = [0, 1, 2].map((i) => new URL(`part-${i}`, other).href);
                await withServer(note('own'),
                    async (url) => (await openRemote(url, {
                        pieceSize: PIECE, headers, size: FILE.length, parts,
                    })).read(0));
                assert.deepEqual(seen.splice(0), [['parts', undefined, undefined]]);
            });
        }));
    }
    await withServer((request, response) => response.writeHead(302, {Location: request.url}).end(),
        (url) => assert.rejects(readAll(url, {headers: secrets}),
            refused('network', /redirects the request/)));
});

test('a bare % in an address is a part of the name',
    () => withServer((request, response) => sendRange(request, response), async (url) => {
    for (const [path, name] of [['100%.gguf', '100%.gguf'], ['a%20b%zz%C3%A4-%ff.gguf',
        'a b%zz\u00e4-%ff.gguf'], ['%E4%B8%AD.gguf', '\u4e2d.gguf'], ['./', 'model.gguf']]) {
        const remote = await openRemote(new URL(path, url).href, {pieceSize: PIECE});
        assert.equal(remote.name, name);
        remote.close();
    }
}));

test('the parts of a manifest are file names beside it', () => {
    const manifest = (file) => ({
        file: 'm.gguf', size: 1, sha256: 'a'.repeat(64), chunkSize: 1,
        chunks: [{sha256: 'a'.repeat(64), file}],
    });
    for (const file of ['../m', 'a/b', '/m', 'a\\b', 'https:m', '//host/m', 'data:m', '', '.', '..', 'a\0b',
        '\ud800', 5, {}])
        assert.throws(() => readManifest(manifest(file)), {code: 'bad-file'}, JSON.stringify(file));
    for (const [file, address] of [['m.gguf.part-00000', 'm.gguf.part-00000'],
        ['100% a?b#c', '100%25%20a%3Fb%23c'], ['%2e%2e', '%252e%252e'], ['...', '...']])
        assert.equal(beside(readManifest(manifest(file)).parts[0], 'https://host/x/m.json?y'),
            `https://host/x/${address}`);
});

test('a server without ranges sends the file once, and it is cut into pieces',
    () => withServer((request, response) => sendWhole(request, response), async (url, asked) => {
    assert.deepEqual(await readAll(url), FILE);
    assert.equal(asked.length, 1);
}));

test('a redirect is followed', () => withServer((request, response) => {
    if (request.url.startsWith('/models/')) return response.writeHead(302, {Location: '/cdn/abc'}).end();
    sendRange(request, response);
}, async (url) => {
    assert.equal((await openRemote(url, {pieceSize: PIECE})).name, 'tiny one.gguf');
    assert.deepEqual(await readAll(url), FILE);
}));

for (const [status, code, message, times = 1] of [
    [404, 'not-found', /^tiny one\.gguf was not found: 127\.0\.0\.1:\d+ answered 404\.$/],
    [410, 'not-found', /answered 410/],
    [401, 'network', /refuses to give out tiny one\.gguf \(401\).*login.*open it from your disk/],
    [403, 'network', /refuses to give out tiny one\.gguf \(403\)/],
    [400, 'network', /answered 400/],
    [500, 'network', /answered 500 when asked for tiny one\.gguf; try again later/, HASTE.tries],
    [503, 'network', /answered 503/, HASTE.tries],
    [429, 'network', /answered 429/, HASTE.tries],
]) {
    test(`status ${status} is told as '${code}'`,
        () => withServer((request, response) => response.writeHead(status).end('no'), async (url, asked) => {
        await assert.rejects(readAll(url), (error) => {
            // What a host refuses is not blamed on the connection.
            assert.equal(error.refused, status < 404 || undefined);
            return refused(code, message)(error);
        });
        assert.equal(asked.length, times);
    }));
}

test('a web page is no model', () => withServer((request, response) => {
    response.writeHead(200, {'Content-Type': 'text/html; charset=utf-8'}).end('<!doctype html><p>Log in');
}, (url) => assert.rejects(readAll(url), refused('bad-file', /is a web page, not a model file/))));

test('a GGUF that is labelled as a web page is a model: its first bytes decide', async () => {
    const gguf = Buffer.concat([Buffer.from('GGUF'), FILE]),
        label = {'Content-Type': 'text/html; charset=utf-8'};
    for (const answer of [(request, response) => sendRange(request, response, {bytes: gguf, headers: label}),
        (request, response) => {
        response.writeHead(200, {...label, 'Content-Length': gguf.length});
        response.write(gguf.subarray(0, 2));
        setTimeout(() => response.end(gguf.subarray(2)), 20);
    }]) await withServer(answer, async (url) => assert.deepEqual(await readAll(url), gguf));
    for (const text of ['GGU', 'please log in'])
        await withServer((request, response) => response.writeHead(200, label).end(text),
            (url) => assert.rejects(readAll(url), refused('bad-file', /is a web page/)));
});

test('of a manifest and a pointer no more is read than such a file has', async () => {
    let sent = 0;
    await withServer((request, response) => {
        const block = Buffer.alloc(1 << 20, '[');
        const more = () => {
            sent += block.length;
            response.write(block, () => !response.destroyed && more());
        };
        more();
    }, async (url) => {
        await assert.rejects(askManifest(url, {home: url}), refused('bad-file', /has more than/));
        assert.equal(await askPointer(new URL('/a/b/resolve/main/m.gguf', url).href, {home: url}), '');
    });
    assert.ok(sent < 200 << 20, `${sent} bytes`);
});

test('an empty file is told, with ranges and without', async () => {
    const empty = Buffer.alloc(0);
    for (const answer of [(a, b) => sendRange(a, b, {bytes: empty}), (a, b) => sendWhole(a, b, empty)])
        await withServer(answer, (url) => assert.rejects(readAll(url),
            refused('bad-file', /^tiny one\.gguf on 127\.\S+ is empty\.$/)));
});

test('where nobody says the length, as of what comes compressed, the file is read to its end first',
    async () => {
    const zipped = gzipSync(FILE), coding = {'Content-Encoding': 'gzip'};
    for (const answer of [
        (request, response) => { response.writeHead(200); response.write(FILE); response.end(); },
        (request, response) => response.writeHead(200, coding).end(zipped),
        (request, response) => response.writeHead(200, {...coding, 'Content-Length': zipped.length})
            .end(zipped),
        (request, response, nth) => {
            response.writeHead(200, {...coding, 'Content-Length': zipped.length});
            if (nth) response.end(zipped);
            else response.write(zipped.subarray(0, 300), () => response.destroy());
        },
    ]) {
        await withServer(answer, async (url) => {
            let counted = 0;
            const said = [];
            assert.deepEqual(
                await readAll(url, {
                    onBytes: (bytes) => { counted += bytes; }, onWait: (sentence) => said.push(sentence),
                }), FILE);
            assert.equal(counted, FILE.length);
            assert.match(said.find(Boolean), /does not say how long|broke|answer/);
            assert.equal(said.at(-1), undefined);
            const remote = await openRemote(url, {pieceSize: PIECE, patience: HASTE});
            assert.deepEqual(Buffer.from(await remote.read(2)), FILE.subarray(2000));
            assert.deepEqual(Buffer.from(await remote.read(0)), FILE.subarray(0, 1000));
        });
    }
    await withServer((request, response) => response.writeHead(200, coding).end(zipped),
        (url) => assert.rejects(readAll(url, {toEnd: false}), refused('network', /does not say how long/)));
    await withServer((request, response) => response.writeHead(200, coding).end(gzipSync('')),
        (url) => assert.rejects(readAll(url), refused('bad-file', /is empty/)));
    await withServer((request, response) => response.writeHead(200, coding).end(zipped), (url) =>
        assert.rejects(readAll(url, {size: FILE.length - 1}), refused('network', /more bytes/),
            'a manifest says the length'));
    await withServer((request, response) => response.writeHead(200, coding).end(zipped),
        async (url) => assert.deepEqual(await readAll(url, {size: FILE.length}), FILE));
});

test('a range that is compressed on its way is that range', () => withServer((request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range).map(Number),
        part = FILE.subarray(from, to + 1), zipped = gzipSync(part);
    response.writeHead(206, {
        'Content-Encoding': 'gzip', 'Content-Length': zipped.length,
        'Content-Range': `bytes ${from}-${from + part.length - 1}/${FILE.length}`,
    }).end(zipped);
}, async (url) => assert.deepEqual(await readAll(url), FILE)));

test('an answer may be shorter or longer than asked: the rest is asked for, the surplus left', async () => {
    for (const headers of [{ETag: ''}, {}]) {
        await withServer((request, response) => {
            const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range);
            request.headers.range = `bytes=${from}-${Math.min(Number(to), Number(from) + 298)}`;
            sendRange(request, response, {headers});
        }, async (url, asked) => {
            let counted = 0;
            assert.deepEqual(await readAll(url, {onBytes: (bytes) => { counted += bytes; }}), FILE);
            assert.deepEqual(asked.slice(0, 5), [
                'bytes=0-999', 'bytes=299-999', 'bytes=598-999', 'bytes=897-999', 'bytes=1000-1999',
            ]);
            assert.equal(counted, FILE.length);
        });
        await withServer((request, response) => {
            request.headers.range = request.headers.range.replace(/\d+$/, '');
            sendRange(request, response, {headers});
        }, async (url) => assert.deepEqual(await readAll(url), FILE));
    }
    await withServer((request, response) => response.writeHead(206,
        {'Content-Range': `bytes 500-999/${FILE.length}`}).end(FILE.subarray(500, 1000)),
        (url) => assert.rejects(readAll(url), refused('network', /other bytes/), 'of the first answer, too'));
});

test('where Content-Range is hidden, as another origin\'s is, the length is asked for', async () => {
    const {fetch} = globalThis;
    globalThis.fetch = async (...args) => {
        const response = await fetch(...args);
        const shown = [...response.headers].filter(([name]) => !['content-range', 'etag'].includes(name));
        return new Response(response.body, {status: response.status, headers: shown});
    };
    try {
        await withServer((request, response) => sendRange(request, response), async (url, asked) => {
            assert.deepEqual(await readAll(url), FILE);
            assert.deepEqual(asked, ['bytes=0-999', 'HEAD', 'bytes=1000-1999', 'bytes=2000-2499']);
        });
        await withServer((request, response) => request.method === 'HEAD' ? response.writeHead(403).end()
            : sendRange(request, response), async (url, asked) => {
            assert.deepEqual(await readAll(url), FILE);
            assert.deepEqual(asked, ['bytes=0-999', 'HEAD', 'bytes=0-', 'bytes=1000-1999', 'bytes=2000-2499'],
                'where HEAD is refused');
        });
        await withServer((request, response) => request.method === 'HEAD' ? response.writeHead(200,
            {'Content-Length': 0}).end() : sendRange(request, response), async (url) => {
            assert.deepEqual(await readAll(url), FILE, 'where HEAD has a length of 0');
        });
    } finally {
        globalThis.fetch = fetch;
    }
});

test('a connection that is cut anywhere is resumed, and lost bytes are not counted',
    async () => {
    const cuts = [0, 1, 250, 499].flatMap((cutAt) => [0, 1, 2].map((nth) => ({cutAt, nth})));
    await Promise.all(cuts.map(({cutAt, nth}) =>
        withServer((request, response, n) => sendRange(request, response, n === nth ? {cutAt} : {}),
            async (url, asked) => {
            let counted = 0;
            assert.deepEqual(await readAll(url, {onBytes: (bytes) => { counted += bytes; }}), FILE);
            assert.equal(asked.length, 4);
            assert.equal(counted, FILE.length);
        })));
});

test('a connection that breaks each time is told in the end',
    () => withServer((request, response) => sendRange(request, response, {cutAt: 0}),
    (url, asked) => assert.rejects(readAll(url),
        refused('network', /^The connection to 127\.\S+ broke in the middle of tiny one\.gguf/))
        .then(() => assert.equal(asked.length, HASTE.tries))));

test('a server that always breaks off after a few bytes gives the file: each request resumes', () =>
    withServer((request, response) => sendRange(request, response, {cutAt: 90}), async (url, asked) => {
        let counted = 0;
        assert.deepEqual(await readAll(url, {onBytes: (bytes) => { counted += bytes; }}), FILE);
        assert.equal(counted, FILE.length);
        assert.ok(asked.length > 20, 'more often than its patience, for each time something came');
        assert.ok(asked.includes('bytes=90-999'), asked.join());
    }));

test('where nothing shows that the rest is of the same file, a request is repeated whole', () =>
    withServer((request, response, nth) => sendRange(request, response,
        {headers: {ETag: ''}, ...nth === 0 && {cutAt: 90}}), async (url, asked) => {
        assert.deepEqual(await readAll(url), FILE);
        assert.deepEqual(asked.slice(0, 2), ['bytes=0-999', 'bytes=0-999']);
    }));

test('Retry-After is obeyed, in seconds or by a date, but not for hours', async () => {
    for (const wait of [() => '1', () => new Date(Date.now() + 2000).toUTCString()]) {
        let since;
        await withServer((request, response, nth) => {
            if (nth !== 1) {
                if (nth === 2) assert.ok(performance.now() - since > 900 - 1000 * (wait() !== '1'));
                return sendRange(request, response);
            }
            since = performance.now();
            response.writeHead(429, {'Retry-After': wait()}).end();
        }, async (url) => {
            const waits = [];
            assert.deepEqual(await readAll(url, {onWait: (sentence) => waits.push(sentence)}), FILE);
            assert.match(waits[0], /^127\.\S+ answered 429 when asked for tiny one\.gguf; trying again\.$/);
            assert.equal(waits.at(-1), undefined);
        });
    }
    await withServer((request, response) => response.writeHead(503, {'Retry-After': '3600'}).end(),
        async (url, asked) => {
        await assert.rejects(readAll(url), refused('network', /answered 503/));
        assert.equal(asked.length, 1);
    });
});

test('a server that stops sending, or never answers, is asked again', async () => {
    for (const stall of [
        (request, response) => response.writeHead(206,
            {ETag: '"v1"', 'Content-Range': `bytes 0-999/${FILE.length}`}).write(FILE.subarray(0, 300)),
        () => {},
    ]) {
        await withServer((request, response, nth) => nth === 0 ? stall(request, response)
            : sendRange(request, response), async (url, asked) => {
            assert.deepEqual(await readAll(url), FILE);
            assert.equal(asked.length, 4);
        });
    }
});

test('an address that a redirect signed for a while is asked for anew when it expired', async () => {
    let signed = 0, valid;
    await withServer((request, response) => {
        if (request.url.startsWith('/models/')) {
            valid = `/cdn/${++signed}`;
            return response.writeHead(302, {Location: valid}).end();
        }
        // Each signature serves two requests.
        if (request.url !== valid || signed % 3 === 2) return response.writeHead(403).end();
        sendRange(request, response);
    }, async (url) => assert.deepEqual(await readAll(url), FILE));
    assert.ok(signed > 3);
});

test('a login page in the middle of a download is waited out', () => withServer((request, response, nth) => {
    if (nth === 1) return response.writeHead(200, {'Content-Type': 'text/html'})
        .end('<!doctype html><p>Welcome to our Wi-Fi');
    sendRange(request, response);
}, async (url) => assert.deepEqual(await readAll(url), FILE)));

test('a server that forgets its ranges for a while is asked again',
    () => withServer((request, response, nth) => {
    if (nth === 1) return response.writeHead(200, {ETag: '"v1"', 'Content-Length': FILE.length}).end(FILE);
    sendRange(request, response);
}, async (url) => assert.deepEqual(await readAll(url), FILE)));

test('of several servers, one that fails, refuses or has another version is passed over', async () => {
    const bad = {
        missing: (request, response) => response.writeHead(404).end(),
        failing: (request, response) => response.writeHead(500).end(),
        breaking: (request, response) => sendRange(request, response, {cutAt: 10}),
        'after a while': (request, response, nth) => nth === 0 ? sendRange(request, response)
            : response.writeHead(410).end(),
    };
    for (const [name, answer] of Object.entries(bad)) {
        await withServer(answer, (first) => withServer((request, response) => sendRange(request, response),
            async (second) => {
            assert.deepEqual(await readAll([first, second]), FILE, name);
            assert.deepEqual(await readAll([second, first]), FILE, name);
        }));
    }
    await withServer((request, response, nth) => nth === 0 ? sendRange(request, response)
        : response.writeHead(410).end(), (first) =>
        withServer((request, response) => sendRange(request, response, {headers: {ETag: '"other"'}}),
            async (second) => {
            await assert.rejects(readAll([first, second]), refused('not-found', /answered 410/));
            assert.deepEqual(await readAll([first, second], {checked: true}), FILE,
                'where digests tell, versions need not');
        }));
    await withServer((request, response) => response.writeHead(404).end(),
        (first) => withServer((request, response) => response.writeHead(404).end(),
        (second) => assert.rejects(readAll([first, second]), refused('not-found', /answered 404/))));
});

test('a piece that came wrong is asked for at another server',
    () => withServer((request, response) => sendRange(request, response, {bytes: Buffer.alloc(FILE.length)}),
    (first) => withServer((request, response) => sendRange(request, response), async (second) => {
        const remote = await openRemote([first, second], {pieceSize: PIECE, patience: HASTE, checked: true});
        assert.deepEqual(Buffer.from(await remote.read(1)), Buffer.alloc(PIECE));
        assert.deepEqual(Buffer.from(await remote.read(1, 1)), FILE.subarray(PIECE, 2 * PIECE));
    })));

const DATE = 'Mon, 01 Jan 2024 00:00:00 GMT', SHA = createHash('sha256').update(FILE).digest('hex');

test('several ETags are one file with one length and one date, digest or weak tag; else refused', async () => {
    const other = Buffer.from(FILE).fill(1, 1700, 1701);
    for (const [name, headersOf, good, options] of [
        ['nodes of one date', (nth) => ({'ETag': `"${nth}"`, 'Last-Modified': DATE}), true],
        ['a weak tag', (nth) => ({ETag: nth % 2 ? 'W/"x"' : '"x"'}), true],
        ['weak tags only', () => ({ETag: 'W/"x"'}), true],
        ['X-Linked-ETag', (nth) => ({'ETag': `"${nth}"`, 'X-Linked-ETag': `"${SHA.slice(0, 40)}"`}), true],
        ['Repr-Digest', (nth) => ({'ETag': `"${nth}"`,
            'Repr-Digest': `sha-256=:${Buffer.from(SHA, 'hex').toString('base64')}:`}), true],
        [
            'a date that moves with one tag',
            (nth) => ({'ETag': '"x"', 'Last-Modified': new Date(nth * 1e6).toUTCString()}), true,
        ],
        [
            'a digest of the whole decides at the end', (nth) => ({ETag: `"${nth}"`}), true,
            {decided: () => true},
        ],
        ['two nodes of which one has what was begun', (nth) => ({ETag: `"${nth % 2}"`}), true],
        ['nothing tells', (nth) => ({ETag: `"${nth}"`}), false],
        [
            'another date',
            (nth) => ({'ETag': `"${nth}"`, 'Last-Modified': new Date(nth * 1e6).toUTCString()}), false,
        ],
        [
            'another digest', (nth) => ({'ETag': '"x"', 'Last-Modified': DATE, 'X-Linked-ETag': `"${nth}"`}),
            false,
        ],
    ]) {
        await withServer((request, response, nth) => sendRange(request, response, {headers: headersOf(nth)}),
            async (url, asked) => {
            if (!good) return assert.rejects(readAll(url, options),
                refused('network', /changed on its server/), name);
            assert.deepEqual(await readAll(url, options), FILE, name);
            return assert.ok(asked.length <= 5, `${name}: ${asked}`);
        });
        // Bytes of another file are never among them, whichever node has it.
        if (good) continue;
        for (const turn of [1, 2]) {
            await withServer((request, response, nth) => sendRange(request, response,
                {bytes: nth % 2 === turn % 2 ? other : FILE, headers: headersOf(nth)}),
                async (url) => readAll(url, options).then((bytes) => assert.ok(bytes.equals(FILE)
                    || bytes.equals(other), name), ({code}) => assert.equal(code, 'network')));
        }
    }
    await withServer((request, response, nth) => sendRange(request, response,
        {bytes: nth % 2 ? other : FILE, headers: {ETag: `"${nth % 2}"`}}),
        async (url) => assert.deepEqual(await readAll(url), FILE));
});

// Most of their time is waiting.
describe('a host that allows one connection', {concurrency: true}, () => {
    for (const [what, refuse] of [
        ['answers 503 to the others', (response) => response.writeHead(503).end()],
        [
            'answers 429 with a date far away',
            (response) => response.writeHead(429, {'Retry-After': '3600'}).end(),
        ],
        ['closes the others', (response) => response.destroy()],
        ['opens the others and closes them', (response) => {
            response.writeHead(206, {'ETag': '"v1"', 'Content-Length': 10});
            response.flushHeaders();
            setTimeout(() => response.destroy(), 5);
        }],
        ...[400, 401, 403, 404, 410, 416, 500].map((status) => [
            `answers ${status} to the others`, (response) => response.writeHead(status).end(),
        ]),
        ['answers the others with a page', (response) => response.writeHead(200,
            {'Content-Type': 'text/html'}).end('<!doctype html>Too many')],
        ['answers the others with a sentence', (response) => response.writeHead(200,
            {'Content-Type': 'text/plain', 'Content-Length': 8}).end('Too many')],
        ['answers the others with nothing', (response) => response.writeHead(204).end()],
        [
            'answers the others with an empty part',
            (response, range) => response.writeHead(206, {'ETag': '"v1"', 'Content-Range': range}).end(),
        ],
        ['never answers the others', () => {}],
        ['sends the others elsewhere', (response) => response.writeHead(302,
            {Location: 'http://127.0.0.1:9/'}).end()],
    ]) {
        test(`and ${what} gives the whole file: slowly, in order, without a failure`, async () => {
            let open = 0, refusals = 0;
            const pieces = 12, bytes = Buffer.concat(Array(pieces).fill(FILE)).subarray(0, pieces * PIECE);
            await withServer((request, response) => {
                const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range).map(Number),
                    range = `bytes ${from}-${to}/${bytes.length}`;
                if (open) {
                    refusals++;
                    return refuse(response, range);
                }
                open++;
                response.on('close', () => setTimeout(() => open--, 10));       // hosts notice late
                response.writeHead(206, {
                    'ETag': '"v1"', 'Content-Length': to - from + 1, 'Content-Range': range,
                });
                let at = from;
                const timer = setInterval(() => {
                    const end = Math.min(to + 1, at + 100);
                    response.write(bytes.subarray(at, end));
                    at = end;
                    if (at <= to) return;
                    clearInterval(timer);
                    response.end();
                }, 20);
            }, async (url) => {
                const remote = await openRemote(url,
                    {pieceSize: PIECE, patience: {...HASTE, tries: 4, stallMs: 2000}}), waits = [];
                let next = 0;
                const got = [];
                await Promise.all([0, 1, 2, 3].map(async () => {
                    while (next < pieces) {
                        const index = next++;
                        got[index] = Buffer.from(await remote.read(index));
                        waits.push(index);
                    }
                }));
                assert.deepEqual(Buffer.concat(got), bytes);
                // pauses are milliseconds here: how many tries, the machine says
                assert.ok(refusals >= 1 && refusals <= 40 * pieces, `${refusals}`);
            });
        });
    }
});

test('an answer that nobody reads yet gives way to other requests where a host allows one connection',
    async () => {
    let open = 0;
    await withServer((request, response) => {
        if (open) return response.writeHead(503).end();
        open++;
        response.on('close', () => open--);
        const part = Buffer.alloc(4 << 20, 'x');
        const [, from] = /^bytes=(\d+)/.exec(request.headers.range);
        response.writeHead(206, {
            'ETag': '"v1"', 'Content-Range': `bytes ${from}-${Number(from) + part.length - 1}/${20 << 20}`,
        }).end(part);
    }, async (url) => {
        const remote = await openRemote(url, {pieceSize: 4 << 20, patience: {...HASTE, tries: 5}});
        assert.deepEqual(Buffer.from(await remote.peek(8 << 20, 100)), Buffer.alloc(100, 'x'));
        assert.equal((await remote.read(0)).byteLength, 4 << 20);
    });
});

test('a server that refuses everybody is told, however many ask',
    () => withServer((request, response, nth) => nth ? response.writeHead(503).end()
        : sendRange(request, response),
    async (url) => {
        const remote = await openRemote(url, {pieceSize: PIECE, patience: HASTE}),
            all = [0, 1, 2].map((i) => remote.read(i));
        const results = await Promise.allSettled(all);
        assert.deepEqual(results.map(({status}) => status), ['fulfilled', 'rejected', 'rejected']);
    }));

test('a browser that says that there is no network is only believed after a request has failed', async () => {
    const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
    Object.defineProperty(globalThis, 'navigator', {value: {onLine: false}, configurable: true});
    try {
        await withServer((request, response) => sendRange(request, response), async (url) => {
            const waits = [], options = {onWait: (sentence) => waits.push(sentence)};
            assert.deepEqual(await readAll(url.replace('127.0.0.1', '[::ffff:127.0.0.1]'), options), FILE);
            assert.deepEqual(waits, []);
        });
        const gone = await withServer(sendRange, (address) => address);
        await assert.rejects(openRemote(gone, {pieceSize: PIECE}),
            refused('network', /cannot be reached.*no network/));
    } finally {
        if (before) Object.defineProperty(globalThis, 'navigator', before);
        else delete globalThis.navigator;
    }
});

test('a file in parts comes from its parts, with ranges and without', async () => {
    for (const whole of [false, true]) {
        await withServer((request, response) => {
            const bytes = FILE.subarray(Number(/part-(\d)$/.exec(request.url)[1]) * PIECE).subarray(0, PIECE);
            if (whole) sendWhole(request, response, bytes);
            else sendRange(request, response, {bytes, headers: {ETag: `"${request.url}"`}});
        }, async (url, asked) => {
            const parts = [0, 1, 2].map((i) => new URL(`tiny.gguf.part-${i}`, url).href);
            assert.deepEqual(await readAll(url, {size: FILE.length, parts}), FILE);
            assert.deepEqual(asked, ['bytes=0-999', 'bytes=0-999', 'bytes=0-499']);
        });
    }
});

test('another size than somebody promised is told',
    () => withServer((request, response) => sendRange(request, response),
    (url) => assert.rejects(readAll(url, {size: 2600}),
        refused('bad-file',
            /^tiny one\.gguf on 127\.\S+ is not the file that was expected: it has 2500 bytes, not 2600\.$/))));

test('a server without ranges that breaks off is read again from byte 0, if it has a version', async () => {
    const answer = (request, response, nth) => {
        response.writeHead(200, {'Content-Length': FILE.length, ETag: nth === 3 ? '"v2"' : '"v1"'});
        if (nth === 2) response.end(FILE);
        else response.write(FILE.subarray(0, nth ? 2100 : 1500), () => response.destroy());
    };
    await withServer(answer, async (url, asked) => {
        let counted = 0;
        assert.deepEqual(await readAll(url, {onBytes: (bytes) => { counted += bytes; }}), FILE);
        assert.deepEqual([asked.length, counted], [3, FILE.length]);
    });
    await withServer((request, response) => sendWhole(request, response), async (url, asked) => {
        const remote = await openRemote(url, {pieceSize: PIECE, first: 2});
        for (const index of [2, 1, 2]) assert.deepEqual(Buffer.from(await remote.read(index)),
            FILE.subarray(index * PIECE, (index + 1) * PIECE));
        assert.equal(asked.length, 2, 'going back is reading again');
    });
    await withServer((request, response, nth) => answer(request, response, nth ? 3 : 0),
        (url) => assert.rejects(readAll(url), refused('network', /changed on its server/)));
});

test('a body without a length that breaks off after its last byte was whole',
    () => withServer((request, response) => {
    response.writeHead(200, {ETag: '"v1"'});
    response.write(FILE, () => response.destroy());
}, async (url) => assert.deepEqual(await readAll(url, {size: FILE.length}), FILE)));

test('the SHA-256 that a server publishes is known; an ETag is none', async () => {
    const hex = createHash('sha256').update(FILE).digest('hex'),
        base64 = Buffer.from(hex, 'hex').toString('base64');
    for (const [headers, wanted] of [
        [{'X-Linked-ETag': `"${hex}"`}, hex], [{'Repr-Digest': `sha-512=:AAAA:, sha-256=:${base64}:`}, hex],
        [{Digest: `SHA-256=${base64}`}, hex],
        [{ETag: `"${hex}"`}, ''], [{'Repr-Digest': 'md5=:AAAA:'}, ''],
    ]) {
        await withServer((request, response) => sendRange(request, response, {headers}), async (url) => {
            const remote = await openRemote(url, {pieceSize: PIECE});
            assert.equal(remote.sha256, wanted, JSON.stringify(headers));
            remote.close();
        });
    }
});

test('a server without ranges that breaks off is told at once', () => withServer((request, response) => {
    response.writeHead(200, {'Content-Length': FILE.length});
    response.write(FILE.subarray(0, 1500), () => response.destroy());
}, (url, asked) => assert.rejects(readAll(url), refused('network', /broke in the middle/))
    .then(() => assert.equal(asked.length, 1))));

test('fewer or more bytes than announced are told, and none of them are taken for the file', async () => {
    for (const [sent, message] of [[900, /sent fewer bytes/], [1100, /sent more bytes/]]) {
        await withServer((request, response) => {
            // no Content-Length: chunked
            response.writeHead(206, {'Content-Range': `bytes 0-999/${FILE.length}`});
            response.end(FILE.subarray(0, sent));
        }, (url) => assert.rejects(readAll(url), refused('network', message)));
    }
});

test('a Content-Length that is larger than the body is a broken connection',
    () => withServer((request, response) => {
    response.writeHead(200, {'Content-Length': FILE.length + 100});
    response.write(FILE, () => response.destroy());
}, (url) => assert.rejects(readAll(url), refused('network', /broke in the middle|sent fewer/))));

test('another part than was asked for is refused', () => withServer((request, response, n) => {
    if (n === 0) return sendRange(request, response);
    response.writeHead(206, {ETag: '"v1"', 'Content-Range': `bytes 0-999/${FILE.length}`})
        .end(FILE.subarray(0, PIECE));
}, (url) => assert.rejects(readAll(url), refused('network', /other bytes/))));

test('a file that changes during the download is refused: ETag, size, status or length', async () => {
    const changed = {
        etag: (request, response) => sendRange(request, response, {headers: {ETag: '"v2"'}}),
        size: (request, response) => sendRange(request, response, {bytes: Buffer.concat([FILE, FILE])}),
        whole: (request, response) => sendWhole(request, response),
        shorter: (request, response) => sendRange(request, response, {bytes: FILE.subarray(0, 900)}),
    };
    for (const [name, then] of Object.entries(changed)) {
        await withServer((request, response, n) => (n === 0 ? sendRange : then)(request, response),
            (url) => assert.rejects(readAll(url), refused('network', /^tiny one\.gguf changed on its server/),
                name));
    }
});

test('who asks for a piece beyond the end of a file that became shorter learns its new size',
    () => withServer((request, response) => sendRange(request, response), async (url) => {
    const remote = await openRemote(url, {pieceSize: PIECE, first: 7});
    assert.equal(remote.size, FILE.length);
    remote.close();
}));

test('a server that cannot be reached is told', async () => {
    const url = await withServer(sendRange, (address) => address);
    await assert.rejects(openRemote(url, {pieceSize: PIECE}),
        refused('network', /^127\.\S+ cannot be reached\.$/));
});

test('cancelling acts at once on a slow trickle, and while a broken connection waits to be taken up again',
    async () => {
    const trickle = (request, response) => {
        response.writeHead(206, {ETag: '"v1"', 'Content-Range': `bytes 0-999/${FILE.length}`});
        response.write(FILE.subarray(0, 10));
    };
    for (const answer of [trickle, (request, response) => sendRange(request, response, {cutAt: 10})]) {
        await withServer(answer, async (url) => {
            const stopping = new AbortController();
            let since;
            const patience = {tries: 6, pauseMs: 5000, longestMs: 5000, stallMs: 30_000};
            const remote = await openRemote(url, {pieceSize: PIECE, signal: stopping.signal, patience,
                onBytes(bytes) {
                if (bytes > 0) setTimeout(() => { since = performance.now(); stopping.abort(); }, 20);
            }});
            await assert.rejects(remote.read(0), {name: 'AbortError'});
            assert.ok(performance.now() - since < 300);
        });
    }
});
