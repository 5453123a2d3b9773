// The engine's worker: loads engine.wasm, gives it files and guests, and answers the page's requests.
//
// A request is {id, op, ...}; every request gets one answer {id, kind, ...}. Trace chunks travel as
// transferred ArrayBuffers. The page ends this worker when it does not answer.

import { halves, load } from "./engine.js";

let engine; // the live engine.wasm
let handle = 0; // the open run
const given = new Set(); // files the engine has

const started = load("./engine.wasm").then((loaded) => {
  engine = loaded;
});
// Each request awaits it and reports the failure; without this line it is reported twice.
started.catch(() => {});

/** Where a file a script names may lie on the server. Guests are built beside the examples. */
function places({ path, kind }) {
  const parts = path.split("/");
  if (path.includes(":") || path.includes("\\") || parts.includes("..") || parts[0] === "") return [];
  const beside = `./examples/${parts.map(encodeURIComponent).join("/")}`;
  return kind === "guest" ? [`./udfs/${encodeURIComponent(parts.at(-1))}`, beside] : [beside];
}

async function giveFiles(needs) {
  for (const need of needs) {
    if (given.has(need.path)) continue;
    for (const place of places(need)) {
      const answer = await fetch(place);
      if (!answer.ok) continue;
      const bytes = new Uint8Array(await answer.arrayBuffer());
      engine.lend([need.path, bytes], engine.exports.hw_file);
      given.add(need.path);
      break;
    }
    // A file that is nowhere is the engine's to complain about: it knows the line.
  }
}

/** Opens a scenario: {handle} or {diagnostics: the engine's JSON}. */
async function openRun(name, source, options) {
  const readable = engine.lend([name, source], engine.exports.hw_needs);
  if (!readable) return { diagnostics: engine.result() };
  await giveFiles(JSON.parse(engine.result()).needs);
  const opened = engine.lend([name, source, JSON.stringify(options)], engine.exports.hw_open);
  return opened > 0 ? { handle: opened } : { diagnostics: engine.result() };
}

/** What every answer about a run holds: the status and what is new in the trace. */
function state(since) {
  engine.exports.hw_status(handle);
  const status = engine.result();
  const count = engine.exports.hw_trace(handle, ...halves(since), 0x7fff_ffff);
  const chunk = count > 0 || since === 0 ? engine.resultBytes().buffer : null;
  return { status, chunk };
}

const operations = {
  async open({ name, text: source, seed, faults, seek }) {
    if (handle) engine.exports.hw_close(handle);
    handle = 0;
    const opened = await openRun(name, source, seed === null ? {} : { seed });
    if (opened.diagnostics) return { kind: "refused", diagnostics: opened.diagnostics };
    handle = opened.handle;
    for (const [step, fault] of faults) {
      engine.exports.hw_seek(handle, ...halves(step));
      engine.lend([fault], (at, length) => engine.exports.hw_inject(handle, at, length));
    }
    if (seek > 0) engine.exports.hw_seek(handle, ...halves(seek));
    engine.exports.hw_output(handle);
    const tables = engine.result();
    engine.exports.hw_faults(handle);
    return { kind: "opened", tables, kinds: engine.result(), ...state(0) };
  },

  async check({ name, text: source, revision }) {
    const opened = await openRun(name, source, {});
    if (opened.handle) engine.exports.hw_close(opened.handle);
    return { kind: "checked", revision, diagnostics: opened.diagnostics ?? null };
  },

  step({ steps, budget, since }) {
    const end = performance.now() + budget;
    for (let left = steps; left > 0; left -= 64) {
      if (engine.exports.hw_step(handle, Math.min(left, 64)) !== 1 || performance.now() >= end) break;
    }
    return { kind: "moved", ...state(since) };
  },

  seek({ step, since }) {
    engine.exports.hw_seek(handle, ...halves(step));
    return { kind: "moved", ...state(since) };
  },

  inject({ fault, since }) {
    const done = engine.lend([fault], (at, length) => engine.exports.hw_inject(handle, at, length));
    if (!done) return { kind: "fault-refused", diagnostics: engine.result() };
    return { kind: "moved", ...state(since) };
  },
};

// One request after the other, in order: opening waits for files, and nothing may come between.
let last = Promise.resolve();
self.onmessage = ({ data: request }) => {
  last = last.then(async () => {
    let answer;
    try {
      await started;
      answer = await operations[request.op](request);
    } catch (error) {
      answer = { kind: "failed", message: String(error?.message ?? error) };
    }
    const transfer = answer.chunk ? [answer.chunk] : [];
    self.postMessage({ id: request.id, ...answer }, transfer);
  });
};
