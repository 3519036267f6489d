// A file of unknown length: it is read to its end before any of it is used, into Blobs, which browsers may
// put on the disk.

const LARGEST = 4 * 2 ** 30;     // bytes
const REPORT_MS = 500;

/**
 * @param {object} options
 * @param {import('./servers.js').Servers} options.servers
 * @param {string} options.name
 * @param {number} options.pieceSize   bytes that are put into a Blob at once
 * @param {(server: number) => Promise<import('./servers.js').Answer>} options.begin
 * @param {import('./wrong_answers.js').WrongAnswers} options.wrong
 * @param {(sentence?: string) => void} options.onWait   gets a sentence: how much there is so far
 * @returns {Promise<Blob>}
 */
export function readToEnd({servers, name, pieceSize, begin, wrong, onWait}) {
    return servers.persist(async (server) => {
        const answer = await begin(server);
        /** @type {Blob[]} */
        const blobs = [];
        /** @type {Uint8Array[]} */
        let packets = [];
        let held = 0, length = 0, reported = -Infinity;
        for await (const packet of answer.packets()) {
            length += packet.length;
            held += packet.length;
            if (length > LARGEST) throw wrong.endless(server, LARGEST);
            packets.push(packet);
            if (held >= pieceSize) {
                blobs.push(new Blob(/** @type {BlobPart[]} */ (packets)));
                [packets, held] = [[], 0];
            }
            if (performance.now() - reported < REPORT_MS) continue;
            reported = performance.now();
            onWait(`${servers.site(server)} does not say how long ${name} is: ${(length / 1e6).toFixed(1)} MB so far.`);
        }
        onWait();
        return new Blob([...blobs, .../** @type {BlobPart[]} */ (packets)]);
    });
}
