// A module worker that runs scenarios on `engine.wasm` and says what came out, in digests.

import { compile, halves, start } from "../engine.js";

/** The engine of the run, and the code that all runs share: compiled once, and better the longer it is used. */
let engine;
let code;

async function load(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function digest(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** Opens an example, or a script that comes with its files, with everything it needs. */
async function open({ base, example: name, script: own, files, options }) {
  const script = own ?? (await load(`${base}examples/${name}`));
  if (!engine.lend([name, script], engine.exports.hw_needs)) throw new Error(engine.result());
  for (const { path, kind } of JSON.parse(engine.result()).needs) {
    const url = kind === "guest" ? `udfs/${path.split("/").pop()}` : `examples/${path}`;
    const bytes = path in files ? fromHex(files[path]) : await load(base + url);
    engine.lend([path, bytes], engine.exports.hw_file);
  }
  const job = engine.lend([name, script, JSON.stringify(options)], engine.exports.hw_open);
  if (!job) throw new Error(engine.result());
  return job;
}

/** Runs one example to its end, with faults put in at given steps. */
async function run(order) {
  code ??= compile(`${order.base}engine.wasm`);
  engine = await start(await code);
  const job = await open(order);
  for (const { step, fault } of order.injections) {
    engine.exports.hw_seek(job, ...halves(step));
    const done = engine.lend([fault], (at, length) => engine.exports.hw_inject(job, at, length));
    if (!done) throw new Error(engine.result());
  }
  while (engine.exports.hw_step(job, 4096) === 1);
  const { step, hash, fuel, committed_rows, failed } = JSON.parse(engine.result());
  engine.exports.hw_rows(job);
  const rows = await digest(engine.resultBytes());
  const snapshot = engine.exports.hw_snapshot(job) ? await digest(engine.resultBytes()) : null;
  return { step, hash, fuel, committed_rows, failed, rows, snapshot };
}

onmessage = async ({ data: order }) => {
  try {
    postMessage({ result: await run(order) });
  } catch (error) {
    postMessage({ error: String(error?.message ?? error) });
  }
};
