// A module worker that simulates a job on `engine.wasm` until its trace is long, then seeks in it, and says how long
// that takes.

import { halves, load } from "../engine.js";

/** Numbers that look random, below a limit: xorshift32. */
function dice(seed) {
  let state = seed;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

async function measure({ base, sql, options, events, seeks }) {
  const engine = await load(`${base}engine.wasm`);
  const job = engine.lend(["seek.sql", sql, JSON.stringify(options)], engine.exports.hw_open);
  if (!job) throw new Error(engine.result());
  const status = () => {
    engine.exports.hw_status(job);
    return JSON.parse(engine.result());
  };
  const began = performance.now();
  while (status().events <= events) {
    if (engine.exports.hw_step(job, 10_000) !== 1) throw new Error("the job ends before so many events");
  }
  const run = (performance.now() - began) / 1000;
  const last = status();
  const below = dice(20_240_501);
  const times = [];
  for (let i = 0; i < seeks; i++) {
    const step = 1 + below(last.step);
    const start = performance.now();
    engine.exports.hw_seek(job, ...halves(step));
    times.push(performance.now() - start);
    const found = status().step;
    if (found !== step) throw new Error(`a seek to step ${step} leads to step ${found}`);
  }
  engine.exports.hw_seek(job, ...halves(last.step));
  const { step, hash } = status();
  if (step !== last.step || hash !== last.hash) throw new Error("the run is another behind its seeks");
  times.sort((a, b) => a - b);
  const at = (part) => times[Math.floor(((times.length - 1) * part) / 100)];
  return { events: last.events, step, hash, run, median: at(50), p99: at(99), most: at(100) };
}

onmessage = async ({ data: order }) => {
  try {
    postMessage({ result: await measure(order) });
  } catch (error) {
    postMessage({ error: String(error?.message ?? error) });
  }
};
