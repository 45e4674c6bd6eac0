/**
 * Adds up the rows of a COPY text: finds their ends, hashes each and sums the hashes. A table of a hundred million rows is
 * a hundred million hashes: in JavaScript each call into a library of hashes took five times as long as the hash itself.
 *
 * AssemblyScript (https://www.assemblyscript.org), compiled by `npm run wasm` into `compiled.ts`. One row after another,
 * in pieces of any size; what has to be known between two pieces is the state, which the caller keeps.
 *
 * The hash of a row is SipHash-2-4 with 128 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF"), with the key
 * 00 01 … 0f of its published test vectors; it and the sum are read as little-endian numbers.
 */

/** Where a piece is to be put, and the most that it may hold. */
export const PIECE: usize = __heap_base;
export const PIECE_BYTES: i32 = 1 << 18;

/** Where the state is, and its size. All zeros: nothing has come. */
export const STATE: usize = memory.data(96, 8);
export const STATE_BYTES: i32 = 96;

// Of the state: the row that has begun,
const V0: usize = STATE;
const V1: usize = STATE + 8;
const V2: usize = STATE + 16;
const V3: usize = STATE + 24;
/** Its last bytes that are not eight yet. */
const TAIL: usize = STATE + 32;
const LENGTH: usize = STATE + 40;
/** Not 0: a row has begun. */
export const BEGUN: usize = STATE + 48;
/** Within quotes of CSV. */
const QUOTED: usize = STATE + 56;
// and all rows before it.
export const ROWS: usize = STATE + 64;
/** 128 bits. */
export const SUM: usize = STATE + 72;
/** The row that comes next is none. */
export const HEADER: usize = STATE + 88;

const KEY_LOW: u64 = 0x0706050403020100;
const KEY_HIGH: u64 = 0x0f0e0d0c0b0a0908;

const NEWLINES: u64 = 0x0a0a0a0a0a0a0a0a;
const ONES: u64 = 0x0101010101010101;
const HIGHS: u64 = 0x8080808080808080;

let v0: u64 = 0;
let v1: u64 = 0;
let v2: u64 = 0;
let v3: u64 = 0;

/** Adds a piece of text: inside of values a newline is escaped. */
export function addText(bytes: i32): void {
  const end = PIECE + <usize>bytes;
  let from = PIECE;
  for (;;) {
    const newline = newlineIn(from, end);
    if (newline === end) break;
    endRow(from, newline);
    from = newline + 1;
  }
  if (from < end) beginRow(from, end);
}

/** Adds a piece of CSV: inside of quotes a newline belongs to the value. A quote in a value is written twice, and so leaves and enters again. */
export function addCsv(bytes: i32): void {
  const end = PIECE + <usize>bytes;
  let from = PIECE;
  let quoted = load<u64>(QUOTED);
  for (let at = from; at < end; at++) {
    const byte = load<u8>(at);
    if (byte === 0x22) quoted ^= 1;
    else if (byte === 0x0a && !quoted) {
      endRow(from, at);
      from = at + 1;
    }
  }
  store<u64>(QUOTED, quoted);
  if (from < end) beginRow(from, end);
}

/** The first newline, or the end. */
function newlineIn(from: usize, end: usize): usize {
  let at = from;
  for (; at + 8 <= end; at += 8) {
    const other = load<u64>(at) ^ NEWLINES;
    const found = (other - ONES) & ~other & HIGHS;
    if (found) return at + <usize>(ctz(found) >> 3);
  }
  while (at < end && load<u8>(at) !== 0x0a) at++;
  return at;
}

function beginRow(from: usize, end: usize): void {
  resume();
  absorb(from, end);
  store<u64>(BEGUN, 1);
  store<u64>(V0, v0);
  store<u64>(V1, v1);
  store<u64>(V2, v2);
  store<u64>(V3, v3);
}

function endRow(from: usize, end: usize): void {
  if (load<u64>(HEADER)) {
    store<u64>(HEADER, 0);
    store<u64>(BEGUN, 0);
    return;
  }
  resume();
  absorb(from, end);
  store<u64>(BEGUN, 0);
  store<u64>(ROWS, load<u64>(ROWS) + 1);
  compress((load<u64>(LENGTH) << 56) | load<u64>(TAIL));
  v2 ^= 0xee;
  rounds();
  rounds();
  const low = v0 ^ v1 ^ v2 ^ v3;
  v1 ^= 0xdd;
  rounds();
  rounds();
  const high = v0 ^ v1 ^ v2 ^ v3;
  const sum = load<u64>(SUM) + low;
  store<u64>(SUM, sum);
  store<u64>(SUM, load<u64>(SUM, 8) + high + u64(sum < low), 8);
}

function resume(): void {
  if (load<u64>(BEGUN)) {
    v0 = load<u64>(V0);
    v1 = load<u64>(V1);
    v2 = load<u64>(V2);
    v3 = load<u64>(V3);
    return;
  }
  v0 = KEY_LOW ^ 0x736f6d6570736575;
  v1 = KEY_HIGH ^ 0x646f72616e646f6d ^ 0xee;
  v2 = KEY_LOW ^ 0x6c7967656e657261;
  v3 = KEY_HIGH ^ 0x7465646279746573;
  store<u64>(TAIL, 0);
  store<u64>(LENGTH, 0);
}

function absorb(from: usize, end: usize): void {
  const length = load<u64>(LENGTH);
  let tail = load<u64>(TAIL);
  let at = from;
  let held = length & 7;
  store<u64>(LENGTH, length + (end - from));
  if (held) {
    for (; at < end && held < 8; at++) tail |= (<u64>load<u8>(at)) << (held++ << 3);
    if (held === 8) {
      compress(tail);
      tail = held = 0;
    }
  }
  if (!held) {
    at = absorbWords(at, end);
    for (; at < end; at++) tail |= (<u64>load<u8>(at)) << (held++ << 3);
  }
  store<u64>(TAIL, tail);
}

/** All whole words, in locals: globals would be stored and loaded again for each. */
function absorbWords(from: usize, end: usize): usize {
  let a = v0;
  let b = v1;
  let c = v2;
  let d = v3;
  let at = from;
  for (; at + 8 <= end; at += 8) {
    const word = load<u64>(at);
    d ^= word;
    a += b;
    c += d;
    b = rotl(b, 13) ^ a;
    d = rotl(d, 16) ^ c;
    a = rotl(a, 32) + d;
    c += b;
    d = rotl(d, 21) ^ a;
    b = rotl(b, 17) ^ c;
    c = rotl(c, 32);
    a += b;
    c += d;
    b = rotl(b, 13) ^ a;
    d = rotl(d, 16) ^ c;
    a = rotl(a, 32) + d;
    c += b;
    d = rotl(d, 21) ^ a;
    b = rotl(b, 17) ^ c;
    c = rotl(c, 32);
    a ^= word;
  }
  v0 = a;
  v1 = b;
  v2 = c;
  v3 = d;
  return at;
}

function compress(word: u64): void {
  v3 ^= word;
  rounds();
  v0 ^= word;
}

/** Two of them. */
function rounds(): void {
  let a = v0;
  let b = v1;
  let c = v2;
  let d = v3;
  for (let round = 0; round < 2; round++) {
    a += b;
    b = rotl(b, 13) ^ a;
    a = rotl(a, 32);
    c += d;
    d = rotl(d, 16) ^ c;
    a += d;
    d = rotl(d, 21) ^ a;
    c += b;
    b = rotl(b, 17) ^ c;
    c = rotl(c, 32);
  }
  v0 = a;
  v1 = b;
  v2 = c;
  v3 = d;
}
