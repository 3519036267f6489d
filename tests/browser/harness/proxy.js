// A proxy that lets nothing through: what a page asks of other machines is noted and refused.

import {createServer} from 'node:http';

/** Where browsers report to by themselves, however they are told not to. */
const THEIR_OWN = /^(http:\/\/)?((update|content-autofill|optimizationguide-pa)\.googleapis\.com|(accounts|clients\d?|www)\.google\.com|[\w.-]+\.mozilla\.(com|org|net))[:/]/;

/**
 * @param {string[]} strangers   grows by each address that was asked for
 * @returns {Promise<{port: number, close: () => void}>}
 */
export async function startRefusingProxy(strangers) {
    const note = ({url}) => THEIR_OWN.test(url) || strangers.push(url);
    const proxy = createServer((request, response) => {
        note(request);
        response.writeHead(502).end();
    });
    proxy.on('connect', (request, socket) => {
        note(request);
        socket.on('error', () => {});
        socket.end('HTTP/1.1 502 Refused\r\n\r\n');
    });
    await new Promise((listening) => proxy.listen(0, '127.0.0.1', listening));
    return {
        port: proxy.address().port,
        close() {
            proxy.closeAllConnections();
            proxy.close();
        },
    };
}
