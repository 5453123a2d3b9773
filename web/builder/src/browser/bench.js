// A module worker that feeds the benchmark's stream to `engine.wasm` and measures it: columns made
// first, then handed in, copies included, and looked at batch by batch as they come out.

import { load } from "../engine.js";

const TWO_32 = 0x1_0000_0000;
const START = 1_700_000_000_000;
const BIDS_PER_OPENING = 50;

/** A 64-bit number as two halves: BigInt would take minutes. */
let high = 0;
let low = 0;

/** Multiplies it, wrapping. */
function multiply(byHigh, byLow) {
  const [a, b, c, d] = [low & 0xffff, low >>> 16, byLow & 0xffff, byLow >>> 16];
  const least = a * c;
  const middle = a * d + b * c + (least >>> 16);
  const carried = b * d + Math.floor(middle / 0x1_0000);
  high = (carried + Math.imul(high, byLow) + Math.imul(low, byHigh)) >>> 0;
  low = ((middle % 0x1_0000) * 0x1_0000 + (least & 0xffff)) >>> 0;
}

function fold(shift) {
  low = (low ^ ((low >>> shift) | (high << (32 - shift)))) >>> 0;
  high = (high ^ (high >>> shift)) >>> 0;
}

/** The finaliser of splitmix64 over a counter. */
function mix(counterHigh, counterLow) {
  high = counterHigh;
  low = counterLow;
  multiply(0x9e3779b9, 0x7f4a7c15);
  fold(30);
  multiply(0xbf58476d, 0x1ce4e5b9);
  fold(27);
  multiply(0x94d049bb, 0x133111eb);
  fold(31);
}

const scale = (word, limit) => Math.floor((word * limit) / TWO_32);

/** Bid `i`. */
function bid(i) {
  mix(Math.floor((2 * i + 1) / TWO_32), (2 * i + 1) >>> 0);
  const u = high / TWO_32;
  const auction = Math.floor(u * u * u * 10_000);
  const bidder = scale(low, 20_000);
  mix(Math.floor((2 * i + 2) / TWO_32), (2 * i + 2) >>> 0);
  const ts = START + Math.floor(i / 10) - scale(low, 5_000);
  return { kind: 0, auction, bidder, channel: auction % 7, price: 1 + scale(high, 10_000), ts };
}

/** The opening that arrives just before bid `50 * j`. */
function opening(j) {
  mix(0x8000_0000 + Math.floor((2 * j + 1) / TWO_32), (2 * j + 1) >>> 0);
  const ts = START + j * 5 - scale(low, 5_000);
  return { kind: 1, auction: scale(high, 10_000), price: 0, ts };
}

/** An empty column of a type, and how a value is put at a row. */
function column({ name, type }, rows, batchRows) {
  if (type === "INT") {
    const values = new Int32Array(rows);
    return { type, values, put: (row, event) => (values[row] = event[name]) };
  }
  if (type === "STRING") {
    const values = new Uint8Array(12 * rows);
    const put = (row, event) => {
      const text = `auction-${String(event[name]).padStart(4, "0")}`;
      for (let i = 0; i < 12; i++) values[12 * row + i] = text.charCodeAt(i);
    };
    const offsets = Uint32Array.from({ length: batchRows + 1 }, (_, i) => i * 12);
    return { type, values, width: 12, offsets, put };
  }
  const values = new BigInt64Array(rows);
  const halves = new Uint32Array(values.buffer);
  const put = (row, event) => {
    halves[2 * row] = event[name] % TWO_32;
    halves[2 * row + 1] = Math.floor(event[name] / TWO_32);
  };
  return { type, values, put };
}

