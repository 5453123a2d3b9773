// The engine's worker: loads engine.wasm, gives it files and guests, and answers the page's requests.
//
// A request is {id, op, ...}; every request gets one answer {id, kind, ...}. Trace chunks travel as
// transferred ArrayBuffers. The page ends this worker when it does not answer.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What the engine's guests may write at once: bytes a line, lines a drain. */
const LOG_BYTES = 1024;
const LOG_LINES = 64;

let engine; // the exports of engine.wasm
let view = new Uint8Array(); // its memory, made anew when it grows
let handle = 0; // the open run
const guests = [];
const given = new Set(); // files the engine has

function memory() {
  if (view.buffer !== engine.memory.buffer) view = new Uint8Array(engine.memory.buffer);
  return view;
}

// ---- guests -------------------------------------------------------------------------------------

function newGuest(bytes) {
  const guest = { exports: null, log: [] };
  const stop = () => {
    throw new WebAssembly.RuntimeError("abort");
  };
  const log = (level, ptr, len) => {
    const all = new Uint8Array(guest.exports.memory.buffer);
    const [from, size] = [ptr >>> 0, len >>> 0];
    if (from + size > all.length) stop();
    if (guest.log.length < LOG_LINES) {
      guest.log.push({ level: level & 255, bytes: all.slice(from, from + Math.min(size, LOG_BYTES)) });
    }
  };
  const module = new WebAssembly.Module(bytes);
  const instance = new WebAssembly.Instance(module, { hw: { log, abort: stop }, env: { abort: stop } });
  guest.exports = instance.exports;
  const free = guests.indexOf(null);
  const index = free < 0 ? guests.length : free;
  guests[index] = guest;
  return index;
}

/** A stretch of a guest's memory, or null when it is not all inside. */
function guestBytes(g, address, length) {
  const buffer = guests[g]?.exports.memory?.buffer;
  const [from, size] = [address >>> 0, length >>> 0];
  if (!buffer || from + size > buffer.byteLength) return null;
  return new Uint8Array(buffer, from, size);
}

const imports = {
  guest_new(ptr, len) {
    try {
      return newGuest(memory().slice(ptr >>> 0, (ptr >>> 0) + (len >>> 0)));
    } catch {
      return -1;
    }
  },
  guest_call(g, namePtr, nameLen, argsPtr, argc, retPtr) {
    try {
      const name = text(namePtr, nameLen);
      const data = new DataView(memory().buffer);
      const args = Array.from({ length: argc }, (_, i) => data.getInt32((argsPtr >>> 0) + 4 * i, true));
      const result = guests[g].exports[name](...args);
      new DataView(memory().buffer).setInt32(retPtr >>> 0, result | 0, true);
      return 0;
    } catch {
      return 1;
    }
  },
  guest_read(g, address, ptr, len) {
    const from = guestBytes(g, address, len);
    if (!from) return 0;
    memory().set(from, ptr >>> 0);
    return 1;
  },
  guest_write(g, address, ptr, len) {
    const to = guestBytes(g, address, len);
    if (!to) return 0;
    to.set(memory().subarray(ptr >>> 0, (ptr >>> 0) + (len >>> 0)));
    return 1;
  },
  guest_log(g, ptr, cap) {
    const lines = guests[g]?.log ?? [];
    const out = memory();
    let at = ptr >>> 0;
    const end = at + (cap >>> 0);
    for (const { level, bytes } of lines) {
      if (at + 5 + bytes.length > end) break;
      new DataView(out.buffer).setUint8(at, level);
      new DataView(out.buffer).setUint32(at + 1, bytes.length, true);
      out.set(bytes, at + 5);
      at += 5 + bytes.length;
    }
    lines.length = 0;
    return at - (ptr >>> 0);
  },
  guest_drop(g) {
    if (guests[g]) guests[g] = null;
  },
};

// ---- the engine ---------------------------------------------------------------------------------

