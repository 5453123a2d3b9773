// A module worker that runs scenarios on `engine.wasm` and says what came out, in digests.
// It knows the engine's C interface alone, nothing of the page: a second embedder beside the page's own.

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** The live guests, by the handle the engine knows them by. */
let guests = [];
let engine;

const engineBytes = (at, length) => new Uint8Array(engine.memory.buffer, at >>> 0, length >>> 0);

/** What a guest may import. Logs are kept as the engine wants them: level, length, text. */
function guestImports(guest) {
  const abort = () => {
    throw new Error("the guest gave up");
  };
  const log = (level, at, length) => {
    const memory = guest.instance.exports.memory.buffer;
    const kept = Math.min(length >>> 0, 1024);
    if ((at >>> 0) + kept > memory.byteLength) throw new Error("a log line out of bounds");
    const line = new Uint8Array(5 + kept);
    line[0] = level;
    new DataView(line.buffer).setUint32(1, kept, true);
    line.set(new Uint8Array(memory, at >>> 0, kept), 5);
    if (guest.log.length < 64) guest.log.push(line);
  };
  return { hw: { log, abort }, env: { abort } };
}

/** The bytes of a guest's memory from an address on, or null when they are not all there. */
function guestBytes(handle, address, length) {
  const memory = guests[handle].instance.exports.memory.buffer;
  const start = address >>> 0;
  const size = length >>> 0;
  return start + size <= memory.byteLength ? new Uint8Array(memory, start, size) : null;
}

const imports = {
  highwater: {
    guest_new(at, length) {
      try {
        const guest = { log: [] };
        const module = new WebAssembly.Module(engineBytes(at, length).slice());
        guest.instance = new WebAssembly.Instance(module, guestImports(guest));
        return guests.push(guest) - 1;
      } catch {
        return -1;
      }
    },
    guest_call(handle, nameAt, nameLength, argumentsAt, count, resultAt) {
      const name = text.decode(engineBytes(nameAt, nameLength));
      const view = new DataView(engine.memory.buffer, argumentsAt >>> 0, count * 4);
      const values = Array.from({ length: count }, (_, index) => view.getInt32(index * 4, true));
      try {
        const result = guests[handle].instance.exports[name](...values) | 0;
        new DataView(engine.memory.buffer).setInt32(resultAt >>> 0, result, true);
        return 0;
      } catch {
        return 1;
      }
    },
    guest_read(handle, address, at, length) {
      const bytes = guestBytes(handle, address, length);
      if (bytes) engineBytes(at, length).set(bytes);
      return bytes ? 1 : 0;
    },
    guest_write(handle, address, at, length) {
      const bytes = guestBytes(handle, address, length);
      if (bytes) bytes.set(engineBytes(at, length));
      return bytes ? 1 : 0;
    },
    guest_log(handle, at, capacity) {
      const into = engineBytes(at, capacity);
      let written = 0;
      for (const line of guests[handle].log.splice(0)) {
        if (written + line.length > into.length) break;
        into.set(line, written);
        written += line.length;
      }
      return written;
    },
    guest_drop(handle) {
      guests[handle] = null;
    },
  },
};

/** Puts bytes into the engine's memory for one call. */
function lend(parts, call) {
  const lent = parts.map((part) => (typeof part === "string" ? utf8.encode(part) : part));
  const places = lent.map((bytes) => engine.hw_alloc(bytes.length) >>> 0);
  lent.forEach((bytes, index) => engineBytes(places[index], bytes.length).set(bytes));
  const answer = call(...lent.flatMap((bytes, index) => [places[index], bytes.length]));
  lent.forEach((bytes, index) => engine.hw_free(places[index], bytes.length));
  return answer;
}

const result = () => engineBytes(engine.hw_result_ptr(), engine.hw_result_len()).slice();
const resultText = () => text.decode(result());

async function load(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function digest(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Opens an example with everything it needs. */
async function open(base, name, options) {
  const script = await load(`${base}examples/${name}`);
  if (!lend([name, script], engine.hw_needs)) throw new Error(resultText());
  for (const { path, kind } of JSON.parse(resultText()).needs) {
    const url = kind === "guest" ? `udfs/${path.split("/").pop()}` : `examples/${path}`;
    const bytes = await load(base + url);
    lend([path, bytes], engine.hw_file);
  }
  const job = lend([name, script, JSON.stringify(options)], engine.hw_open);
  if (!job) throw new Error(resultText());
  return job;
}

/** Runs one example to its end, with faults put in at given steps. */
async function run({ base, example, options, injections }) {
  guests = [];
  const module = await WebAssembly.compile(await load(`${base}engine.wasm`));
  engine = (await WebAssembly.instantiate(module, imports)).exports;
  const job = await open(base, example, options);
  for (const { step, fault } of injections) {
    engine.hw_seek(job, step >>> 0, Math.floor(step / 2 ** 32));
    if (!lend([fault], (at, length) => engine.hw_inject(job, at, length))) throw new Error(resultText());
  }
  while (engine.hw_step(job, 4096) === 1);
  const { step, hash, fuel, committed_rows, failed } = JSON.parse(resultText());
  engine.hw_rows(job);
  const rows = await digest(result());
  const snapshot = engine.hw_snapshot(job) ? await digest(result()) : null;
  return { step, hash, fuel, committed_rows, failed, rows, snapshot };
}

onmessage = async ({ data }) => {
  try {
    postMessage({ result: await run(data) });
  } catch (error) {
    postMessage({ error: String(error?.message ?? error) });
  }
};