/** The stream's columns for a table. */
function input(fields, records, batchRows) {
  const merged = fields.some((field) => field.name === "kind");
  const rows = records + (merged ? Math.ceil(records / BIDS_PER_OPENING) : 0);
  const columns = fields.map((field) => column(field, rows, batchRows));
  let row = 0;
  const put = (event) => {
    for (const c of columns) c.put(row, event);
    row += 1;
  };
  for (let i = 0; i < records; i++) {
    if (merged && i % BIDS_PER_OPENING === 0) put(opening(i / BIDS_PER_OPENING));
    put(bid(i));
  }
  return { rows, columns };
}

/** Rows `from..to` of a column, without copying its values: texts of one width have one list of offsets. */
function piece({ type, values, width, offsets }, from, to) {
  if (!width) return { type, values: values.subarray(from, to) };
  const texts = values.subarray(from * width, to * width);
  return { type, values: texts, offsets: offsets.subarray(0, to - from + 1) };
}

/** How many rows are now true: of a changelog +I and +U, whose numbers are even. */
function current(kinds, rows) {
  if (!kinds) return rows;
  let count = 0;
  for (let i = 0; i < rows; i++) count += 1 - (kinds[i] & 1);
  return count;
}

/** The sum of a batch's numbers, of the rows that are now true. */
function sum(values, kinds) {
  const halves = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
  let low = 0;
  let high = 0;
  if (kinds) {
    for (let i = 0; i < kinds.length; i++) {
      const mask = (kinds[i] & 1) - 1;
      low += (halves[2 * i] & mask) >>> 0;
      high += halves[2 * i + 1] & mask;
    }
  } else {
    for (let i = 0; i < halves.length; i += 2) {
      low += halves[i] >>> 0;
      high += halves[i + 1];
    }
  }
  return BigInt(low) + BigInt(high) * BigInt(TWO_32);
}

/** Adds a batch of result rows up. */
function add({ rows, kinds, columns }, names, totals) {
  const counted = current(kinds, rows);
  const of = (name) => (names.includes(name) ? sum(columns[names.indexOf(name)].values, kinds) : null);
  totals.rows += counted;
  totals.counts += of("n") ?? BigInt(counted);
  totals.sums += of("total") ?? of("price") ?? 0n;
  totals.maxima += of("highest") ?? 0n;
}

/** One run: its totals and how long it took, in seconds. */
function run(engine, order, data) {
  const began = performance.now();
  const totals = { rows: 0, counts: 0n, sums: 0n, maxima: 0n };
  const { job, outputs } = engine.start("bench.sql", order.sql, { batch_rows: order.batch_rows });
  const names = outputs[0].columns.map(({ name }) => name);
  const drain = () => {
    while (engine.show(job, 0, (rows) => add(rows, names, totals)));
  };
  for (let from = 0; from < data.rows; from += order.batch_rows) {
    const to = Math.min(from + order.batch_rows, data.rows);
    engine.push(job, 0, to - from, data.columns.map((c) => piece(c, from, to)));
    drain();
  }
  engine.end(job, 0);
  // What is left comes as a copy, the other way to have rows.
  for (let rows; (rows = engine.take(job, 0)); ) add(rows, names, totals);
  const { late } = engine.report(job);
  engine.exports.hw_close(job);
  const seconds = (performance.now() - began) / 1000;
  const { rows, counts, sums, maxima } = totals;
  return { seconds, rows, late, counts: Number(counts), sums: Number(sums), maxima: Number(maxima) };
}

async function measure(order) {
  const engine = await load(`${order.base}engine.wasm`);
  const { job, inputs } = engine.start("bench.sql", order.sql);
  engine.exports.hw_close(job);
  const data = input(inputs[0].columns, order.records, order.batch_rows);
  // The first run warms the module up: it begins in the browser's quick compiler.
  const warmups = order.repeats > 1 ? 1 : 0;
  const runs = Array.from({ length: order.repeats + warmups }, () => run(engine, order, data));
  return runs.slice(warmups);
}

onmessage = async ({ data }) => {
  try {
    postMessage({ result: await measure(data) });
  } catch (error) {
    postMessage({ error: String(error?.message ?? error) });
  }
};
