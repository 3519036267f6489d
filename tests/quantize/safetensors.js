// safetensors.js: changes to a checkpoint's files, for tests.

import {readFileSync, writeFileSync} from 'node:fs';

/** @param {(json: any) => any} change   in place, or to what it returns */
export function editJson(path, change) {
    const json = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify(change(json) ?? json));
}

/**
 * @param {(tensors: Record<string, {dtype: string, shape: number[], bytes: Buffer}>) => void} change   the
 *     tensors of a safetensors file
 */
export function changeTensors(path, change) {
    const file = readFileSync(path), n = Number(file.readBigUInt64LE(0)),
        {__metadata__, ...about} = JSON.parse(file.toString('utf8', 8, 8 + n));
    const tensors = Object.fromEntries(Object.entries(about)
        .map(([name, {dtype, shape, data_offsets: [begin, end]}]) =>
        [name, {dtype, shape, bytes: file.subarray(8 + n + begin, 8 + n + end)}]));
    change(tensors);
    let at = 0;
    const header = {__metadata__,
        ...Object.fromEntries(Object.entries(tensors).map(([name, {dtype, shape, bytes}]) =>
        [name, {dtype, shape, data_offsets: [at, at += bytes.length]}]))};
    const text = Buffer.from(JSON.stringify(header)), size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(path, Buffer.concat([size, text, ...Object.values(tensors).map(({bytes}) => bytes)]));
}