const started = (async () => {
  const answer = await fetch("./engine.wasm");
  if (!answer.ok) throw new Error(`engine.wasm: ${answer.status} ${answer.statusText}`);
  const { instance } = await WebAssembly.instantiate(await answer.arrayBuffer(), { highwater: imports });
  engine = instance.exports;
  const version = engine.hw_abi();
  if (version !== 1) throw new Error(`engine.wasm speaks ABI ${version}, this page speaks 1`);
})();
// Each request awaits it and reports the failure; without this line it is reported twice.
started.catch(() => {});

function text(ptr, len) {
  return decoder.decode(memory().subarray(ptr >>> 0, (ptr >>> 0) + (len >>> 0)));
}

/** Calls `use` with pointer and length of each of the texts or bytes, put into the engine's memory. */
function lend(parts, use) {
  const lent = parts.map((part) => {
    const bytes = typeof part === "string" ? encoder.encode(part) : part;
    const ptr = engine.hw_alloc(bytes.length);
    memory().set(bytes, ptr >>> 0);
    return [ptr, bytes.length];
  });
  try {
    return use(...lent.flat());
  } finally {
    for (const [ptr, length] of lent) engine.hw_free(ptr, length);
  }
}

function resultBytes() {
  const ptr = engine.hw_result_ptr() >>> 0;
  return memory().slice(ptr, ptr + (engine.hw_result_len() >>> 0));
}

const result = () => decoder.decode(resultBytes());
const halves = (n) => [n >>> 0, Math.floor(n / 0x1_0000_0000) >>> 0];

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
      lend([need.path, bytes], engine.hw_file);
      given.add(need.path);
      break;
    }
    // A file that is nowhere is the engine's to complain about: it knows the line.
  }
}

/** Opens a scenario: {handle} or {diagnostics: the engine's JSON}. */
async function openRun(name, source, options) {
  const readable = lend([name, source], engine.hw_needs);
  if (!readable) return { diagnostics: result() };
  await giveFiles(JSON.parse(result()).needs);
  const opened = lend([name, source, JSON.stringify(options)], engine.hw_open);
  return opened > 0 ? { handle: opened } : { diagnostics: result() };
}

/** What every answer about a run holds: the status and what is new in the trace. */
function state(since) {
  engine.hw_status(handle);
  const status = result();
  const count = engine.hw_trace(handle, ...halves(since), 0x7fff_ffff);
  const chunk = count > 0 || since === 0 ? resultBytes().buffer : null;
  return { status, chunk };
}

const operations = {
  async open({ name, text: source, seed, faults, seek }) {
    if (handle) engine.hw_close(handle);
    handle = 0;
    const opened = await openRun(name, source, seed === null ? {} : { seed });
    if (opened.diagnostics) return { kind: "refused", diagnostics: opened.diagnostics };
    handle = opened.handle;
    for (const [step, fault] of faults) {
      engine.hw_seek(handle, ...halves(step));
      lend([fault], (ptr, len) => engine.hw_inject(handle, ptr, len));
    }
    if (seek > 0) engine.hw_seek(handle, ...halves(seek));
    engine.hw_output(handle);
    const tables = result();
    return { kind: "opened", tables, ...state(0) };
  },

  async check({ name, text: source, revision }) {
    const opened = await openRun(name, source, {});
    if (opened.handle) engine.hw_close(opened.handle);
    return { kind: "checked", revision, diagnostics: opened.diagnostics ?? null };
  },

  step({ steps, budget, since }) {
    const end = performance.now() + budget;
    for (let left = steps; left > 0; left -= 64) {
      if (engine.hw_step(handle, Math.min(left, 64)) !== 1 || performance.now() >= end) break;
    }
    return { kind: "moved", ...state(since) };
  },

  seek({ step, since }) {
    engine.hw_seek(handle, ...halves(step));
    return { kind: "moved", ...state(since) };
  },

  inject({ fault, since }) {
    const done = lend([fault], (ptr, len) => engine.hw_inject(handle, ptr, len));
    if (!done) return { kind: "fault-refused", diagnostics: result() };
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
