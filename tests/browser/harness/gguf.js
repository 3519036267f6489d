// Changes the metadata of a GGUF file, for models that try to do harm with their texts.
//
// Owns: where strings lie in a GGUF header. Must not know: tensors; so that their places stay right, the
// header keeps its length modulo the alignment.

const ALIGNMENT = 32;
const STRING = 8, ARRAY = 9;
// by value type, up to the first two, which have no fixed one
const SIZES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const HEADER = 24;      // magic, version, tensor count, count of pairs

/**
 * @param {Buffer} file
 * @param {(key: string, value: string, index: number) => string} change   called for every string that a key
 *     has, or each of its array
 * @returns {Buffer} the file with changed strings; `general.name` gets the spaces that keep the alignment
 */
export function changeStrings(file, change) {
    const pieces = [];
    let kept = 0;       // up to where the file has been taken over
    let at = HEADER;
    let nameEnds;       // index of the piece after which the spaces go
    const u64 = () => Number(file.readBigUInt64LE((at += 8) - 8));
    const u32 = () => file.readUInt32LE((at += 4) - 4);
    const string = () => {
        const length = u64();
        return file.toString('utf8', at, at += length);
    };
    const replace = (key, index) => {
        const begin = at;
        const text = Buffer.from(change(key, string(), index));
        pieces.push(file.subarray(kept, begin), length64(text.length), text);
        kept = at;
        if (key === 'general.name') nameEnds = pieces.length - 1;
    };
    for (let pairs = Number(file.readBigUInt64LE(16)); pairs > 0; pairs--) {
        const key = string();
        const type = u32();
        if (type === STRING) replace(key, 0);
        else if (type !== ARRAY) at += SIZES[type];
        else {
            const inner = u32(), n = u64();
            if (inner === STRING) for (let i = 0; i < n; i++) replace(key, i);
            else at += n * SIZES[inner];
        }
    }
    pieces.push(file.subarray(kept));
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const spaces = ((file.length - size) % ALIGNMENT + ALIGNMENT) % ALIGNMENT;
    pieces[nameEnds] = Buffer.concat([pieces[nameEnds], Buffer.alloc(spaces, ' ')]);
    pieces[nameEnds - 1] = length64(pieces[nameEnds].length);
    return Buffer.concat(pieces);
}

function length64(n) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(n));
    return bytes;
}
